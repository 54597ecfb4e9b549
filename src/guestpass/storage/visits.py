"""The repository of visitors, visits and histories of links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Executable,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    literal,
    not_,
    null,
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
from guestpass.domain.visit import OPENINGS_KEPT, OTHERS, Visitor
from guestpass.storage import dialect
from guestpass.storage.batch import append_to, rows, rows_table
from guestpass.storage.links import IDS_PER_QUERY
from guestpass.storage.places import is_current, is_visitor
from guestpass.storage.tables import link_events, links, visit_hours, visitors


@dataclass(frozen=True, slots=True)
class _Run:
    """Candidates for visits of one visitor that are counted together: consecutive openings, or one request."""

    link_id: str
    visitor: str
    opening: bool
    times: tuple[datetime, ...]
    link_version: int | None


@dataclass(frozen=True, slots=True)
class _Counted:
    """How many of a run are visits, and whether they are the visitor's first."""

    link_id: str
    visitor: str
    times: tuple[datetime, ...]
    is_new: bool


class SQLVisits:
    """Visitors of links, their visits, and links' histories."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def record(self, activities: Sequence[Activity]) -> None:
        """Record a worker's batch exactly once; see the port for the rules.

        The number of statements doesn't depend on the number of visitors, visits and links, see decision 20.
        """
        activities = _of_each_visitor(activities)
        counted: list[_Counted] = []
        # A visitor has several runs if an opening and a request after silence are in the same batch.
        for runs in zip_longest(*map(_runs, activities)):
            counted += await self._count([run for run in runs if run is not None])
        further = await self._count_further([each for each in activities if each.further or each.newcomers])
        await self._update_visitors(activities)
        if counted or further:
            await self._add_to_links(counted, further)

    async def visitor(self, link_id: str, visitor: str) -> Visitor | None:
        """Return the visitor, or None."""
        query = _LISTED.where(is_visitor(link_id, visitor))
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _visitor(row)

    async def visitors(self, link_id: str, *, after: tuple[datetime, int] | None, limit: int) -> list[Visitor]:
        here = (visitors.c.present_at, visitors.c.number)
        query = _LISTED.where(visitors.c.link_id == link_id).limit(limit)
        if after is not None:
            query = query.where(tuple_(*here) < tuple_(*after))
        query = query.order_by(*(column.desc() for column in here))
        return [_visitor(row) for row in await self._connection.execute(query)]

    async def count_visitors(self, link_id: str) -> int:
        query = select(func.count()).where(visitors.c.link_id == link_id, _IS_LISTED)
        return (await self._connection.execute(query)).scalar_one()

    async def live(self, link_ids: Sequence[str], since: datetime) -> dict[str, int]:
        found: dict[str, int] = {}
        for first in range(0, len(link_ids), IDS_PER_QUERY):
            query = _live(select(visitors.c.link_id, func.count()).select_from(visitors.join(links)), since).where(
                visitors.c.link_id.in_(link_ids[first : first + IDS_PER_QUERY])
            )
            found.update(
                (id, count) for id, count in await self._connection.execute(query.group_by(visitors.c.link_id))
            )
        return found

    async def live_by_environment(self, org: str, since: datetime) -> dict[str, int]:
        query = (
            _live(
                select(links.c.environment_id, func.count().label("visitors")).select_from(visitors.join(links)), since
            )
            .where(links.c.org == org)
            .group_by(links.c.environment_id)
        )
        return {row.environment_id: row.visitors for row in await self._connection.execute(query)}

    async def hours(self, link_id: str, since: datetime) -> dict[datetime, int]:
        query = select(visit_hours.c.began_at, visit_hours.c.visits).where(
            visit_hours.c.link_id == link_id, visit_hours.c.began_at >= since
        )
        return {row.began_at: row.visits for row in await self._connection.execute(query)}

    async def add_events(self, events: Sequence[LinkEvent]) -> None:
        if events:
            given = ((event.link_id, event.at, event.kind.value, event.actor, event.detail) for event in events)
            await self._connection.execute(_ADD_EVENTS, rows(given))

    async def newest_events(
        self, link_id: str, *, kinds: Sequence[EventKind], before: tuple[datetime, int] | None, limit: int
    ) -> list[LinkEvent]:
        # Workers write in batches, so rows aren't inserted in the order of their times.
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

    async def _count(self, runs: Sequence[_Run]) -> list[_Counted]:
        """Count the runs that are visits; `runs` has at most one per visitor."""
        found = await self._decide(_COUNT, runs)
        adopted = await self._decide(_ADOPT, [run for run in runs if run.opening and _key(run) not in found])
        counted = []
        for run in runs:
            key = _key(run)
            if key in found:
                counted.append(_Counted(*key, run.times, found[key] == len(run.times)))
            elif key in adopted and len(run.times) > 1:
                counted.append(_Counted(*key, run.times[1:], is_new=False))
        return counted

    async def _count_further(self, activities: Sequence[Activity]) -> list[Activity]:
        """Count openings that aren't listed singly; returns those counted, without those of deleted links."""
        if not activities:
            return []
        given = (
            (
                activity.link_id,
                activity.visitor,
                activity.last_seen or activity.present_at or activity.further[-1][0],
                sum(count for _, count in activity.further),
                activity.link_version,
            )
            for activity in activities
        )
        concerned = {(row.link_id, row.visitor) for row in await self._connection.execute(_FURTHER, rows(given))}
        return [activity for activity in activities if (activity.link_id, activity.visitor) in concerned]

    async def _decide(self, statement: Executable, runs: Sequence[_Run]) -> dict[tuple[str, str], int]:
        """Run the statement; returns the number of visits of each visitor that it changed."""
        if not runs:
            return {}
        given = (
            (
                run.link_id,
                run.visitor,
                run.opening,
                run.times[0],
                run.times[-1],
                max(run.times),
                len(run.times),
                run.times[0] - VISIT_SILENCE,
                run.times[0] + VISIT_SILENCE,
                run.link_version,
            )
            for run in runs
        )
        concerned = await self._connection.execute(statement, rows(given))
        return {(row.link_id, row.visitor): row.visits for row in concerned}

    async def _update_visitors(self, activities: Sequence[Activity]) -> None:
        """Update visitors' last activity, and what their openings reported of browser and origin."""
        if not activities:
            return
        given = (
            (
                activity.link_id,
                activity.visitor,
                activity.last_seen,
                _newest(activity.last_seen, activity.present_at),
                activity.link_version,
                activity.came_back,
                activity.origin is not None,
                *((None,) * 3 if (of := activity.origin) is None else (of.address, of.browser, of.system)),
            )
            for activity in activities
        )
        await self._connection.execute(_UPDATE, rows(given))

    async def _add_to_links(self, counted: Sequence[_Counted], further: Sequence[Activity]) -> None:
        """Add visits to the totals by link and by hour, and append those listed singly to the histories."""
        visits: Counter[str] = Counter()
        new: Counter[str] = Counter()
        newest: dict[str, datetime | None] = {}
        hours: Counter[tuple[str, datetime]] = Counter()
        for each in counted:
            id = each.link_id
            visits[id] += len(each.times)
            new[id] += each.is_new
            newest[id] = _newest(*each.times, newest.get(id))
            hours.update((id, at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)) for at in each.times)
        for activity in further:
            id = activity.link_id
            visits[id] += sum(count for _, count in activity.further)
            new[id] += activity.newcomers
            newest[id] = _newest(activity.last_seen if activity.further else None, newest.get(id))
            hours.update({(id, hour.astimezone(UTC)): count for hour, count in activity.further})
        add_up = rows((id, visits[id], new[id], newest[id]) for id in sorted(visits))
        totals = (await self._connection.execute(_ADD_TO_LINKS, add_up)).all()
        await self._connection.execute(_ADD_TO_HOURS, rows((*hour, count) for hour, count in sorted(hours.items())))
        openings = (
            LinkEvent(each.link_id, at, EventKind.OPENED, each.visitor) for each in counted for at in each.times
        )
        await self.add_events(sorted(openings, key=lambda event: event.at))
        for id, total in totals:
            if total > OPENINGS_KEPT and total // _TRIMMED_EACH != (total - visits[id]) // _TRIMMED_EACH:
                await self._connection.execute(_TRIM, {"of_link": id})


