"""A server that is attacked while somebody else uses it, and what its log and its process say of that."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.gateway.shared import Shared, sharing
from tests.installation import Installation
from tests.supervisor.processes import worker_ids

MIB = 1024 * 1024
WAIT_SECONDS = 60.0
_PIECE = bytes(64 * 1024)
_ADDRESSES = itertools.count(2)


def new_address() -> str:
    """An address of this machine that nobody has come from yet: what one test uses up, no other one misses."""
    number = next(_ADDRESSES)
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An environment: ``/large/N`` is N MiB, ``/web/static/`` an asset of 2 MiB, all else is short."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0] or b"0")
            while length:
                length -= len(await reader.readexactly(min(length, len(_PIECE))))
            if b"\r\ntransfer-encoding: chunked" in head:
                await reader.readuntil(b"\r\n0\r\n\r\n")
            target = head.split(b" ")[1]
            if target.startswith((b"/large/", b"/web/static/")):
                is_asset = target.startswith(b"/web/")
                size = 2 * MIB if is_asset else int(target.rpartition(b"/")[2]) * MIB
                kept = b'ETag: "a"\r\nCache-Control: public, max-age=604800\r\n' if is_asset else b""
                writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (kept, size))
                for _ in range(size // len(_PIECE)):
                    writer.write(_PIECE)
                    await writer.drain()
            elif target.startswith(b"/hang"):
                await reader.read(1)
                break
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


class Busy:
    """The server, an environment behind it, and its process."""

    def __init__(self, server: Installation, url: str) -> None:
        self.server = server
        self.url = url

    @asynccontextmanager
    async def link(self, **fields: Any) -> AsyncIterator[Shared]:
        """A link of its own, opened by a visitor; the environment is removed at the end."""
        async with sharing(self.server) as share:
            yield await share(self.url, **fields)

    @property
    def pid(self) -> int:
        """The server's one worker."""
        [worker] = worker_ids(self.server)
        return worker

    @property
    def _process(self) -> Path:
        return Path(f"/proc/{self.pid}")

    @property
    def memory(self) -> int:
        """The bytes of memory that the server has at this moment (its resident set)."""
        return int((self._process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def worked(self) -> float:
        """The seconds that it has computed for."""
        fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        """How many it has open."""
        return len(list((self._process / "fd").iterdir()))

    @contextmanager
    def limited(self, what: int, to: int) -> Iterator[None]:
        """Let the system give it less, such as descriptors (RLIMIT_NOFILE) or room in a file (RLIMIT_FSIZE)."""
        pid = self.pid
        before = resource.prlimit(pid, what)
        resource.prlimit(pid, what, (to, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, what, before)

    @contextmanager
    def told_sparingly(self, event: str) -> Iterator[list[dict[str, Any]]]:
        """The log has this event when this ends, and not more often than once a minute; its lines are in the list."""
        began, before = time.monotonic(), len(self._lines(event))
        found: list[dict[str, Any]] = []
        yield found
        found += self._lines(event)[before:]
        # What an earlier test began to tell of may still be waited with.
        assert self._lines(event), f"{event} is not in the log"
        assert len(found) <= 2 + (time.monotonic() - began) / 60, found

    def _lines(self, event: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in self.server.log.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("message") == event]


@asynccontextmanager
async def busy(server: Installation) -> AsyncIterator[Busy]:
    """The server with a running environment."""
    upstream = await asyncio.start_server(_serve, "127.0.0.1", 0)
    try:
        yield Busy(server, f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}")
    finally:
        upstream.close()


class Crowd:
    """Connections from one address, closed when their test ends."""

    def __init__(self, shared: Shared, stack: AsyncExitStack, address: str | None = None) -> None:
        self.shared = shared
        self.address = address or new_address()
        self._stack = stack

    async def connect(self, *, receive_buffer: int | None = None) -> RawClient:
        """One more connection."""
        client = await RawClient.connect(
            self.shared.server.public_port, receive_buffer=receive_buffer, source=self.address
        )
        self._stack.push_async_callback(client.close)
        return client

    async def arrive(self) -> RawClient | None:
        """One more connection, where it is not broken off at once."""
        try:
            return await self.connect()
        except ConnectionError:
            return None

    async def send(self, count: int, data: bytes, *, receive_buffer: int | None = None) -> list[RawClient]:
        """So many connections on which this is said."""
        clients = []
        for _ in range(count):
            clients.append(await self.connect(receive_buffer=receive_buffer))
            clients[-1].send(data)
        return clients

    async def ask(self, target: bytes = b"/", *fields: bytes) -> Answer:
        """One request with a connection of its own."""
        client = await self.connect()
        client.send(self.shared.get(target, *fields))
        return await client.answer()

    async def answered(self, client: RawClient | None) -> bool:
        """Whether a connection gets an answer, or else is closed."""
        if client is None:
            return False
        client.send(self.shared.get())
        try:
            return (await client.answer()).status == 200
        except (BrokenOffError, ConnectionError):
            return False


@asynccontextmanager
async def crowding() -> AsyncIterator[AsyncExitStack]:
    """Where the connections of a test are kept."""
    async with AsyncExitStack() as stack:
        yield stack


@asynccontextmanager
async def served_meanwhile(shared: Shared) -> AsyncIterator[None]:
    """Somebody else asks again and again, on one connection and on new ones, and gets every answer.

    As a browser does, they make a new connection where the old one was closed while nothing was under way.
    """
    someone, over = new_address(), asyncio.Event()
    answers = 0

    async def use() -> None:
        nonlocal answers
        async with AsyncExitStack() as stack:
            crowd = Crowd(shared, stack, someone)
            kept = await crowd.connect()
            while not over.is_set() or answers < 2:
                if not await crowd.answered(kept):
                    kept = await crowd.connect()
                    assert await crowd.answered(kept)
                assert (await crowd.ask()).status == 200
                answers += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), 0.3)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(use())
        try:
            yield
        finally:
            over.set()
