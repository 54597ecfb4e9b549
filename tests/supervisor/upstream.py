"""An environment with quick and slow answers, uploads, event streams and WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

DRIPS = 20


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection of `answering`."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            path = head.split(" ")[1]
            length = int(head.partition("\r\ncontent-length: ")[2].partition("\r\n")[0] or 0)
            body = await reader.readexactly(length)
            if path == "/drip":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % DRIPS)
                for _ in range(DRIPS):
                    writer.write(b".")
                    await asyncio.sleep(0.1)
            else:
                text = str(len(body)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _echo(socket: ServerConnection) -> None:
    try:
        async for message in socket:
            await socket.send(message)
    except ConnectionClosed:
        pass


@asynccontextmanager
async def answering() -> AsyncIterator[str]:
    """The URL of one whose answer is how many bytes came; ``/drip`` takes two seconds for DRIPS bytes."""
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """The URL of one that sends back what it gets over WebSockets."""
    async with serve(_echo, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
