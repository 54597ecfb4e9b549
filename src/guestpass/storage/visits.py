"""The repository of visitors and links' histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import Activity
from guestpass.domain.link import VISIT_SILENCE, EventKind, LinkEvent
from guestpass.storage import dialect
from guestpass.storage.tables import link_events, links, visitors


@dataclass(slots=True)
class _Tally:
    """What one `record` really added to a link."""

    visits: int
    visitors: int
    newest_start: datetime


class SQLVisits:
    """Who came through a link, how often, and what else happened to it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def record(self, activities: Sequence[Activity]) -> None:
        """Add what workers saw, exactly once over any number of workers; see the port for the rules."""
        tallies: dict[str, _Tally] = {}
        events: list[LinkEvent] = []
        # Always in the same order, so that on a database with row locks two workers can't wait for each other.
        activities = sorted(activities, key=lambda activity: (activity.link_id, activity.visitor))
        for activity in activities:
            for at, opening in activity.starts:
                visits = await self._count_start(activity.link_id, activity.visitor, at, opening=opening)
                if visits is None:
                    continue
                events.append(LinkEvent(activity.link_id, at, EventKind.OPENED, activity.visitor))
                tally = tallies.setdefault(activity.link_id, _Tally(0, 0, at))
                tally.visits += 1
                tally.visitors += visits == 1
                tally.newest_start = max(tally.newest_start, at)
        if activities:
            await self._connection.execute(
                _GROW_LAST_SEEN,
                [
                    {"of_link": activity.link_id, "of_visitor": activity.visitor, "seen": activity.last_seen}
                    for activity in activities
                ],
            )
        for link_id, tally in tallies.items():
            newest = _later(links.c.last_opened_at, tally.newest_start)
            await self._connection.execute(
                update(links)
                .where(links.c.id == link_id)
                .values(
                    visits=links.c.visits + tally.visits,
                    visitors=links.c.visitors + tally.visitors,
                    last_opened_at=newest,
                )
            )
        await self.add_events(events)

    async def add_events(self, events: Sequence[LinkEvent]) -> None:
        """Append to links' histories; events of links that are gone are dropped."""
        if events:
            await self._connection.execute(
                _ADD_EVENT,
                [
                    {
                        "of_link": event.link_id,
                        "event_at": event.at,
                        "event_kind": event.kind.value,
                        "event_actor": event.actor,
                        "event_detail": event.detail,
                    }
                    for event in events
                ],
            )

    async def events(self, link_id: str) -> list[LinkEvent]:
        """A link's history, oldest first."""
        query = (
            select(link_events)
            .where(link_events.c.link_id == link_id)
            # Workers tell in batches, so a row may be written after one that happened later.
            .order_by(link_events.c.at, link_events.c.id)
        )
        rows = await self._connection.execute(query)
        return [LinkEvent(row.link_id, row.at, EventKind(row.kind), row.actor, row.detail) for row in rows]

    async def _count_start(self, link_id: str, visitor: str, at: datetime, *, opening: bool) -> int | None:
        """The visitor's number of visits when this start was one, None when it was not."""
        row = {
            "link_id": literal(link_id),
            "visitor": literal(visitor),
            "first_seen": literal(at, visitors.c.first_seen.type),
            "last_seen": literal(at, visitors.c.last_seen.type),
            "visits": literal(1),
            "visit_started_at": literal(at, visitors.c.visit_started_at.type),
            "visit_opened": literal(opening),
        }
        values: Select[Any] = select(*row.values()).where(_link_exists(link_id))
        statement = dialect.insert(visitors).from_select(list(row), values)
        counted: CursorResult[Any] = await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[visitors.c.link_id, visitors.c.visitor],
                set_={
                    "visits": visitors.c.visits + 1,
                    "last_seen": _later(visitors.c.last_seen, at),
                    "visit_started_at": at,
                    "visit_opened": opening,
                },
                where=not_(_is_known_from_silence(at)) if opening else visitors.c.last_seen <= at - VISIT_SILENCE,
            ).returning(visitors.c.visits)
        )
        visits: int | None = counted.scalar()
        if visits is None and opening:
            await self._connection.execute(
                update(visitors)
                .where(visitors.c.link_id == link_id, visitors.c.visitor == visitor, _is_known_from_silence(at))
                .values(visit_started_at=at, visit_opened=true())
            )
        return visits


def _is_known_from_silence(at: datetime) -> ColumnElement[bool]:
    """Whether the visit that began with an opening at `at` was counted already, from a request that followed it.

    The page opens through one worker and loads its images through another. If the other one tells first,
    its first request looks like a visit after silence; the opening is then that same visit.
    """
    return and_(
        visitors.c.visit_opened == false(),
        visitors.c.visit_started_at >= at,
        visitors.c.visit_started_at < at + VISIT_SILENCE,
    )


def _later(column: ColumnElement[datetime], at: datetime) -> ColumnElement[Any]:
    return case((or_(column.is_(None), column < at), at), else_=column)


def _link_exists(link_id: str | ColumnElement[str]) -> ColumnElement[bool]:
    return exists(select(links.c.id).where(links.c.id == link_id))


_SEEN = bindparam("seen", type_=visitors.c.last_seen.type)
_GROW_LAST_SEEN = (
    update(visitors)
    .where(
        visitors.c.link_id == bindparam("of_link"),
        visitors.c.visitor == bindparam("of_visitor"),
        visitors.c.last_seen < _SEEN,
    )
    .values(last_seen=_SEEN)
)
_ADD_EVENT = insert(link_events).from_select(
    ["link_id", "at", "kind", "actor", "detail"],
    select(
        bindparam("of_link", type_=link_events.c.link_id.type),
        bindparam("event_at", type_=link_events.c.at.type),
        bindparam("event_kind", type_=link_events.c.kind.type),
        bindparam("event_actor", type_=link_events.c.actor.type),
        bindparam("event_detail", type_=link_events.c.detail.type),
    ).where(_link_exists(bindparam("of_link", type_=link_events.c.link_id.type))),
)
