"""A network between workers and a server that a test can cut, as silently as a switch that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress


class Wire:
    """Passes bytes on between a port of its own and a server's, unless it is cut.

    While it is cut, bytes wait and connections stay open, in both directions; whoever connects gets no answer.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._intact = asyncio.Event()
        self._intact.set()
        self._frozen: dict[int, asyncio.Event] = {}
        self._until_cut: int | None = None
        self.port = 0

    def cut(self) -> None:
        """Let nothing through."""
        self._intact.clear()

    def cut_after(self, pieces: int) -> None:
        """Let so many more pieces through to the server, each what came at once, and then nothing."""
        self._until_cut = pieces

    def mend(self) -> None:
        """Let through what has waited, and everything again."""
        self._until_cut = None
        self._intact.set()

    def lead_to(self, port: int) -> None:
        """Connect to another server from now on."""
        self._to = self._to[0], port

    def freeze(self, port: int) -> None:
        """Let nothing through for the one connection that the server sees coming from this port."""
        self._frozen[port].clear()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_close, writer)
            await self._intact.wait()
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._to)
            except OSError:
                return
            stack.push_async_callback(_close, far_writer)
            port: int = far_writer.get_extra_info("sockname")[1]
            thawed = self._frozen[port] = asyncio.Event()
            thawed.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer, thawed, counts=True))
                group.create_task(self._pump(far_reader, writer, thawed))

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        thawed: asyncio.Event,
        *,
        counts: bool = False,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if counts and self._until_cut is not None:
                    self._until_cut -= 1
                    if self._until_cut < 0:
                        self.cut()
                await self._intact.wait()
                await thawed.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def wire_to(port: int, host: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """A wire to a server, which is torn down at the end."""
    wire = Wire(host, port)
    passing: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            passing.add(group.create_task(wire.pass_on(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        wire.port = server.sockets[0].getsockname()[1]
        try:
            yield wire
        finally:
            server.close()
            for task in passing:
                task.cancel()