def _of_each_visitor(activities: Iterable[Activity]) -> list[Activity]:
    """Merge activities by visitor, in a fixed order, so that two workers can't deadlock on row locks."""
    joined: dict[tuple[str, str], Activity] = {}
    for activity in activities:
        key = activity.link_id, activity.visitor
        before = joined.get(key)
        joined[key] = activity if before is None else _joined(before, activity)
    return [activity for _, activity in sorted(joined.items(), key=itemgetter(0))]


def _joined(first: Activity, second: Activity) -> Activity:
    versions = [version for each in (first, second) if (version := each.link_version) is not None]
    return replace(
        second,
        link_version=max(versions, default=None),
        came_back=first.came_back or second.came_back,
        starts=first.starts + second.starts,
        last_seen=_newest(first.last_seen, second.last_seen),
        present_at=_newest(first.present_at, second.present_at),
        origin=second.origin or first.origin,
        further=first.further + second.further,
        newcomers=first.newcomers + second.newcomers,
    )


def _newest(*times: datetime | None) -> datetime | None:
    return max((at for at in times if at is not None), default=None)


def _runs(activity: Activity) -> Iterator[_Run]:
    for opening, starts in groupby(activity.starts, key=lambda start: start[1]):
        times = tuple(at for at, _ in starts)
        # Each opening after the first in a run is a visit; a request may not be.
        for some in (times,) if opening else zip(times):
            yield _Run(activity.link_id, activity.visitor, opening, some, activity.link_version)


