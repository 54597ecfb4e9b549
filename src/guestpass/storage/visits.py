"""The repository of visitors and links' histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from guestpass.app.ports import Activity
from guestpass.domain.link import VISIT_SILENCE, EventKind, LinkEvent
from guestpass.domain.visit import Visitor
from guestpass.storage import dialect
from guestpass.storage.links import IDS_PER_QUERY
from guestpass.storage.tables import link_events, links, visit_hours, visitors


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
        hours: Counter[tuple[str, datetime]] = Counter()
        events: list[LinkEvent] = []
        # Always in the same order, so that on a database with row locks two workers can't wait for each other.
        activities = sorted(activities, key=lambda activity: (activity.link_id, activity.visitor))
        for activity in activities:
            for at, opening in activity.starts:
                visits = await self._count_start(activity.link_id, activity.visitor, at, opening=opening)
                if visits is None:
                    continue
                events.append(LinkEvent(activity.link_id, at, EventKind.OPENED, activity.visitor))
                hours[activity.link_id, at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)] += 1
                tally = tallies.setdefault(activity.link_id, _Tally(0, 0, at))
                tally.visits += 1
                tally.visitors += visits == 1
                tally.newest_start = max(tally.newest_start, at)
        await self._tell_of_visitors(activities)
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
            await self._connection.execute(
                _ADD_TO_HOUR,
                [
                    {"of_link": link_id, "began": began, "more_visits": visits}
                    for (link_id, began), visits in sorted(hours.items())
                ],
            )
        await self.add_events(events)

    async def take_place(self, link_id: str, visitor: str, at: datetime, limit: int) -> bool:
        """Let a visitor in where fewer than `limit` are; see the port for the rules."""
        values = {"of_link": link_id, "of_visitor": visitor, "start": at, "places": limit}
        return (await self._connection.execute(_TAKE_PLACE, values)).scalar() is not None

    async def end(self, link_id: str, visitor: str, at: datetime) -> bool:
        """End a visit, so that its place is free; False where there was none, or it was ended before."""
        statement = update(visitors).where(_is(link_id, visitor), visitors.c.ended_at.is_(None)).values(ended_at=at)
        return (await self._connection.execute(statement)).rowcount > 0

    async def ended(self, link_id: str) -> frozenset[str]:
        """The visitors of a link whose visits were ended."""
        query = select(visitors.c.visitor).where(visitors.c.link_id == link_id, visitors.c.ended_at.is_not(None))
        return frozenset((await self._connection.execute(query)).scalars())

    async def visitor(self, link_id: str, visitor: str) -> Visitor | None:
        """The visitor, or None."""
        query = select(visitors).where(_is(link_id, visitor))
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _visitor(row)

    async def visitors(self, link_id: str, *, after: tuple[datetime, int] | None, limit: int) -> list[Visitor]:
        """The first `limit` visitors behind `after` (last seen, number), those seen last first."""
        here = (visitors.c.present_at, visitors.c.number)
        query = select(visitors).where(visitors.c.link_id == link_id).limit(limit)
        if after is not None:
            query = query.where(tuple_(*here) < tuple_(*after))
        query = query.order_by(*(column.desc() for column in here))
        return [_visitor(row) for row in await self._connection.execute(query)]

    async def count_visitors(self, link_id: str) -> int:
        """How many visitors `visitors` has, over all."""
        query = select(func.count()).where(visitors.c.link_id == link_id)
        return (await self._connection.execute(query)).scalar_one()

    async def live(self, link_ids: Sequence[str], since: datetime) -> dict[str, int]:
        """How many visitors of each link showed a sign of life after `since`; without those that have none."""
        found: dict[str, int] = {}
        for first in range(0, len(link_ids), IDS_PER_QUERY):
            query = _live(select(visitors.c.link_id, func.count()), since).where(
                visitors.c.link_id.in_(link_ids[first : first + IDS_PER_QUERY])
            )
            found.update(
                (id, count) for id, count in await self._connection.execute(query.group_by(visitors.c.link_id))
            )
        return found

    async def live_by_environment(self, org: str, since: datetime) -> dict[str, int]:
        """The same for each of an organisation's environments."""
        query = (
            _live(
                select(links.c.environment_id, func.count().label("visitors")).select_from(visitors.join(links)), since
            )
            .where(links.c.org == org)
            .group_by(links.c.environment_id)
        )
        return {row.environment_id: row.visitors for row in await self._connection.execute(query)}

    async def hours(self, link_id: str, since: datetime) -> dict[datetime, int]:
        """How many visits began in each hour from `since` on, by the hour's beginning; without those that have none."""
        query = select(visit_hours.c.began_at, visit_hours.c.visits).where(
            visit_hours.c.link_id == link_id, visit_hours.c.began_at >= since
        )
        return {row.began_at: row.visits for row in await self._connection.execute(query)}

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
            .where(link_events.c.link_id == link_id, link_events.c.kind.in_(_KINDS))
            # Workers tell in batches, so a row may be written after one that happened later.
            .order_by(link_events.c.at, link_events.c.id)
        )
        return [_event(row) for row in await self._connection.execute(query)]

    async def newest_events(
        self, link_id: str, *, kinds: Sequence[EventKind], before: tuple[datetime, int] | None, limit: int
    ) -> list[LinkEvent]:
        """The newest `limit` events of these kinds that lie before `before` (time, number), newest first."""
        here = (link_events.c.at, link_events.c.id)
        query = (
            select(link_events)
            .where(link_events.c.link_id == link_id, link_events.c.kind.in_([kind.value for kind in kinds]))
            .order_by(*(column.desc() for column in here))
            .limit(limit)
        )
        if before is not None:
            query = query.where(tuple_(*here) < tuple_(*before))
        return [_event(row) for row in await self._connection.execute(query)]

    async def _tell_of_visitors(self, activities: Sequence[Activity]) -> None:
        """Write the newest signs of life, and what openings told."""
        seen = [
            {"of_link": activity.link_id, "of_visitor": activity.visitor, "seen": activity.last_seen}
            for activity in activities
            if activity.last_seen is not None
        ]
        present = [
            {"of_link": activity.link_id, "of_visitor": activity.visitor, "seen": max(moments)}
            for activity in activities
            if (moments := [at for at in (activity.last_seen, activity.present_at) if at is not None])
        ]
        origins = [
            {
                "of_link": activity.link_id,
                "of_visitor": activity.visitor,
                "from_address": activity.origin.address,
                "with_browser": activity.origin.browser,
                "on_system": activity.origin.system,
            }
            for activity in activities
            if activity.origin is not None
        ]
        for statement, rows in ((_GROW_LAST_SEEN, seen), (_GROW_PRESENT, present), (_SET_ORIGIN, origins)):
            if rows:
                await self._connection.execute(statement, rows)

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
    visitors.c.visits > 0,
    visitors.c.visit_opened == false(),
    visitors.c.visit_started_at >= _START,
    visitors.c.visit_started_at < bindparam("silent_until", type_=visitors.c.visit_started_at.type),
)


