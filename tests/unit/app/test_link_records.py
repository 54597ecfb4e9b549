from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.storage.samples import NOON, SetClock
from tests.unit.app.announcer import NotingAnnouncer
from tests.unit.app.link_service import HOUR, OLGA, STRANGER, make, refused

from guestpass.app.link_records import LinkRecords, Span
from guestpass.app.links import LinkChange, LinkService
from guestpass.app.ports import Activity, Origin
from guestpass.domain.access import Principal, Scope
from guestpass.domain.errors import Forbidden, NotFound
from guestpass.domain.link import EventKind
from guestpass.domain.visit import AddressDetail, Refusal
from guestpass.storage.database import Database

OTTO = Principal("otto")
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def records(database: Database, announcer: NotingAnnouncer, clock: SetClock) -> LinkRecords:
    return LinkRecords(database, announcer, clock, AddressDetail.FULL)


@pytest.fixture
async def link_id(links: LinkService) -> str:
    return (await make(links)).link.id


async def opened(database: Database, link_id: str, visitor: str, *moments: datetime, address: str = "") -> None:
    starts = tuple((at, True) for at in moments)
    origin = Origin(address or None, None, None)
    async with database.writing() as work:
        await work.visits.record([Activity(link_id, visitor, starts, moments[-1], origin=origin)])


async def test_a_history_tells_who_did_what_and_when_newest_first(
    records: LinkRecords, links: LinkService, database: Database, clock: SetClock, link_id: str
) -> None:
    clock.advance(SECOND)
    await links.change(OTTO, "staging", link_id, LinkChange(label="A", max_visitors=3))
    await opened(database, link_id, "anna", clock.now() + SECOND)
    clock.advance(2 * SECOND)
    await records.end_visit(OTTO, "staging", link_id, "anna")
    page = await records.history(OLGA, "staging", link_id)
    assert [(event.kind, event.actor, event.detail, event.at) for event in page.items] == [
        (EventKind.VISIT_ENDED, "otto", "anna", NOON + 3 * SECOND),
        (EventKind.OPENED, "anna", None, NOON + 2 * SECOND),
        (EventKind.CHANGED, "otto", "label,maxVisitors", NOON + SECOND),
        (EventKind.CREATED, "olga", None, NOON),
    ]
    assert (page.next_cursor, page.total) == (None, None)
    changes = await records.history(OLGA, "staging", link_id, kinds=[EventKind.CHANGED, EventKind.CREATED], limit=1)
    assert [event.kind for event in changes.items] == [EventKind.CHANGED]
    rest = await records.history(
        OLGA, "staging", link_id, kinds=[EventKind.CHANGED, EventKind.CREATED], limit=1, cursor=changes.next_cursor
    )
    assert [event.kind for event in rest.items] == [EventKind.CREATED]
    assert rest.next_cursor is None


async def test_visits_are_counted_by_hour_without_a_gap(
    records: LinkRecords, database: Database, clock: SetClock, link_id: str
) -> None:
    await opened(database, link_id, "anna", NOON, NOON + SECOND, NOON + 2 * HOUR)
    clock.time = NOON + 3 * HOUR
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    counts = await records.visits(OLGA, "staging", link_id, Span.HOUR)
    assert [(each.began_at, each.visits) for each in counts] == [
        (noon, 2),
        (noon + HOUR, 0),
        (noon + 2 * HOUR, 1),
        (noon + 3 * HOUR, 0),
    ]


async def test_visits_are_counted_by_day(
    records: LinkRecords, database: Database, clock: SetClock, link_id: str
) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    await opened(database, link_id, "anna", NOON, midnight - SECOND, midnight, midnight + 23 * HOUR)
    clock.time = midnight + 2 * DAY
    counts = await records.visits(OLGA, "staging", link_id, Span.DAY)
    assert [(each.began_at, each.visits) for each in counts] == [
        (midnight - DAY, 2),
        (midnight, 2),
        (midnight + DAY, 0),
        (midnight + 2 * DAY, 0),
    ]


@pytest.mark.parametrize(("span", "count", "step"), [(Span.HOUR, 168, HOUR), (Span.DAY, 366, DAY)])
async def test_visits_are_told_so_far_back(
    records: LinkRecords, database: Database, clock: SetClock, link_id: str, span: Span, count: int, step: timedelta
) -> None:
    await opened(database, link_id, "anna", NOON)
    clock.time = NOON + 400 * DAY
    await opened(database, link_id, "anna", clock.now())
    counts = await records.visits(OLGA, "staging", link_id, span)
    assert len(counts) == count
    assert sum(each.visits for each in counts) == 1
    assert {later.began_at - each.began_at for each, later in itertools.pairwise(counts)} == {step}
    assert counts[-1].began_at <= clock.now() < counts[-1].began_at + step


async def test_a_workers_clock_may_be_ahead(
    records: LinkRecords, database: Database, clock: SetClock, link_id: str
) -> None:
    clock.time = NOON.replace(minute=59, second=59)
    await opened(database, link_id, "anna", NOON + HOUR)
    assert [each.visits for each in await records.visits(OLGA, "staging", link_id, Span.HOUR)] == [1]