def _key(run: _Run) -> tuple[str, str]:
    return run.link_id, run.visitor


# Built once: building a statement takes longer than executing it.
_OF_LINK = bindparam("of_link", type_=links.c.id.type)


def _later(column: ColumnElement[datetime], at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Build the later of two times; if one is NULL, the other."""
    return case((or_(column < at, column.is_(None)), at), else_=column)


_RUNS = rows_table(
    link_id=visitors.c.link_id,
    visitor=visitors.c.visitor,
    opening=visitors.c.visit_opened,
    first=visitors.c.visit_started_at,
    last=visitors.c.visit_started_at,
    newest=visitors.c.last_seen,
    visits=visitors.c.visits,
    silent_since=visitors.c.last_seen,
    silent_until=visitors.c.last_seen,
    link_version=visitors.c.link_version,
)


def _is_known_from_a_request(known: FromClause) -> ColumnElement[bool]:
    """Build the condition that an opening's visit was counted already, from a request that followed it.

    One worker serves the page, another its images: if the other writes first, its first request is counted as a visit
    after silence, and the opening belongs to that same visit.
    """
    return and_(
        known.c.visits > 0,
        known.c.visit_opened == false(),
        known.c.visit_started_at >= _RUNS.c.first,
        known.c.visit_started_at < _RUNS.c.silent_until,
    )


def _count() -> ReturningInsert[Any]:
    """Build the upsert that inserts visitors or counts visits, on a condition; ignores deleted links."""
    known, run, here = visitors.alias("known"), _RUNS.c, visitors.alias("here")
    is_new = known.c.visitor.is_(None)
    is_visit = case(
        (run.opening, not_(_is_known_from_a_request(known))),
        # A visitor who has only taken a place has no visit before.
        else_=or_(known.c.last_seen <= run.silent_since, known.c.visits == 0),
    )
    highest = select(func.coalesce(func.max(here.c.number), 0)).where(here.c.link_id == run.link_id).scalar_subquery()
    place = func.row_number().over(partition_by=[run.link_id, is_new], order_by=[run.first, run.position])
    row = {
        "link_id": run.link_id,
        "visitor": run.visitor,
        "first_seen": run.first,
        "last_seen": run.newest,
        "visits": run.visits,
        "visit_started_at": run.last,
        "visit_opened": run.opening,
        "number": case((is_new, highest + place), else_=0),
        "present_at": run.newest,
        "link_version": run.link_version,
    }
    values = (
        select(*row.values())
        .select_from(_RUNS)
        .join(links, links.c.id == run.link_id)
        .outerjoin(known, and_(known.c.link_id == run.link_id, known.c.visitor == run.visitor))
        .where(or_(is_new, is_visit))
        .order_by(run.position)
    )
    statement = dialect.insert(visitors).from_select(list(row), values)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[visitors.c.link_id, visitors.c.visitor],
        set_={
            "visits": visitors.c.visits + new.visits,
            "last_seen": _later(visitors.c.last_seen, new.last_seen),
            "present_at": _later(visitors.c.present_at, new.present_at),
            "visit_started_at": new.visit_started_at,
            "visit_opened": new.visit_opened,
        },
    ).returning(visitors.c.link_id, visitors.c.visitor, visitors.c.visits)


_COUNT = _count()
_ADOPT = (
    update(visitors)
    .where(
        visitors.c.link_id == _RUNS.c.link_id,
        visitors.c.visitor == _RUNS.c.visitor,
        _is_known_from_a_request(visitors),
    )
    .values(
        visits=visitors.c.visits + _RUNS.c.visits - 1,
        last_seen=_later(visitors.c.last_seen, _RUNS.c.newest),
        present_at=_later(visitors.c.present_at, _RUNS.c.newest),
        visit_started_at=_RUNS.c.last,
        visit_opened=true(),
    )
    .returning(visitors.c.link_id, visitors.c.visitor, visitors.c.visits)
)
_SEEN = rows_table(
    link_id=visitors.c.link_id,
    visitor=visitors.c.visitor,
    last_seen=visitors.c.last_seen,
    present_at=visitors.c.present_at,
    link_version=visitors.c.link_version,
    came_back=Boolean(),
    has_origin=Boolean(),
    address=visitors.c.address,
    browser=visitors.c.browser,
    system=visitors.c.system,
)
_UPDATE = (
    update(visitors)
    .where(
        visitors.c.link_id == _SEEN.c.link_id,
        visitors.c.visitor == _SEEN.c.visitor,
        # Don't rewrite rows that stay the same.
        or_(
            _SEEN.c.has_origin,
            and_(_SEEN.c.came_back, visitors.c.reserved_until.is_not(None)),
            visitors.c.last_seen < _SEEN.c.last_seen,
            visitors.c.present_at < _SEEN.c.present_at,
            visitors.c.present_at.is_(None),
        ),
    )
    .values(
        last_seen=_later(visitors.c.last_seen, _SEEN.c.last_seen),
        present_at=_later(visitors.c.present_at, _SEEN.c.present_at),
        link_version=func.coalesce(_SEEN.c.link_version, visitors.c.link_version),
        reserved_until=case((_SEEN.c.came_back, null()), else_=visitors.c.reserved_until),
        **{
            name: case((_SEEN.c.has_origin, _SEEN.c[name]), else_=visitors.c[name])
            for name in ("address", "browser", "system")
        },
    )
)


_IS_LISTED = or_(visitors.c.number > 0, visitors.c.visits > 0, visitors.c.visitor == OTHERS)
"""Without visitors who left and were not listed: their rows only mark their passes as ended."""
_OVER_AT = func.coalesce(
    visitors.c.ended_at,
    case(
        (is_current(visitors), null()),
        else_=func.coalesce(links.c.version_since, visitors.c.present_at, visitors.c.last_seen),
    ),
    type_=visitors.c.ended_at.type,
)
_LISTED = select(visitors, _OVER_AT.label("over_at")).join(links, links.c.id == visitors.c.link_id).where(_IS_LISTED)


def _count_further() -> ReturningInsert[Any]:
    """Build the upsert that counts visits of a visitor or of OTHERS; ignores deleted links."""
    told_of = rows_table(
        link_id=visitors.c.link_id,
        visitor=visitors.c.visitor,
        at=visitors.c.last_seen,
        visits=visitors.c.visits,
        link_version=visitors.c.link_version,
    )
    of = told_of.c
    row = {
        "link_id": of.link_id,
        "visitor": of.visitor,
        "first_seen": of.at,
        "last_seen": of.at,
        "visits": of.visits,
        "visit_started_at": of.at,
        "visit_opened": true(),
        "number": literal(0, visitors.c.number.type),
        "present_at": of.at,
        "link_version": of.link_version,
    }
    values = select(*row.values()).select_from(told_of).join(links, links.c.id == of.link_id).order_by(of.position)
    statement = dialect.insert(visitors).from_select(list(row), values)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[visitors.c.link_id, visitors.c.visitor],
        set_={
            "visits": visitors.c.visits + new.visits,
            "visit_started_at": _later(visitors.c.visit_started_at, new.visit_started_at),
            # OTHERS stands for many, so its version is the newest that was seen.
            "link_version": func.coalesce(new.link_version, visitors.c.link_version),
        },
    ).returning(visitors.c.link_id, visitors.c.visitor)


_FURTHER = _count_further()
_SUMS = rows_table(
    link_id=links.c.id, visits=links.c.visits, visitors=links.c.visitors, newest_start=links.c.last_opened_at
)
_ADD_TO_LINKS = (
    update(links)
    .where(links.c.id == _SUMS.c.link_id)
    .values(
        visits=links.c.visits + _SUMS.c.visits,
        visitors=links.c.visitors + _SUMS.c.visitors,
        last_opened_at=_later(links.c.last_opened_at, _SUMS.c.newest_start),
        details_removed_at=None,
    )
    .returning(links.c.id, links.c.visits)
)
_HOURS = rows_table(link_id=visit_hours.c.link_id, began_at=visit_hours.c.began_at, visits=visit_hours.c.visits)
_ADD_TO_HOURS = dialect.insert(visit_hours).from_select(
    ["link_id", "began_at", "visits"],
    select(_HOURS.c.link_id, _HOURS.c.began_at, _HOURS.c.visits).order_by(_HOURS.c.position),
)
_ADD_TO_HOURS = _ADD_TO_HOURS.on_conflict_do_update(
    index_elements=[visit_hours.c.link_id, visit_hours.c.began_at],
    set_={"visits": visit_hours.c.visits + _ADD_TO_HOURS.excluded.visits},
)
_TRIMMED_EACH = 500
"""After how many visits surplus openings are deleted."""
_TRIM = delete(link_events).where(
    link_events.c.id.in_(
        select(link_events.c.id)
        .where(link_events.c.link_id == _OF_LINK, link_events.c.kind == EventKind.OPENED.value)
        .order_by(link_events.c.at.desc(), link_events.c.id.desc())
        .offset(OPENINGS_KEPT)
        .limit(10 * _TRIMMED_EACH)
    )
)
# Earlier versions may still write kinds of events that have a table of their own now.
_ADD_EVENTS = append_to(link_events, "link_id", "at", "kind", "actor", "detail")


def _live(query: Select[Any], since: datetime) -> Select[Any]:
    """Build the condition of a present visitor; previews and unlisted visitors leave by a row that is ended."""
    return query.where(visitors.c.present_at > since, visitors.c.ended_at.is_(None), is_current(visitors))


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
        ended_at=row.over_at,
    )
