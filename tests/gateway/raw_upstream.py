"""An upstream that a test plays by hand: it sees each connection and each byte, and answers what it is told."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import SupportsIndex

from tests.gateway.raw_client import WAIT_SECONDS, BrokenOffError

_BUFFER = 64 * 1024


class ReceivedHead:
    """A request's head as it arrived; `fields` with the names as they came, in order."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.line, *lines = raw[:-4].split(b"\r\n")
        self.fields = [(line.partition(b": ")[0], line.partition(b": ")[2]) for line in lines]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    @property
    def names(self) -> list[bytes]:
        return [name.lower() for name, _ in self.fields]

    def get(self, name: bytes) -> bytes | None:
        """The value of a field that must not come twice, or None."""
        values = [value for known, value in self.fields if known.lower() == name]
        assert len(values) <= 1, f"{name!r} came {len(values)} times"
        return values[0] if values else None


class _Ear(asyncio.StreamReader):
    """A reader that tells when something was said to it for the first time."""

    def __init__(self, heard: Callable[[], None]) -> None:
        super().__init__(limit=_BUFFER)
        self._heard: Callable[[], None] | None = heard

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        super().feed_data(data)
        if self._heard is not None:
            self._heard()
            self._heard = None


class UpstreamEnd:
    """One connection that the gateway opened; everything that waits does so for at most WAIT_SECONDS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def head(self) -> ReceivedHead:
        """The next request's head."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return ReceivedHead(await self._reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenOffError(f"the gateway closed before a head: {error!r}") from None

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenOffError(f"the gateway closed before {count} bytes had come: {error!r}") from None

    async def line(self) -> bytes:
        """The next line, without its CRLF."""
        async with asyncio.timeout(WAIT_SECONDS):
            return (await self._reader.readuntil(b"\r\n"))[:-2]

    async def chunked(self) -> bytes:
        """A whole chunked body as it came, through its last chunk."""
        async with asyncio.timeout(WAIT_SECONDS):
            raw = b""
            while not (raw.endswith(b"0\r\n\r\n")):
                raw += await self._reader.readuntil(b"\r\n")
            return raw

    def send(self, data: bytes) -> None:
        """Answer with these bytes, without waiting until they are taken."""
        self._writer.write(data)

    def send_below_tls(self, data: bytes) -> None:
        """Send bytes that TLS knows nothing of; all that was sent before must have left."""
        with socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno())) as raw:
            raw.sendall(data)

    async def send_all(self, data: bytes) -> None:
        """Answer with these bytes, and wait until most of them are taken."""
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

    async def gone(self) -> None:
        """Return when the gateway has closed or reset the connection; whatever came before is thrown away."""
        async with asyncio.timeout(WAIT_SECONDS):
            with suppress(ConnectionError):
                while await self._reader.read(_BUFFER):
                    pass

    async def close(self) -> None:
        """Close cleanly after what is still to be sent."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    def hang_up(self) -> None:
        """Close at once, also with TLS: where something was not read, the system makes a reset of it."""
        self._writer.transport.abort()

    def reset(self) -> None:
        """Break the connection with a reset, as a process that is killed does."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class RawUpstream:
    """A listening upstream; `greeting` is what it says on each connection before it is asked anything.

    A connection on which the gateway says nothing is not counted: it was made to see whether somebody listens.
    """

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        self._waiting: asyncio.Queue[UpstreamEnd] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self._closing = False
        self.accepted = 0
        self.port = 0
        self.greeting = b""

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def accept(self) -> UpstreamEnd:
        """The next connection that the gateway makes."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._waiting.get()

    async def close_all(self) -> None:
        """Close every connection, those included that are still to be heard of."""
        self._closing = True
        for writer in self._writers:
            writer.close()
            # Whoever sent what is no TLS has been told so.
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        writer: asyncio.StreamWriter | None = None

        def heard() -> None:
            assert writer is not None
            self.accepted += 1
            self._waiting.put_nowait(UpstreamEnd(reader, writer))

        def connected(_: asyncio.StreamReader, its_writer: asyncio.StreamWriter) -> None:
            nonlocal writer
            writer = its_writer
            if self._closing:
                writer.close()
                return
            writer.write(self.greeting)
            self._writers.append(writer)

        reader = _Ear(heard)
        return asyncio.StreamReaderProtocol(reader, connected)


@asynccontextmanager
async def raw_upstream(tls: ssl.SSLContext | None = None) -> AsyncIterator[RawUpstream]:
    """A running upstream on a free port of 127.0.0.1; with `tls` it speaks https."""
    upstream = RawUpstream("https" if tls else "http")
    server = await asyncio.get_running_loop().create_server(upstream._protocol, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        await upstream.close_all()
        await server.wait_closed()
