"""A store whose readers a test can hold back, so that changes arrive in the midst of a look-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from guestpass.app.ports import Store, UnitOfWork
from guestpass.app.turns import VISITORS, Turn


class StoppingStore:
    """Passes everything on to a real store; `reads` counts the units of work that read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: asyncio.Event | None = None
        self._released = asyncio.Event()
        self.reads = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """What was read is handed out only when a test lets it, if one holds it."""
        async with self._store.reading() as work:
            self.reads += 1
            yield work
        held, self._held = self._held, None
        if held is not None:
            held.set()
            await self._released.wait()

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
        async with self._store.writing(turn) as work:
            yield work

    def hold_next(self) -> asyncio.Event:
        """Hold the next reader when it has read; the event says that it has."""
        self._held, self._released = asyncio.Event(), asyncio.Event()
        return self._held

    def release(self) -> None:
        """Let the held reader go on with what it read."""
        self._released.set()


class FailingStore:
    """A database that can't be written while `failing` says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failing = True

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._store.reading()

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
        async with self._store.writing(turn) as work:
            yield work
            if self.failing:
                raise OSError("the disk is full")