async def test_visitors_are_told_page_by_page(records: LinkRecords, database: Database, link_id: str) -> None:
    for number in range(5):
        await opened(database, link_id, f"visitor{number}", NOON + number * SECOND)
    seen: list[str] = []
    cursor = None
    while True:
        page = await records.visitors(OLGA, "staging", link_id, limit=2, cursor=cursor)
        assert page.total == 5
        seen += [visitor.id for visitor in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"visitor{number}" for number in range(4, -1, -1)]


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        (AddressDetail.FULL, "198.51.100.9"),
        (AddressDetail.SHORTENED, "198.51.100.0/24"),
        (AddressDetail.NONE, None),
    ],
)
async def test_addresses_that_were_kept_under_another_setting_are_shown_as_today_allows(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, link_id: str, detail: AddressDetail, shown: str
) -> None:
    records = LinkRecords(database, announcer, clock, detail)
    await opened(database, link_id, "anna", NOON, address="198.51.100.9")
    async with database.writing() as work:
        await work.refusals.add([Refusal(link_id, NOON, "link_full", address="198.51.100.9")])
    [visitor] = (await records.visitors(OLGA, "staging", link_id)).items
    [refusal] = await records.refusals(OLGA, "staging", link_id)
    assert [visitor.address, refusal.address] == [shown, shown]


async def test_a_visit_is_ended_written_down_and_announced_once(
    records: LinkRecords, database: Database, announcer: NotingAnnouncer, clock: SetClock, link_id: str
) -> None:
    await opened(database, link_id, "anna", NOON)
    clock.advance(MINUTE)
    assert await records.end_visit(OTTO, "staging", link_id, "anna")
    assert announcer.announced[-1] == [f"link:{link_id}"]
    clock.advance(MINUTE)
    assert not await records.end_visit(OLGA, "staging", link_id, "anna")
    assert announcer.announced[-1] == []
    [anna] = (await records.visitors(OLGA, "staging", link_id)).items
    assert anna.ended_at == NOON + MINUTE
    ended = await records.history(OLGA, "staging", link_id, kinds=[EventKind.VISIT_ENDED])
    assert [(event.actor, event.detail) for event in ended.items] == [("otto", "anna")]


async def test_only_a_visitor_of_this_link_can_be_ended(
    records: LinkRecords, links: LinkService, database: Database, link_id: str
) -> None:
    other = (await make(links)).link.id
    await opened(database, other, "anna", NOON)
    with pytest.raises(NotFound, match="no visitor 'anna'"):
        await records.end_visit(OLGA, "staging", link_id, "anna")
    assert [visitor.ended_at for visitor in (await records.visitors(OLGA, "staging", other)).items] == [None]


CALLS: list[tuple[Scope, Callable[[LinkRecords, Principal, str, str], Awaitable[object]]]] = [
    (Scope.SHARES_READ, lambda records, who, env, link: records.history(who, env, link)),
    (Scope.SHARES_READ, lambda records, who, env, link: records.visits(who, env, link, Span.DAY)),
    (Scope.SHARES_READ, lambda records, who, env, link: records.visitors(who, env, link)),
    (Scope.SHARES_READ, lambda records, who, env, link: records.refusals(who, env, link)),
    (Scope.SHARES_WRITE, lambda records, who, env, link: records.end_visit(who, env, link, "anna")),
]


@pytest.mark.parametrize(("scope", "call"), CALLS)
async def test_every_use_needs_its_scope_its_organisation_and_its_environment(
    records: LinkRecords,
    database: Database,
    link_id: str,
    scope: Scope,
    call: Callable[[LinkRecords, Principal, str, str], Awaitable[object]],
) -> None:
    await opened(database, link_id, "anna", NOON)
    with pytest.raises(Forbidden, match=scope):
        await call(records, Principal("olga", scopes=frozenset(Scope) - {scope}), "staging", link_id)
    for who, environment_id, what in (
        (OLGA, "other", "share link"),
        (OLGA, "absent", "environment"),
        (STRANGER, "staging", "environment"),
        (STRANGER, "theirs", "share link"),
    ):
        with pytest.raises(NotFound, match=f"no {what}"):
            await call(records, who, environment_id, link_id)
    await call(records, Principal("olga", scopes=frozenset({scope})), "staging", link_id)


@pytest.mark.parametrize("limit", [0, 501])
async def test_what_is_no_page_is_named(records: LinkRecords, link_id: str, limit: int) -> None:
    assert list(await refused(records.history(OLGA, "staging", link_id, limit=limit))) == ["limit"]
    assert list(await refused(records.visitors(OLGA, "staging", link_id, limit=limit))) == ["limit"]


async def test_a_cursor_belongs_to_its_list(
    records: LinkRecords, links: LinkService, database: Database, link_id: str
) -> None:
    await links.change(OTTO, "staging", link_id, LinkChange(label="A"))
    for visitor in ("anna", "bert"):
        await opened(database, link_id, visitor, NOON)
    of_history = (await records.history(OLGA, "staging", link_id, limit=1)).next_cursor
    of_visitors = (await records.visitors(OLGA, "staging", link_id, limit=1)).next_cursor
    assert of_history is not None
    assert of_visitors is not None
    assert list(await refused(records.history(OLGA, "staging", link_id, cursor=of_visitors))) == ["cursor"]
    assert list(await refused(records.visitors(OLGA, "staging", link_id, cursor=of_history))) == ["cursor"]
