"""Detect when an unwritable database becomes writable again."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from guestpass.app.ports import Clock
from guestpass.storage.database import Database
from guestpass.storage.instance import write_instance
from guestpass.storage.outages import OUTAGES

LOOK_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


class WriteWatch:
    """Logs once when `Database.unwritable` is set, retries writing, and logs when that succeeds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._is_told = False

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._database.unwritable is not None:
                await self._try()

    async def _try(self) -> None:
        if not self._is_told:
            self._is_told = True
            _log.warning(
                "database_not_writable",
                cause=self._database.unwritable,
                effect="visitors are served; changes get 503, and visits are kept in memory",
                remedy="let it be written to: make room on its disk, or mount that for writing",
            )
        try:
            # SQLite writes nothing if no value changes.
            await write_instance(self._database, {"written_at": self._clock.now().isoformat()})
        except OUTAGES:
            return
        self._database.unwritable = None
        self._is_told = False
        _log.info("database_writable_again")
