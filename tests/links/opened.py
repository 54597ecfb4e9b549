"""What a visitor has open: a WebSocket, an event stream, downloads, an upload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.links.visitor import Visitor

WAIT_SECONDS = 20.0
_PIECE = 16 * 1024
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Opened:
    """One connection on which something lasts. `ended_at` is when the visitor saw its end (Unix seconds)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._moved = asyncio.Condition()
        self.moved = 0
        self.ended_at: float | None = None

    async def read(self) -> None:
        """Read until the end, and note when that was."""
        try:
            while data := await self._reader.read(_PIECE):
                await self._note(len(data))
        except ConnectionError:
            pass
        self.ended_at = time.time()
        await self._note(0)

    async def upload(self) -> None:
        """Send pieces of a body for as long as they are taken."""
        try:
            while self.ended_at is None:
                self._writer.write(bytes(_PIECE))
                await self._writer.drain()
                await self._note(_PIECE)
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass

    async def wait_for_more(self, name: str) -> None:
        """Return when more bytes have come or gone; fails where it has ended."""
        before = self.moved
        async with asyncio.timeout(WAIT_SECONDS), self._moved:
            await self._moved.wait_for(lambda: self.moved > before or self.ended_at is not None)
        assert self.ended_at is None, f"{name} has ended"

    async def wait_for_end(self, name: str) -> float:
        """When it ended; fails where it does not."""
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._moved:
                await self._moved.wait_for(lambda: self.ended_at is not None)
        except TimeoutError:
            raise AssertionError(f"{name} is still open") from None
        assert self.ended_at is not None
        return self.ended_at

    async def _note(self, count: int) -> None:
        async with self._moved:
            self.moved += count
            self._moved.notify_all()


_REQUESTS = {
    "WebSocket": f"GET /ws/ticks?interval=0.02|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|"
    f"Sec-WebSocket-Key: {_KEY}",
    "event stream": "GET /events?interval=0.02",
    "download": "GET /download?size=8000000000&pause=0.02",
    "chunked download": "GET /chunked?size=8000000000&pause=0.02",
    "upload": "POST /upload|Content-Length: 2000000000",
}


@asynccontextmanager
async def opening(visitor: Visitor) -> AsyncIterator[dict[str, Opened]]:
    """All of these, open and moving."""
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        streams = {}
        for name, request in _REQUESTS.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", visitor.port)
            stack.callback(writer.close)
            line, *fields = request.split("|")
            head = [f"{line} HTTP/1.1", f"Host: {visitor.host}", f"Cookie: {visitor.cookie}", *fields, "", ""]
            writer.write("\r\n".join(head).encode())
            streams[name] = opened = Opened(reader, writer)
            works = [tasks.create_task(opened.read())]
            if name == "upload":
                works.append(tasks.create_task(opened.upload()))
            for work in works:
                stack.callback(work.cancel)
        for name, opened in streams.items():
            await opened.wait_for_more(name)
        yield streams
