"""The repository of visitors and links' histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
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
from sqlalchemy.sql.dml import ReturningInsert

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
        if tallies:
            await self._connection.execute(
                _ADD_TO_LINK,
                [
                    {
                        "of_link": link_id,
                        "more_visits": tally.visits,
                        "more_visitors": tally.visitors,
                        "newest_start": tally.newest_start,
                    }
                    for link_id, tally in tallies.items()
                ],
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
        values = {"of_link": link_id, "of_visitor": visitor, "start": at}
        if opening:
            statement, values["silent_until"] = _COUNT_OPENING, at + VISIT_SILENCE
        else:
            statement, values["silent_since"] = _COUNT_REQUEST, at - VISIT_SILENCE
        counted = await self._connection.execute(statement, values)
        visits: int | None = counted.scalar()
        if visits is None and opening:
            await self._connection.execute(_ADOPT_VISIT, values)
        return visits


# The statements are built once: they are many in a busy moment, and building one takes longer than running it.
_OF_LINK = bindparam("of_link", type_=links.c.id.type)
_OF_VISITOR = bindparam("of_visitor", type_=visitors.c.visitor.type)
_START = bindparam("start", type_=visitors.c.last_seen.type)
_SEEN = bindparam("seen", type_=visitors.c.last_seen.type)
_IS_VISITOR = and_(visitors.c.link_id == _OF_LINK, visitors.c.visitor == _OF_VISITOR)
_LINK_EXISTS = exists(select(links.c.id).where(links.c.id == _OF_LINK))

# Whether the visit that began with an opening at `start` was counted already, from a request that followed it. The
# page opens through one worker and loads its images through another: if the other one tells first, its first request
# looks like a visit after silence, and the opening is then that same visit.
_IS_KNOWN_FROM_A_REQUEST = and_(
    visitors.c.visit_opened == false(),
    visitors.c.visit_started_at >= _START,
    visitors.c.visit_started_at < bindparam("silent_until", type_=visitors.c.visit_started_at.type),
)


def _later(column: ColumnElement[datetime], at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((or_(column.is_(None), column < at), at), else_=column)


def _count(*, opening: bool, condition: ColumnElement[bool]) -> ReturningInsert[int]:
    """Insert the visitor, or count one more visit on the condition; nothing for a link that is gone."""
    opened = true() if opening else false()
    row = {
        "link_id": _OF_LINK,
        "visitor": _OF_VISITOR,
        "first_seen": _START,
        "last_seen": _START,
        "visits": literal(1, visitors.c.visits.type),
        "visit_started_at": _START,
        "visit_opened": opened,
    }
    statement = dialect.insert(visitors).from_select(list(row), select(*row.values()).where(_LINK_EXISTS))
    return statement.on_conflict_do_update(
        index_elements=[visitors.c.link_id, visitors.c.visitor],
        set_={
            "visits": visitors.c.visits + 1,
            "last_seen": _later(visitors.c.last_seen, _START),
            "visit_started_at": _START,
            "visit_opened": opened,
        },
        where=condition,
    ).returning(visitors.c.visits)


_COUNT_OPENING = _count(opening=True, condition=not_(_IS_KNOWN_FROM_A_REQUEST))
_COUNT_REQUEST = _count(
    opening=False,
    condition=visitors.c.last_seen <= bindparam("silent_since", type_=visitors.c.last_seen.type),
)
_ADOPT_VISIT = (
    update(visitors).where(_IS_VISITOR, _IS_KNOWN_FROM_A_REQUEST).values(visit_started_at=_START, visit_opened=true())
)
_GROW_LAST_SEEN = update(visitors).where(_IS_VISITOR, visitors.c.last_seen < _SEEN).values(last_seen=_SEEN)
_ADD_TO_LINK = (
    update(links)
    .where(links.c.id == _OF_LINK)
    .values(
        visits=links.c.visits + bindparam("more_visits", type_=links.c.visits.type),
        visitors=links.c.visitors + bindparam("more_visitors", type_=links.c.visitors.type),
        last_opened_at=_later(links.c.last_opened_at, bindparam("newest_start", type_=links.c.last_opened_at.type)),
    )
)
_ADD_EVENT = insert(link_events).from_select(
    ["link_id", "at", "kind", "actor", "detail"],
    select(
        _OF_LINK,
        bindparam("event_at", type_=link_events.c.at.type),
        bindparam("event_kind", type_=link_events.c.kind.type),
        bindparam("event_actor", type_=link_events.c.actor.type),
        bindparam("event_detail", type_=link_events.c.detail.type),
    ).where(_LINK_EXISTS),
)
