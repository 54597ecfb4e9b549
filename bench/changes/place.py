"""One worker of one machine, and a visitor who asks it again and again and has a WebSocket open there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.installation import Installation

from bench.changes.report import Seen
from bench.changes.upstream import KEY
from bench.processes import NotReady

# Between two questions, in seconds: often enough to tell milliseconds, seldom enough to leave the machine its time.
_PAUSE_S = 0.002
_SECONDS = 60.0


class Place:
    """A worker, known by what its request ids begin with; `host` is what visitors call the installation."""

    def __init__(self, server: Installation, worker: str, client: RawClient, host: bytes, fields: bytes) -> None:
        self.server, self.worker = server, worker
        self._fields = fields
        self._client = client
        self._host = host
        self._socket: RawClient | None = None
        self._request = b""

    async def open(self, cookie: bytes) -> None:
        """Let the visitor with this pass in, and open his WebSocket at the same worker."""
        self._request = b"GET / HTTP/1.1\r\nHost: %b\r\nCookie: %b\r\n" % (self._host, cookie)
        if (status := await self._status()) != 200:
            raise NotReady(f"Guestpass answered {status} to a visitor with a pass.")
        self._socket = await self._connection()
        self._socket.send(
            self._request + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: %b\r\n\r\n" % KEY
        )
        expect(await self._socket.head(), 101)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        if self._socket is not None:
            await self._socket.close()

    async def watch(self, status: int = 410) -> Seen:
        """Return when the link is refused with this status and the WebSocket is cut."""
        async with asyncio.TaskGroup() as group:
            refused = group.create_task(self._until_refused(status))
            closed = group.create_task(self._until_closed())
        return Seen(refused.result(), closed.result())

    async def _until_refused(self, wanted: int) -> float:
        while (status := await self._status()) == 200:  # noqa: ASYNC110 -- another process sets no Event
            await asyncio.sleep(_PAUSE_S)
        now = time.time()
        if status not in (None, wanted):
            raise NotReady(f"Guestpass answered {status} where it should refuse with {wanted}.")
        # Cut, or closed behind the refusal.
        await self._client.close()
        self._client = await self._connection()
        return now

    async def _until_closed(self) -> float:
        assert self._socket is not None
        await self._socket.gone()
        now = time.time()
        await self._socket.close()
        self._socket = None
        return now

    async def _status(self) -> int | None:
        """What a request is answered; None where it was cut off, as those are that are under way at the end."""
        self._client.send(self._request + b"\r\n")
        try:
            return (await self._client.answer()).status
        except BrokenOffError:
            return None

    async def _connection(self) -> RawClient:
        return await connection_to(self.server.public_port, self._fields, lambda worker: worker == self.worker)


async def worker_of(client: RawClient, fields: bytes) -> str:
    """What the request ids of the worker begin with that serves this connection.

    `fields` are the Host and who asks: a visitor's or owner's connection can be used further, a stranger's is closed.
    """
    client.send(b"DELETE /none HTTP/1.1\r\n%bOrigin: http://elsewhere.example\r\n\r\n" % fields)
    answer = await client.answer()
    request_id: str = json.loads(answer.body)["requestId"]
    return request_id.partition("-")[0]


async def connection_to(port: int, fields: bytes, wanted: Callable[[str], bool]) -> RawClient:
    """A connection to a worker that is wanted. Linux chooses which one serves a connection, so some are given up."""
    async with asyncio.timeout(_SECONDS):
        while True:
            client = await RawClient.connect(port)
            if wanted(await worker_of(client, fields)):
                return client
            await client.close()


async def place(
    server: Installation, host: bytes, cookie: bytes, wanted: Callable[[str], bool] = lambda _: True
) -> Place:
    """A worker of this machine that is wanted; the pass in `cookie` lasts for as long as it is used."""
    fields = b"Host: %b\r\nCookie: %b\r\n" % (host, cookie)
    client = await connection_to(server.public_port, fields, wanted)
    return Place(server, await worker_of(client, fields), client, host, fields)


def expect(answer: Answer, status: int) -> None:
    """Raise NotReady for another status."""
    if answer.status != status:
        raise NotReady(f"Guestpass answered {answer.status} instead of {status}: {answer.body[:300]!r}")