def _later(column: ColumnElement[datetime], at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((or_(column.is_(None), column < at), at), else_=column)


_NEXT_NUMBER = (
    select(func.coalesce(func.max(visitors.c.number), 0) + 1).where(visitors.c.link_id == _OF_LINK).scalar_subquery()
)


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
        "number": _NEXT_NUMBER,
        "present_at": _START,
    }
    statement = dialect.insert(visitors).from_select(list(row), select(*row.values()).where(_LINK_EXISTS))
    return statement.on_conflict_do_update(
        index_elements=[visitors.c.link_id, visitors.c.visitor],
        set_={
            "visits": visitors.c.visits + 1,
            "last_seen": _later(visitors.c.last_seen, _START),
            "present_at": _later(visitors.c.present_at, _START),
            "visit_started_at": _START,
            "visit_opened": opened,
        },
        where=condition,
    ).returning(visitors.c.visits)


_COUNT_OPENING = _count(opening=True, condition=not_(_IS_KNOWN_FROM_A_REQUEST))
_COUNT_REQUEST = _count(
    opening=False,
    condition=or_(
        visitors.c.last_seen <= bindparam("silent_since", type_=visitors.c.last_seen.type),
        # Who has only taken a place was not here before.
        visitors.c.visits == 0,
    ),
)
_ADOPT_VISIT = (
    update(visitors).where(_IS_VISITOR, _IS_KNOWN_FROM_A_REQUEST).values(visit_started_at=_START, visit_opened=true())
)
_GROW_LAST_SEEN = update(visitors).where(_IS_VISITOR, visitors.c.last_seen < _SEEN).values(last_seen=_SEEN)
_GROW_PRESENT = (
    update(visitors)
    .where(_IS_VISITOR, or_(visitors.c.present_at.is_(None), visitors.c.present_at < _SEEN))
    .values(present_at=_SEEN)
)
_SET_ORIGIN = (
    update(visitors)
    .where(_IS_VISITOR)
    .values(
        address=bindparam("from_address", type_=visitors.c.address.type),
        browser=bindparam("with_browser", type_=visitors.c.browser.type),
        system=bindparam("on_system", type_=visitors.c.system.type),
    )
)


