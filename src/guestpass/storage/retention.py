"""Delete visitors' data of links that ended long ago; totals and owners' changes stay."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Column, ColumnElement, TextClause, bindparam, delete, or_, select, text, update

from guestpass.app.ports import ChangeKind, Clock
from guestpass.app.turns import BACKGROUND
from guestpass.domain.link import EventKind
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database, SQLUnitOfWork
from guestpass.storage.tables import link_events, links, refusals, visitors

INTERVAL_S: Final = 60.0
"""How often a worker checks whether a round is due, in seconds."""
ROUNDS: Final = "1/hour"
"""How often one of the workers runs a round."""
BATCH: Final = 500
"""Rows per transaction, so that no writer waits long."""
_LINKS_AT_ONCE: Final = 100


class VisitRetention:
    """Deletes visitors' data older than `kept`; workers share the rounds.

    Visitors, openings and ended visits are deleted `kept` after their link's end; refusals, and addresses in histories,
    by their own age. The link, its totals, its visits per hour and the history of owners' changes stay.
    """

    def __init__(self, database: Database, clock: Clock, kept: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._kept = kept
        self._rounds = DatabaseBudget(database, clock, ROUNDS, "visit-retention")
        self._log: Any = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Run rounds whenever one is due, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.remove()
            except Exception:  # noqa: BLE001 - whatever the database raises, it is tried again
                self._log.exception("visit_details_not_removed", retry_seconds=INTERVAL_S)

    async def remove(self) -> int:
        """Run a round if one is due and no other worker runs it; returns the number of deleted rows."""
        if await self._rounds.spend("all") is not None:
            return 0
        before, removed = self._clock.now() - self._kept, 0
        while ids := await self._ended_links(before):
            async with self._database.writing(BACKGROUND) as work:
                removed += await self._remove_details(work, ids, before)
        for statement in (_REMOVE_REFUSALS, _FORGET_ADDRESSES):
            taken = BATCH
            while taken == BATCH:
                async with self._database.writing(BACKGROUND) as work:
                    taken = (await work.connection.execute(statement, {"before": before})).rowcount
                removed += taken
        await self._database.wipe()
        return removed

    async def _ended_links(self, before: datetime) -> list[str]:
        """Return some links that ended before this time and may still have visitors' data."""
        # Two statements, each with its own index.
        for end in (links.c.deactivated_at, links.c.expires_at):
            query = select(links.c.id).where(links.c.details_removed_at.is_(None), end <= before)
            async with self._database.reading() as work:
                found = (await work.connection.execute(query.order_by(end).limit(_LINKS_AT_ONCE))).scalars()
                if ids := list(found):
                    return ids
        return []

    async def _remove_details(self, work: SQLUnitOfWork, ids: list[str], before: datetime) -> int:
        """Delete a batch of rows of these links, and mark links that have none left; returns the number of rows."""
        # A link may have been resumed since it was found.
        has_ended = or_(links.c.deactivated_at <= before, links.c.expires_at <= before)
        still = await work.connection.execute(select(links.c.id).where(links.c.id.in_(ids), has_ended))
        removed, emptied = 0, list[str]()
        for id in still.scalars():
            gone = [
                (await work.connection.execute(statement, {"of_link": id})).rowcount
                for statement in (_REMOVE_VISITORS, _REMOVE_OPENINGS, _FORGET_ENDED_VISITS)
            ]
            if any(gone):
                # Ended visits and places are deleted too, so if the link is resumed, former passes must not be valid.
                over = {"version": links.c.version + 1, "version_since": self._clock.now()}
                await work.connection.execute(update(links).where(links.c.id == id).values(over))
                await work.changes.append(ChangeKind.LINK, id)
            if max(gone) < BATCH:
                emptied.append(id)
            removed += sum(gone)
            if removed >= BATCH:
                break
        noted = update(links).where(links.c.id.in_(emptied)).values(details_removed_at=self._clock.now())
        await work.connection.execute(noted)
        return removed


def _batch(
    column: Column[Any], *conditions: ColumnElement[bool] | TextClause, oldest: Column[Any] | None = None
) -> ColumnElement[bool]:
    """Limit a statement to BATCH rows that meet the conditions, oldest first if a time column is given."""
    some = select(column).where(*conditions).limit(BATCH)
    return column.in_(some if oldest is None else some.order_by(oldest))


_OF_LINK = bindparam("of_link", type_=links.c.id.type)
_BEFORE = bindparam("before", type_=refusals.c.at.type)
_IS_OF_LINK = link_events.c.link_id == _OF_LINK
_REMOVE_VISITORS = delete(visitors).where(
    visitors.c.link_id == _OF_LINK, _batch(visitors.c.visitor, visitors.c.link_id == _OF_LINK)
)
_REMOVE_OPENINGS = delete(link_events).where(
    _batch(link_events.c.id, _IS_OF_LINK, link_events.c.kind == EventKind.OPENED.value)
)
_FORGET_DETAILS = update(link_events).values(detail=None)
_FORGET_ENDED_VISITS = _FORGET_DETAILS.where(
    _batch(
        link_events.c.id,
        _IS_OF_LINK,
        link_events.c.kind == EventKind.VISIT_ENDED.value,
        link_events.c.detail.is_not(None),
    )
)
# Former versions wrote addresses. Literal text: SQLite uses no partial index for a parameter.
_FORGET_ADDRESSES = _FORGET_DETAILS.where(
    _batch(
        link_events.c.id,
        text("kind = 'locked' AND detail IS NOT NULL"),
        link_events.c.at < _BEFORE,
        oldest=link_events.c.at,
    )
)
_REMOVE_REFUSALS = delete(refusals).where(_batch(refusals.c.id, refusals.c.at < _BEFORE, oldest=refusals.c.at))
