"""Delete expired rows, and changes that all workers have read."""

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
"""How often a worker checks whether a round is due, in seconds."""
ROUNDS: Final = "1/5minute"
"""How often one of the workers prunes."""
BATCH: Final = 1000
"""Rows per transaction, so that no writer waits long."""
CLOCKS_APART: Final = timedelta(hours=1)
"""How long rows stay after their end, so that a machine whose clock is ahead deletes nothing that others still need."""

_BEFORE = bindparam("before", type_=UTCDateTime())


def _remove_over(column: Column[datetime]) -> Delete:
    """Build the DELETE of about BATCH expired rows, oldest first; more only if several are as old as the last."""
    some = select(column.label("over")).where(column <= _BEFORE).order_by(column).limit(BATCH).subquery()
    # A bound instead of a list of keys, which every planner turns into a range of the index.
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
    """Deletes expired rows and changes older than an hour; workers share the rounds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._rounds = DatabaseBudget(database, clock, ROUNDS, "prune")
        self._log: Any = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Prune whenever a round is due, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.prune()
            except Exception:  # noqa: BLE001 - whatever the database raises, it is tried again
                self._log.exception("not_pruned", retry_seconds=INTERVAL_S)

    async def prune(self) -> int:
        """Run a round if one is due and no other worker runs it; returns the number of deleted rows."""
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
                    # The newest is deleted in the next round, when all workers have read this one.
                    await work.changes.cover(before)
            pruned += taken
            if taken < BATCH:
                return pruned