def _take_place() -> ReturningInsert[int]:
    """Insert the visitor while there are places; who is in already comes back without a change."""
    row = {
        "link_id": _OF_LINK,
        "visitor": _OF_VISITOR,
        "first_seen": _START,
        "last_seen": _START,
        "visits": literal(0, visitors.c.visits.type),
        "visit_started_at": _START,
        "visit_opened": false(),
        "number": _NEXT_NUMBER,
        "present_at": _START,
    }
    others = visitors.alias()
    is_in = exists(
        select(others.c.visitor).where(
            others.c.link_id == _OF_LINK, others.c.visitor == _OF_VISITOR, others.c.ended_at.is_(None)
        )
    )
    taken = select(func.count()).where(others.c.link_id == _OF_LINK, others.c.ended_at.is_(None)).scalar_subquery()
    has_place = taken < bindparam("places", type_=visitors.c.visits.type)
    values = select(*row.values()).where(_LINK_EXISTS, or_(is_in, has_place))
    statement = dialect.insert(visitors).from_select(list(row), values)
    return statement.on_conflict_do_update(
        index_elements=[visitors.c.link_id, visitors.c.visitor],
        set_={"visits": visitors.c.visits},
        where=visitors.c.ended_at.is_(None),
    ).returning(visitors.c.visits)


_TAKE_PLACE = _take_place()
_ADD_TO_LINK = (
    update(links)
    .where(links.c.id == _OF_LINK)
    .values(
        visits=links.c.visits + bindparam("more_visits", type_=links.c.visits.type),
        visitors=links.c.visitors + bindparam("more_visitors", type_=links.c.visitors.type),
        last_opened_at=_later(links.c.last_opened_at, bindparam("newest_start", type_=links.c.last_opened_at.type)),
        details_removed_at=None,
    )
)
_ADD_TO_HOUR = dialect.insert(visit_hours).values(
    link_id=_OF_LINK,
    began_at=bindparam("began", type_=visit_hours.c.began_at.type),
    visits=bindparam("more_visits", type_=visit_hours.c.visits.type),
)
_ADD_TO_HOUR = _ADD_TO_HOUR.on_conflict_do_update(
    index_elements=[visit_hours.c.link_id, visit_hours.c.began_at],
    set_={"visits": visit_hours.c.visits + _ADD_TO_HOUR.excluded.visits},
)
# A program of an earlier version may still write events of kinds that have a table of their own by now.
_KINDS = [kind.value for kind in EventKind]
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


def _is(link_id: str, visitor: str) -> ColumnElement[bool]:
    return and_(visitors.c.link_id == link_id, visitors.c.visitor == visitor)


def _live(query: Select[Any], since: datetime) -> Select[Any]:
    return query.where(visitors.c.present_at > since, visitors.c.ended_at.is_(None))


def _event(row: Row[Any]) -> LinkEvent:
    return LinkEvent(row.link_id, row.at, EventKind(row.kind), row.actor, row.detail, row.id)


def _visitor(row: Row[Any]) -> Visitor:
    return Visitor(
        link_id=row.link_id,
        id=row.visitor,
        number=row.number,
        first_seen=row.first_seen,
        last_seen=row.present_at or row.last_seen,
        visits=row.visits,
        browser=row.browser,
        system=row.system,
        address=row.address,
        ended_at=row.ended_at,
    )
