"""Forget changes that everybody has heard of."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

from guestpass.app.ports import Clock
from guestpass.app.turns import BACKGROUND
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.changes import CHANGES_KEPT
from guestpass.storage.database import Database

INTERVAL_S: Final = 60.0
"""How often a worker asks whether it is time, in seconds."""
ROUNDS: Final = "1/5minute"
"""How often one of all workers prunes."""
BATCH: Final = 1000
"""How many changes go in one transaction, so that no writer waits long."""


class ChangePruning:
    """Keeps the table of changes as short as an hour's work; all workers share the rounds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._rounds = DatabaseBudget(database, clock, ROUNDS, "prune-changes")
        self._log: Any = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Prune when it is time, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.prune()
            except Exception:  # noqa: BLE001 - whatever the database raises, it is tried again
                self._log.exception("changes_not_pruned", retry_seconds=INTERVAL_S)

    async def prune(self) -> int:
        """Delete what is older than CHANGES_KEPT where it is time and nobody else does; returns how many."""
        if await self._rounds.spend("all") is not None:
            return 0
        before, pruned = self._clock.now() - CHANGES_KEPT, 0
        while True:
            async with self._database.writing(BACKGROUND) as work:
                taken = await work.changes.prune(before, limit=BATCH)
            pruned += taken
            if taken < BATCH:
                return pruned
