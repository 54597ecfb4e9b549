"""A listener that nobody may reach: it counts who does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Canary:
    """`reached` are the first bytes of each connection; empty where one was made and nothing said."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.port = 0
        self.reached: list[bytes] = []

    @property
    def address(self) -> str:
        """Host and port, as they stand in a URL."""
        return f"{self.host}:{self.port}"

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note a connection, and end it."""
        index = len(self.reached)
        self.reached.append(b"")
        self.reached[index] = await reader.read(1024)
        writer.close()


@asynccontextmanager
async def canary(host: str = "127.0.0.1") -> AsyncIterator[Canary]:
    """A running one on a free port."""
    listening = Canary(host)
    server = await asyncio.start_server(listening.meet, host, 0)
    listening.port = server.sockets[0].getsockname()[1]
    try:
        yield listening
    finally:
        server.close()
        await server.wait_closed()
