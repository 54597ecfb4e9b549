"""The repository of places: which visitors a link has let in, and whose visits have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.dml import ReturningInsert

from guestpass.app.ports import SlotResult
from guestpass.storage import dialect
from guestpass.storage.links import IDS_PER_QUERY
from guestpass.storage.tables import links, visitors


class SQLPlaces:
    """Places that visitors hold, and ended visits."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take_place(
        self, link_id: str, visitor: str, version: int, at: datetime, *, reserved_until: datetime
    ) -> SlotResult:
        """Give a visitor with a pass of this version a place, if the link has one; see the port for the rules.

        The write lock makes these statements atomic.
        """
        values = {
            "of_link": link_id,
            "of_visitor": visitor,
            "of_version": version,
            "start": at,
            "reserve": reserved_until,
            "far": at + _FAR_AHEAD,
        }
        room = (await self._connection.execute(_ROOM, values)).one_or_none()
        if room is None:
            return SlotResult.GONE
        if room.is_known:
            is_in = (await self._connection.execute(_RESERVE_AGAIN, values)).rowcount > 0
            return SlotResult.HELD if is_in else SlotResult.GONE
        too_many = room.held + 1 - room.max_visitors if room.max_visitors is not None else 0
        if too_many > room.lapsed:
            return SlotResult.FULL
        if too_many > 0:
            await self._connection.execute(_RECLAIM, {**values, "too_many": too_many})
        await self._connection.execute(_TAKE_PLACE, values)
        return SlotResult.RECLAIMED if too_many > 0 else SlotResult.TAKEN

    async def free_place(
        self, link_id: str, visitor: str, at: datetime, *, reserved_until: datetime | None = None
    ) -> None:
        is_reserved = and_(is_visitor(link_id, visitor), visitors.c.reserved_until > at)
        if reserved_until is not None:
            is_reserved = and_(is_reserved, visitors.c.reserved_until == reserved_until)
        await self._connection.execute(update(visitors).where(is_reserved).values(reserved_until=at))

    async def give_place_back(self, link_id: str, visitor: str, *, reserved_until: datetime) -> None:
        never_came = and_(visitors.c.visits == 0, visitors.c.reserved_until == reserved_until)
        await self._connection.execute(delete(visitors).where(is_visitor(link_id, visitor), never_came))

    async def places_taken(self, link_ids: Sequence[str], now: datetime) -> dict[str, int]:
        found: dict[str, int] = {}
        for first in range(0, len(link_ids), IDS_PER_QUERY):
            query = select(links.c.id, _TAKEN.label("taken")).where(
                links.c.id.in_(link_ids[first : first + IDS_PER_QUERY])
            )
            rows_found = await self._connection.execute(query, {"start": now, "far": now + _FAR_AHEAD})
            found.update({row.id: row.taken for row in rows_found if row.taken})
        return found

    async def end(self, link_id: str, visitor: str, at: datetime) -> bool:
        is_on = exists(select(links.c.id).where(links.c.id == visitors.c.link_id, is_current(visitors)))
        statement = update(visitors).where(is_visitor(link_id, visitor), visitors.c.ended_at.is_(None), is_on)
        return (await self._connection.execute(statement.values(ended_at=at))).rowcount > 0

    async def leave(
        self, link_id: str, visitor: str, version: int, at: datetime, *, distinguished: bool = True
    ) -> bool:
        """End the visit of a visitor who leaves by themselves, even if they have no row yet."""
        values = {"of_link": link_id, "of_visitor": visitor, "of_version": version, "start": at}
        statement = _LEAVE if distinguished else _LEAVE_UNLISTED
        return (await self._connection.execute(statement, values)).scalar() is not None

    async def ended(self, link_id: str) -> frozenset[str]:
        query = (
            select(visitors.c.visitor)
            .join(links, links.c.id == visitors.c.link_id)
            .where(visitors.c.link_id == link_id, visitors.c.ended_at.is_not(None))
            # Rows without a version may have a pass of the present one.
            .where(or_(visitors.c.link_version == links.c.version, visitors.c.link_version.is_(None)))
        )
        return frozenset((await self._connection.execute(query)).scalars())

    async def ended_of(self, link_id: str, given: Sequence[str]) -> frozenset[str]:
        if not given:
            return frozenset()
        query = select(visitors.c.visitor).where(
            visitors.c.link_id == link_id, visitors.c.visitor.in_(given), visitors.c.ended_at.is_not(None)
        )
        return frozenset((await self._connection.execute(query)).scalars())


def is_visitor(link_id: str, visitor: str) -> ColumnElement[bool]:
    """Build the condition that a row of `visitors` is this visitor's."""
    return and_(visitors.c.link_id == link_id, visitors.c.visitor == visitor)


