"""The order in which processes get to write to a SQLite file.

SQLite's own waiting is no queue: who waits looks again after a while, at last ten times a second, and who writes again
at once finds the lock free each time. Beside a process that writes without a pause another one gets no turn in ten
seconds.
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

_LOOK_SECONDS: Final[Mapping[Lane, float]] = {Lane.VISITORS: 0.001, Lane.OWNERS: 0.002, Lane.BACKGROUND: 0.004}
"""How often who waits looks whether it is free. Whoever looks more often is sooner the next, and nobody is always."""


class FileTurns:
    """Locks (flock) on two files beside the database: who writes holds `-turn`, and who is the next holds `-next`.

    Who has written is not the next again before the one who was next has written. Where there can be no such files, or
    their system has no locks, SQLite's waiting has to do. Both end with their process.
    """

    def __init__(self, database: Path, patience: float) -> None:
        self._paths = [database.with_name(f"{database.name}-{what}") for what in ("next", "turn")]
        self._patience = patience
        self._files: list[int] | None = None

    @asynccontextmanager
    async def take(self, lane: Lane) -> AsyncIterator[None]:
        """Be the process that writes; raises sqlalchemy's OperationalError where that takes longer than `patience`."""
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
        """Let go of the files."""
        for each in self._files or ():
            os.close(each)
        self._files = None

    def _opened(self) -> list[int]:
        """The two files; none where they can't be had."""
        if self._files is None:
            self._files = []
            try:
                for path in self._paths:
                    self._files.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                # Some file systems know no locks.
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
                await asyncio.sleep(_LOOK_SECONDS[lane])
            else:
                return
