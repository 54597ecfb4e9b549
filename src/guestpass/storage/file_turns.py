"""A fair queue of processes that write to a SQLite file.

SQLite's busy handler is no queue: a waiting process polls, in the end ten times a second, while one that writes again
at once finds the lock free each time. Beside a process that writes without a pause, another got no turn in ten seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy.exc import OperationalError

from guestpass.app.turns import Lane

_POLL_SECONDS: Final[Mapping[Lane, float]] = {Lane.VISITORS: 0.001, Lane.OWNERS: 0.002, Lane.BACKGROUND: 0.004}
"""Polling interval by lane, in seconds. A shorter one makes a lane likelier to be next, and starves none."""


class FileTurns:
    """Locks (flock) on two files beside the database: the writer holds `-turn`, the next one `-next`.

    A process that has written can't be next again before the one that was next has its turn. Where the files can't be
    created or the file system has no locks, SQLite's busy handler is used alone. Locks end with their process.
    """

    def __init__(self, database: Path, patience: float) -> None:
        self._paths = [database.with_name(f"{database.name}-{what}") for what in ("next", "turn")]
        self._patience = patience
        self._files: list[int] | None = None

    @asynccontextmanager
    async def take(self, lane: Lane) -> AsyncIterator[None]:
        """Hold the turn to write; raises sqlalchemy's OperationalError after waiting `patience` seconds."""
        files = self._opened()
        if not files:
            yield
            return
        following, turn = files
        give_up = time.monotonic() + self._patience
        await self._lock(following, lane, give_up)
        try:
            await self._lock(turn, lane, give_up)
        finally:
            fcntl.flock(following, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock files."""
        for each in self._files or ():
            os.close(each)
        self._files = None

    def _opened(self) -> list[int]:
        """Return the descriptors of both lock files; empty where they can't be used."""
        if self._files is None:
            self._files = []
            try:
                for path in self._paths:
                    self._files.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                # Some file systems don't support locks.
                with suppress(BlockingIOError):
                    fcntl.flock(self._files[0], fcntl.LOCK_SH | fcntl.LOCK_NB)
                    fcntl.flock(self._files[0], fcntl.LOCK_UN)
            except OSError:
                self.close()
                self._files = []
        return self._files

    async def _lock(self, file: int, lane: Lane, give_up: float) -> None:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    cause = sqlite3.OperationalError("database is locked: another process keeps its turn")
                    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
                    raise OperationalError("BEGIN IMMEDIATE", None, cause) from None
                await asyncio.sleep(_POLL_SECONDS[lane])
            else:
                return
