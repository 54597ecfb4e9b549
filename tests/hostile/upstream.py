"""An environment that tells its visitors what it received, and plays the hostile one where it is told to."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from tests.hostile.strict import FaultError, Incomplete, Message, read_head, read_request

MARK = re.compile(rb"mark[0-9]{6}x")


@dataclass(slots=True)
class Received:
    """A whole request, by its number in all; `fault` says why it had more than one reading."""

    number: int
    message: Message | None
    fault: str | None = None

    @property
    def echo(self) -> bytes:
        """The body of the answer to it."""
        message = self.message
        assert message is not None
        return b"%d %b %b\n%b" % (self.number, message.method, message.target, message.body)


@dataclass(slots=True)
class Script:
    """What the environment says to one request: `pieces`, one after the other, then it closes where
    it `closes`.

    `is_gone` is set when the gateway has let go of that connection, `was_kept` when it sent another request on it.
    """

    pieces: list[bytes]
    closes: bool
    is_gone: asyncio.Event = field(default_factory=asyncio.Event)
    was_said: bool = False
    was_kept: bool = False


class Upstream:
    """Listens; `received` are the marked requests by mark, `scripts` what is said to a head that holds the mark."""

    def __init__(self) -> None:
        self.port = 0
        self.received: dict[bytes, list[Received]] = {}
        self.by_number: dict[int, tuple[bytes, Received]] = {}
        self.scripts: dict[bytes, Script] = {}

    @property
    def authority(self) -> bytes:
        """How an Odoo behind this is called."""
        return b"127.0.0.1:%d" % self.port

    def take(self, mark: bytes, message: Message | None, fault: str | None = None) -> Received:
        """Note a marked request."""
        received = Received(len(self.by_number), message, fault)
        self.by_number[received.number] = (mark, received)
        self.received.setdefault(mark, []).append(received)
        return received


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self._script: Script | None = None
        self._continued = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._script is not None:
            # What was said on this connection makes it useless, whatever the gateway still sends of that request.
            self._script.was_kept = self._script.was_kept or b" HTTP/1.1\r\n" in self._buffer
            if self._script.closes or not self._script.was_said:
                return
        while self._buffer and not self._transport.is_closing() and self._serve():
            pass

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._script is not None:
            self._script.is_gone.set()

    def eof_received(self) -> None:
        if self._script is not None:
            self._script.is_gone.set()

    def _serve(self) -> bool:
        """Serve the first request in the buffer; False where it is not complete."""
        try:
            if self._play():
                return True
            message, length = read_request(self._buffer)
        except Incomplete:
            self._say_continue()
            return False
        except FaultError as fault:
            mark = MARK.search(self._buffer)
            if mark is not None:
                self._upstream.take(mark[0], None, str(fault))
            self._answer(b"400 Bad Request", b"")
            self._transport.close()
            return False
        raw, self._buffer = self._buffer[:length], self._buffer[length:]
        self._continued = False
        found = MARK.search(raw)
        if found is None:
            self._answer(b"404 Not Found", b"")  # Nobody's of ours: the gateway looks what kind of environment this is.
            return True
        received = self._upstream.take(found[0], message)
        self._answer(b"200 OK", b"" if message.method == b"HEAD" else received.echo, received.number)
        return True

    def _play(self) -> bool:
        """Say what a script holds for the request in the buffer."""
        line, _, length = read_head(self._buffer)
        found = MARK.search(line)
        script = self._upstream.scripts.pop(found[0], None) if found is not None else None
        if script is None:
            return False
        self._script = script
        self._buffer = self._buffer[length:]
        self._say(script)
        return True

    def _say(self, script: Script) -> None:
        """Say the next piece, and what follows it in the loop's next turn."""
        if script.pieces and not self._transport.is_closing():
            self._transport.write(script.pieces.pop(0))
            asyncio.get_running_loop().call_soon(self._say, script)
            return
        script.was_said = True
        if script.closes:
            self._transport.close()
        elif self._buffer:
            self.data_received(b"")

    def _say_continue(self) -> None:
        if self._continued or b"\r\n\r\n" not in self._buffer:
            return
        if (b"expect", b"100-continue") in read_head(self._buffer)[1]:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, status: bytes, body: bytes, number: int = -1) -> None:
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Length: %d\r\nX-Seen: %d\r\n\r\n%b" % (status, len(body), number, body)
        )


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """A running one on a free port of 127.0.0.1."""
    running = Upstream()
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []

    def factory() -> _Connection:
        connections.append(_Connection(running))
        return connections[-1]

    server = await loop.create_server(factory, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for connection in connections:
            connection._transport.abort()
        await server.wait_closed()