# Built once: building a statement takes longer than executing it.
_OF_LINK = bindparam("of_link", type_=links.c.id.type)
_OF_VISITOR = bindparam("of_visitor", type_=visitors.c.visitor.type)
_START = bindparam("start", type_=visitors.c.last_seen.type)
_NEXT_NUMBER = (
    select(func.coalesce(func.max(visitors.c.number), 0) + 1).where(visitors.c.link_id == _OF_LINK).scalar_subquery()
)
_VERSION = bindparam("of_version", type_=links.c.version.type)
_RESERVE = bindparam("reserve", type_=visitors.c.reserved_until.type)
_FAR = bindparam("far", type_=visitors.c.reserved_until.type)
_FAR_AHEAD = timedelta(hours=1)
"""More than workers' clocks differ."""


def is_current(visitor: FromClause) -> ColumnElement[bool]:
    """Build the condition that a visitor's pass has the present version of their link, which the query joins."""
    of = visitor.c
    return case(
        (of.link_version.is_not(None), of.link_version == links.c.version),
        else_=or_(links.c.version_since.is_(None), of.first_seen >= links.c.version_since),
    )


def _held(*conditions: Callable[[ReadOnlyColumnCollection[str, Any]], ColumnElement[bool]]) -> ColumnElement[int]:
    """Build a subquery that counts the places held of the outer query's link, with further conditions."""
    of = visitors.alias("holding").c
    # The rule of `is_current`, split in two so that each part is an index search.
    from_before = and_(
        of.link_version.is_(None), or_(links.c.version_since.is_(None), of.first_seen >= links.c.version_since)
    )
    of_version, of_none = (
        select(func.count())
        .where(of.link_id == links.c.id, of.ended_at.is_(None), is_current, *(each(of) for each in conditions))
        .correlate(links)
        .scalar_subquery()
        for is_current in (of.link_version == links.c.version, from_before)
    )
    return of_version + of_none


def _is_lapsed(of: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[bool]:
    """Build the condition that a place may go to another visitor; also if it was reserved by a clock far ahead."""
    return or_(of.reserved_until <= _START, of.reserved_until > _FAR)


_TAKEN = _held(lambda of: or_(of.reserved_until.is_(None), not_(_is_lapsed(of))))
_ROOM = select(
    links.c.max_visitors,
    _held().label("held"),
    _held(_is_lapsed).label("lapsed"),
    exists().where(visitors.c.link_id == _OF_LINK, visitors.c.visitor == _OF_VISITOR).label("is_known"),
).where(links.c.id == _OF_LINK, links.c.version == _VERSION)
_OF_PASS = and_(
    visitors.c.link_id == _OF_LINK,
    visitors.c.ended_at.is_(None),
    or_(visitors.c.link_version == _VERSION, visitors.c.link_version.is_(None)),
)
_RESERVE_AGAIN = (
    update(visitors)
    .where(_OF_PASS, visitors.c.visitor == _OF_VISITOR)
    .values(reserved_until=case((visitors.c.reserved_until.is_(None), null()), else_=_RESERVE))
)
_LAPSED = (
    select(visitors.c.visitor)
    .where(_OF_PASS, _is_lapsed(visitors.c))
    .order_by(visitors.c.reserved_until, visitors.c.number)
    .limit(bindparam("too_many", type_=visitors.c.visits.type))
)
_RECLAIM = (
    update(visitors)
    .where(visitors.c.link_id == _OF_LINK, visitors.c.visitor.in_(_LAPSED.correlate(None)))
    .values(ended_at=_START)
)


def _newcomer(**further: ColumnElement[Any]) -> Insert:
    """Build the INSERT of a visitor without a row; inserts nothing if the link is gone or has another version."""
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
        "link_version": _VERSION,
        **further,
    }
    is_current = exists(select(links.c.id).where(links.c.id == _OF_LINK, links.c.version == _VERSION))
    return dialect.insert(visitors).from_select(list(row), select(*row.values()).where(is_current))


def _leave(**further: ColumnElement[Any]) -> ReturningInsert[int]:
    return (
        _newcomer(ended_at=_START, **further)
        .on_conflict_do_update(
            index_elements=[visitors.c.link_id, visitors.c.visitor],
            set_={"ended_at": _START},
            where=visitors.c.ended_at.is_(None),
        )
        .returning(visitors.c.number)
    )


_TAKE_PLACE = _newcomer(reserved_until=_RESERVE)
_LEAVE = _leave()
_LEAVE_UNLISTED = _leave(number=literal(0, visitors.c.number.type))
