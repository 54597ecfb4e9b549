"""Forget what is over, and changes that everybody has heard of."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Column, Delete, bindparam, delete, func, select

from guestpass.app.ports import Clock
from guestpass.app.turns import BACKGROUND
from guestpass.storage.batches import KEPT as BATCHES_KEPT
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.changes import CHANGES_KEPT
from guestpass.storage.database import Database
from guestpass.storage.tables import (
    UTCDateTime,
    dashboard_invitations,
    dashboard_sessions,
    rate_counters,
    revoked_tokens,
    worker_batches,
)

INTERVAL_S: Final = 60.0
"""How often a worker asks whether it is time, in seconds."""
ROUNDS: Final = "1/5minute"
"""How often one of all workers prunes."""
BATCH: Final = 1000
"""How many rows go in one transaction, so that no writer waits long."""
CLOCKS_APART: Final = timedelta(hours=1)
"""How much longer than its time a row stays, so that a machine whose clock is ahead takes nothing from another."""

_BEFORE = bindparam("before", type_=UTCDateTime())


def _remove_over(column: Column[datetime]) -> Delete:
    """Remove BATCH rows whose time is over, the oldest first, and more only where the last of them are as old."""
    some = select(column.label("over")).where(column <= _BEFORE).order_by(column).limit(BATCH).subquery()
    # A bound and no list of keys, so that it is a range of the index for every planner.
    last = select(func.max(some.c.over)).scalar_subquery()
    return delete(column.table).where(column <= last, column <= _BEFORE)


_OVER = [
    (_remove_over(column), after)
    for column, after in (
        (dashboard_invitations.c.expires_at, CLOCKS_APART),
        (dashboard_sessions.c.expires_at, CLOCKS_APART),
        (rate_counters.c.expires_at, CLOCKS_APART),
        (revoked_tokens.c.expires_at, CLOCKS_APART),
        (worker_batches.c.written_at, BATCHES_KEPT),
    )
]


class Pruning:
    """Removes what is over, and keeps the table of changes as short as an hour's work; all workers share the rounds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._rounds = DatabaseBudget(database, clock, ROUNDS, "prune")
        self._log: Any = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Prune when it is time, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.prune()
            except Exception:  # noqa: BLE001 - whatever the database raises, it is tried again
                self._log.exception("not_pruned", retry_seconds=INTERVAL_S)

    async def prune(self) -> int:
        """Delete what is old where it is time and nobody else does; returns how many rows."""
        if await self._rounds.spend("all") is not None:
            return 0
        now = self._clock.now()
        pruned = await self._prune_changes(now - CHANGES_KEPT)
        for statement, kept in _OVER:
            taken = BATCH
            while taken >= BATCH:
                async with self._database.writing(BACKGROUND) as work:
                    taken = (await work.connection.execute(statement, {"before": now - kept})).rowcount
                pruned += taken
        await self._database.wipe()
        return pruned

    async def _prune_changes(self, before: datetime) -> int:
        pruned = 0
        while True:
            async with self._database.writing(BACKGROUND) as work:
                taken = await work.changes.prune(before, limit=BATCH)
                if taken < BATCH:
                    # The newest goes in the next round, when everybody has heard of this one.
                    await work.changes.cover(before)
            pruned += taken
            if taken < BATCH:
                return pruned
