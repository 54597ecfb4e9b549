"""A network between workers and a server that a test can cut, as silently as a switch that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final

COMMIT: Final = b"COMMIT\0"
"""As it is said by itself; `READ COMMITTED` is no commit."""


class Loss(Enum):
    """Where a message is lost, with its connection."""

    ON_THE_WAY = "the server never gets it"
    ON_THE_WAY_BACK = "the server has done what it asks for, and its answer is lost"


@dataclass(slots=True)
class _Connection:
    thawed: asyncio.Event
    writes: bool = False
    answer_is_lost: bool = False


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
        self._losing: tuple[bytes, Loss, int | None] | None = None
        self.lost = 0
        """How many messages were lost."""
        self.port = 0

    def cut(self) -> None:
        """Let nothing through."""
        self._intact.clear()

    def cut_after(self, pieces: int) -> None:
        """Let so many more pieces through to the server, each what came at once, and then nothing."""
        self._until_cut = pieces

    def mend(self) -> None:
        """Let through what has waited, and everything again."""
        self._until_cut = self._losing = None
        self._intact.set()

    def lose(self, message: bytes, where: Loss, *, times: int | None = None) -> None:
        """Lose the next messages of writers that hold these bytes, so many or until it is mended."""
        self._losing = message, where, times

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
            connection = _Connection(asyncio.Event())
            self._frozen[port] = connection.thawed
            connection.thawed.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer, connection, to_server=True))
                group.create_task(self._pump(far_reader, writer, connection))

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: _Connection,
        *,
        to_server: bool = False,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if to_server and self._until_cut is not None:
                    self._until_cut -= 1
                    if self._until_cut < 0:
                        self.cut()
                if connection.answer_is_lost if not to_server else self._loses(data, connection):
                    break
                await self._intact.wait()
                await connection.thawed.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    def _loses(self, data: bytes, connection: _Connection) -> bool:
        """Whether this is a message that is lost on its way."""
        connection.writes |= b"pg_advisory_xact_lock" in data
        if self._losing is None or not connection.writes:
            return False
        message, where, times = self._losing
        if message not in data or times == 0:
            return False
        self._losing = message, where, None if times is None else times - 1
        self.lost += 1
        connection.answer_is_lost = where is Loss.ON_THE_WAY_BACK
        return not connection.answer_is_lost


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
