"""Read a link's history, visits, visitors and refusals, for owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from guestpass.app.lookup import existing_link
from guestpass.app.paging import PAGE, Page, check_limit, read_cursor, write_cursor
from guestpass.app.ports import Announcer, ChangeKind, Clock, Store
from guestpass.app.turns import owner
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.errors import Invalid, NotFound
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import OTHERS, AddressDetail, Refusal, Visitor, shown_address


class Span(StrEnum):
    """The span in which visits are counted together."""

    HOUR = "hour"
    DAY = "day"


_STEP: Final = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}
_SPANS: Final = {Span.HOUR: 7 * 24, Span.DAY: 366}
"""How many spans are returned: a week of hours, a year of days."""


@dataclass(frozen=True, slots=True)
class VisitCount:
    """How many visits began in the span that begins at `began_at`."""

    began_at: datetime
    visits: int


class LinkRecords:
    """The use cases around links' records; `addresses` is how much of visitors' addresses is shown."""

    def __init__(self, store: Store, announcer: Announcer, clock: Clock, addresses: AddressDetail) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._addresses = addresses

    async def history(
        self,
        principal: Principal,
        environment_id: str,
        id: str,
        *,
        kinds: Sequence[EventKind] = tuple(EventKind),
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Page[LinkEvent]:
        """What happened to a link, newest first: who, when and what; raises NotFound and Invalid."""
        principal.require(Scope.SHARES_READ)
        check_limit(limit)
        before = _time_and_number(cursor, _HISTORY) if cursor is not None else None
        async with self._store.reading() as work:
            await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            events = await work.visits.newest_events(id, kinds=kinds, before=before, limit=limit + 1)
        shown, more = events[:limit], len(events) > limit
        return Page(tuple(shown), write_cursor(_HISTORY, shown[-1].at, shown[-1].number) if more else None)

    async def visits(self, principal: Principal, environment_id: str, id: str, span: Span) -> list[VisitCount]:
        """How many visits began in each hour or day (UTC), oldest first, without a gap.

        From the link's creation on, but not further back than a week of hours or a year of days. Raises NotFound.
        """
        principal.require(Scope.SHARES_READ)
        now, step = self._clock.now(), _STEP[span]
        async with self._store.reading() as work:
            link = await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            last = _beginning(now, span)
            first = max(_beginning(link.created_at, span), last - (_SPANS[span] - 1) * step)
            hours = await work.visits.hours(id, first)
        counts = {first + number * step: 0 for number in range((last - first) // step + 1)}
        for hour, visits in hours.items():
            # A worker's clock may be a little ahead of this one's.
            began_at = min(_beginning(hour, span), last)
            counts[began_at] = counts.get(began_at, 0) + visits
        return [VisitCount(began_at, visits) for began_at, visits in counts.items()]

    async def visitors(
        self, principal: Principal, environment_id: str, id: str, *, limit: int = PAGE, cursor: str | None = None
    ) -> Page[Visitor]:
        """Who came through a link, those seen last first; raises NotFound and Invalid."""
        principal.require(Scope.SHARES_READ)
        check_limit(limit)
        after = _time_and_number(cursor, _VISITORS) if cursor is not None else None
        async with self._store.reading() as work:
            await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            visitors = await work.visits.visitors(id, after=after, limit=limit + 1)
            total = await work.visits.count_visitors(id)
        shown, more = visitors[:limit], len(visitors) > limit
        cursor = write_cursor(_VISITORS, shown[-1].last_seen, shown[-1].number) if more else None
        allowed = [replace(each, address=shown_address(each.address, self._addresses)) for each in shown]
        return Page(tuple(allowed), cursor, total)

    async def end_visit(self, principal: Principal, environment_id: str, id: str, visitor: str) -> bool:
        """End one visit: the visitor's pass opens nothing from now on, and what is open is cut.

        The link stays: who has its URL (and password) can open it again, as another visitor. Returns False where the
        visit was ended before. Raises NotFound.
        """
        principal.require(Scope.SHARES_WRITE)
        async with self._store.writing(owner(principal)) as work:
            await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            # OTHERS are many, who come with passes of their own.
            if visitor == OTHERS or await work.visits.visitor(id, visitor) is None:
                raise NotFound("visitor", visitor)
            now = self._clock.now()
            changed = await work.places.end(id, visitor, now)
            if changed:
                await work.visits.add_events([LinkEvent(id, now, EventKind.VISIT_ENDED, principal.sub, visitor)])
                await work.changes.append(ChangeKind.LINK, id)
        await self._announcer.announce()
        return changed

    async def refusals(self, principal: Principal, environment_id: str, id: str) -> list[Refusal]:
        """Who was turned away at a link lately, newest first; raises NotFound."""
        principal.require(Scope.SHARES_READ)
        async with self._store.reading() as work:
            await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            refusals = await work.refusals.of_link(id)
        return [replace(each, address=shown_address(each.address, self._addresses)) for each in refusals]


_HISTORY: Final = "history"
_VISITORS: Final = "visitors"


def _time_and_number(cursor: str, order: str) -> tuple[datetime, int]:
    at, number = read_cursor(cursor, order, datetime, int)
    if not isinstance(at, datetime) or not isinstance(number, int):
        raise Invalid.one("cursor", "must be a nextCursor of this list; leave it out to begin anew")
    return at, number


def _beginning(at: datetime, span: Span) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour.replace(hour=0) if span is Span.DAY else hour
