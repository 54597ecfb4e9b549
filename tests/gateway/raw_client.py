"""A client that sends exactly the bytes that it is told to send, and reads answers by its own strict rules."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

WAIT_SECONDS = 30.0
_BUFFER = 64 * 1024


class BrokenOffError(Exception):
    """The connection ended before the answer was complete; the text says how far it came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `fields` with lower-case names in the order in which they came."""

    version: bytes
    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    def all(self, name: bytes) -> list[bytes]:
        """The values of every field of that name."""
        return [value for known, value in self.fields if known == name]

    def get(self, name: bytes) -> bytes | None:
        """The value of a field that must not come twice, or None."""
        values = self.all(name)
        assert len(values) <= 1, f"{name!r} came {len(values)} times"
        return values[0] if values else None


class RawClient:
    """One connection; everything that waits does so for at most WAIT_SECONDS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, *, receive_buffer: int | None = None, source: str | None = None) -> Self:
        """Connect to a port on 127.0.0.1; a small `receive_buffer` makes a client that takes little at a time.

        `source` is the client's own address, any of 127.0.0.0/8.
        """
        connection = socket.socket()
        connection.setblocking(False)
        if source is not None:
            connection.bind((source, 0))
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except BaseException:
            connection.close()
            raise
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(*await asyncio.open_connection(sock=connection, limit=_BUFFER))

    @property
    def local_port(self) -> int:
        port: int = self._writer.get_extra_info("sockname")[1]
        return port

    @property
    def unread(self) -> int:
        """How many of the bytes that were sent the other side has yet to read, by Linux's own account."""
        waiting = self._writer.transport.get_write_buffer_size()
        local = f":{self.local_port:04X}"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, here, there, _, queues, *_ = line.split()
            to_send, to_read = (int(part, 16) for part in queues.split(":"))
            waiting += to_send if here.endswith(local) else to_read if there.endswith(local) else 0
        return waiting

    def send(self, data: bytes) -> None:
        """Send without waiting until it is taken."""
        self._writer.write(data)

    async def send_all(self, data: bytes) -> None:
        """Send, and wait until most of it is taken."""
        self._writer.write(data)
        await self._writer.drain()

    async def send_slowly(self, data: bytes) -> None:
        """Send byte by byte, each in a packet of its own as far as the kernel lets it."""
        for position in range(len(data)):
            self._writer.write(data[position : position + 1])
            await asyncio.sleep(0)

    def finish_sending(self) -> None:
        """Close the sending half only."""
        self._writer.write_eof()

    def shut_down_tcp(self) -> None:
        """End the sending half below TLS, which asyncio has no word for."""
        with socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)

    async def head(self) -> Answer:
        """The next answer's head."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise BrokenOffError(f"closed after {len(error.partial)} bytes of a head") from None
        except ConnectionError as error:
            raise BrokenOffError(f"{type(error).__name__} before a head") from None
        first, *lines = raw[:-4].split(b"\r\n")
        version, status, reason = first.split(b" ", 2)
        fields = []
        for line in lines:
            name, colon, value = line.partition(b": ")
            assert colon, f"not a field: {line!r}"
            fields.append((name.lower(), value))
        return Answer(version, int(status), reason, tuple(fields))

    async def answer(self, *, to: bytes = b"GET") -> Answer:
        """The next final answer with its whole body; `to` is the method that it answers.

        Raises BrokenOffError where the connection ends before the body is complete.
        """
        head = await self.head()
        while head.status < 200:
            head = await self.head()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                body = await self._body(head, to)
        except asyncio.IncompleteReadError as error:
            raise BrokenOffError(f"closed within a body, after {error.partial[:200]!r}") from None
        except ConnectionError as error:
            raise BrokenOffError(f"{type(error).__name__} within a body") from None
        return Answer(head.version, head.status, head.reason, head.fields, body)

    async def _body(self, head: Answer, method: bytes) -> bytes:
        coding, length = head.get(b"transfer-encoding"), head.get(b"content-length")
        assert coding is None or length is None, "two framings in one head"
        if method == b"HEAD" or head.status in (204, 304):
            return b""
        if length is not None:
            return await self._reader.readexactly(int(length))
        if coding is None:
            return await self._reader.read(-1)
        assert coding == b"chunked"
        pieces = []
        while size := await self._chunk_size():
            pieces.append(await self._reader.readexactly(size))
            assert await self._reader.readexactly(2) == b"\r\n"
        assert await self._reader.readexactly(2) == b"\r\n", "trailers must not arrive"
        return b"".join(pieces)

    async def _chunk_size(self) -> int:
        line = await self._reader.readuntil(b"\r\n")
        assert b";" not in line, "extensions must not arrive"
        return int(line, 16)

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenOffError(f"{type(error).__name__} before {count} bytes had come") from None

    async def rest(self, seconds: float = WAIT_SECONDS) -> bytes:
        """All bytes until the other side closes cleanly; raises BrokenOffError where it resets the connection."""
        try:
            async with asyncio.timeout(seconds):
                return await self._reader.read(-1)
        except ConnectionError as error:
            raise BrokenOffError(type(error).__name__) from None

    async def gone(self) -> None:
        """Return when the other side has closed or reset the connection; whatever came before is thrown away."""
        async with asyncio.timeout(WAIT_SECONDS):
            with suppress(ConnectionError):
                while await self._reader.read(_BUFFER):
                    pass

    @property
    def is_gone(self) -> bool:
        """Whether the other side has closed or reset the connection by now, and all that came before has been read."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def close(self) -> None:
        """Close, if that has not happened."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    def reset(self) -> None:
        """Break the connection with a reset, as a process that is killed with unread data does."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
