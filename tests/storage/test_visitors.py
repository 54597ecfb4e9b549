"""Who came through a link, who is there, how often in which hour, and what a history tells of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.storage.samples import LINK_ID, NOON, keep, link_of, make_environment, make_link

from guestpass.app.ports import Activity, Origin, Store
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import Visitor
from guestpass.storage.database import Database

OTHER_ID, THIRD_ID, THEIR_ID = "bbbbbbbbbbbbbbbb", "cccccccccccccccc", "dddddddddddddddd"
WIKI, THEIRS = EnvironmentKey("default", "wiki"), EnvironmentKey("acme", "staging")
OPENING, REQUEST = True, False
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FROM = Origin("192.0.2.0/24", "Firefox 142", "Linux")


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(
        database,
        make_environment(),
        make_environment(WIKI),
        make_environment(THEIRS),
        make_link(),
        make_link(OTHER_ID),
        make_link(THIRD_ID, environment=WIKI),
        make_link(THEIR_ID, environment=THEIRS),
    )
    return database


async def record(store: Store, *activities: Activity) -> None:
    async with store.writing() as work:
        await work.visits.record(activities)


def opening(visitor: str, at: datetime, link_id: str = LINK_ID, origin: Origin | None = None) -> Activity:
    return Activity(link_id, visitor, ((at, OPENING),), at, origin=origin)


async def visitors(store: Store, link_id: str = LINK_ID, limit: int = 100) -> list[Visitor]:
    async with store.reading() as work:
        return await work.visits.visitors(link_id, after=None, limit=limit)


async def visitor(store: Store, id: str) -> Visitor:
    async with store.reading() as work:
        found = await work.visits.visitor(LINK_ID, id)
    assert found is not None
    return found


async def test_a_visitor_is_told_with_where_they_came_from(database: Database) -> None:
    await record(database, opening("anna", NOON, origin=FROM))
    await record(database, Activity(LINK_ID, "anna", ((NOON + MINUTE, OPENING),), NOON + 2 * MINUTE))
    assert await visitors(database) == [
        Visitor(LINK_ID, "anna", 1, NOON, NOON + 2 * MINUTE, 2, "Firefox 142", "Linux", "192.0.2.0/24")
    ]
    async with database.reading() as work:
        assert await work.visits.visitor(LINK_ID, "bert") is None
        assert await work.visits.visitor(OTHER_ID, "anna") is None


async def test_a_newer_opening_tells_anew_where_a_visitor_comes_from(database: Database) -> None:
    await record(database, opening("anna", NOON, origin=FROM))
    await record(database, opening("anna", NOON + MINUTE, origin=Origin(None, "Chrome 140", None)))
    anna = await visitor(database, "anna")
    assert (anna.address, anna.browser, anna.system) == (None, "Chrome 140", None)


async def test_what_merely_stays_open_is_a_sign_of_life_and_no_end_of_silence(database: Database) -> None:
    await record(database, opening("anna", NOON))
    for minutes in range(1, 45):
        await record(database, Activity(LINK_ID, "anna", (), None, NOON + minutes * MINUTE))
    assert (await visitor(database, "anna")).last_seen == NOON + 44 * MINUTE
    back = NOON + 45 * MINUTE
    await record(database, Activity(LINK_ID, "anna", ((back, REQUEST),), back))
    assert (await link_of(database)).visits == 2


async def test_a_sign_of_life_that_is_told_late_takes_nothing_back(database: Database) -> None:
    await record(database, opening("anna", NOON))
    await record(database, Activity(LINK_ID, "anna", (), NOON + MINUTE, NOON + 3 * MINUTE))
    await record(database, Activity(LINK_ID, "anna", (), NOON + 2 * MINUTE, None))
    assert (await visitor(database, "anna")).last_seen == NOON + 3 * MINUTE


async def test_who_is_only_present_is_no_visitor(database: Database) -> None:
    await record(database, Activity(LINK_ID, "anna", (), None, NOON))
    assert await visitors(database) == []


async def test_visitors_are_numbered_as_they_came_and_listed_as_they_were_seen(database: Database) -> None:
    for number, name in enumerate(("anna", "bert", "carl", "dora")):
        await record(database, opening(name, NOON + number * SECOND))
    await record(database, opening("eva", NOON, OTHER_ID))
    await record(database, Activity(LINK_ID, "bert", (), None, NOON + HOUR))
    listed = await visitors(database)
    assert [(each.id, each.number) for each in listed] == [("bert", 2), ("dora", 4), ("carl", 3), ("anna", 1)]
    async with database.reading() as work:
        assert await work.visits.count_visitors(LINK_ID) == 4
        pages, after = [], None
        while page := await work.visits.visitors(LINK_ID, after=after, limit=3):
            pages.append([each.id for each in page])
            after = page[-1].last_seen, page[-1].number
    assert pages == [["bert", "dora", "carl"], ["anna"]]


async def test_visitors_who_were_seen_at_one_moment_are_on_one_page_each(database: Database) -> None:
    await record(database, *(opening(name, NOON) for name in ("anna", "bert", "carl")))
    seen, after = [], None
    async with database.reading() as work:
        while page := await work.visits.visitors(LINK_ID, after=after, limit=1):
            seen.append(page[0].id)
            after = page[0].last_seen, page[0].number
    assert sorted(seen) == ["anna", "bert", "carl"]


async def test_an_ended_visit_is_ended_once(database: Database) -> None:
    await record(database, opening("anna", NOON), opening("bert", NOON), opening("anna", NOON, OTHER_ID))
    async with database.writing() as work:
        assert await work.places.end(LINK_ID, "anna", NOON + MINUTE)
        assert not await work.places.end(LINK_ID, "anna", NOON + HOUR)
        assert not await work.places.end(LINK_ID, "eva", NOON)
        assert await work.places.ended(LINK_ID) == {"anna"}
        assert await work.places.ended(OTHER_ID) == frozenset()
    # What she did just before the end may be told after it.
    await record(database, Activity(LINK_ID, "anna", (), NOON + MINUTE))
    assert (await visitor(database, "anna")).ended_at == NOON + MINUTE
    assert (await visitor(database, "bert")).ended_at is None


async def test_who_is_there_is_counted_by_link_and_by_environment(database: Database) -> None:
    since = NOON + MINUTE
    await record(
        database,
        opening("anna", since + SECOND),
        opening("bert", NOON),
        opening("carl", since),
        opening("dora", since + SECOND, OTHER_ID),
        opening("eva", since + SECOND, THIRD_ID),
        opening("finn", since + SECOND, THIRD_ID),
        opening("gerd", since + SECOND, THEIR_ID),
        Activity(LINK_ID, "bert", (), None, since + SECOND),
    )
    async with database.writing() as work:
        await work.places.end(THIRD_ID, "finn", NOON)
    async with database.reading() as work:
        ids = [LINK_ID, OTHER_ID, THIRD_ID, *(f"absent{number}" for number in range(1_000))]
        assert await work.visits.live(ids, since) == {LINK_ID: 2, OTHER_ID: 1, THIRD_ID: 1}
        assert await work.visits.live([OTHER_ID], since) == {OTHER_ID: 1}
        assert await work.visits.live([], since) == {}
        assert await work.visits.live_by_environment("default", since) == {"staging": 3, "wiki": 1}
        assert await work.visits.live_by_environment("acme", since) == {"staging": 1}


async def test_visits_are_counted_in_the_hour_in_which_they_began(database: Database) -> None:
    noon, one = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    await record(
        database,
        Activity(LINK_ID, "anna", ((noon, OPENING), (one - tick, OPENING), (one, OPENING)), one),
        # This one is no visit: she was there a moment ago.
        Activity(LINK_ID, "anna", ((one + MINUTE, REQUEST),), one + MINUTE),
        opening("bert", noon, OTHER_ID),
    )
    await record(database, opening("carl", noon + MINUTE))
    async with database.reading() as work:
        assert await work.visits.hours(LINK_ID, noon) == {noon: 3, one: 1}
        assert await work.visits.hours(LINK_ID, noon + tick) == {one: 1}
        assert await work.visits.hours(OTHER_ID, noon) == {noon: 1}
    assert (await link_of(database)).visits == 4


async def test_an_hour_is_one_of_utc(database: Database) -> None:
    in_delhi = datetime(2026, 3, 1, 17, 45, tzinfo=UTC).astimezone(timezone(timedelta(hours=5, minutes=30)))
    await record(database, opening("anna", in_delhi))
    async with database.reading() as work:
        assert await work.visits.hours(LINK_ID, NOON) == {datetime(2026, 3, 1, 17, tzinfo=UTC): 1}


async def test_a_history_is_read_backwards_page_by_page_and_by_kind(database: Database) -> None:
    kinds = [EventKind.CREATED, *[EventKind.CHANGED] * 3, EventKind.OPENED, EventKind.DEACTIVATED]
    # Two at one moment, which their numbers tell apart.
    moments = [NOON, NOON + SECOND, NOON + SECOND, NOON + 2 * SECOND, NOON + 3 * SECOND, NOON + 4 * SECOND]
    events = [
        LinkEvent(LINK_ID, at, kind, "olga", str(number))
        for number, (at, kind) in enumerate(zip(moments, kinds, strict=True))
    ]
    async with database.writing() as work:
        await work.visits.add_events([*events, LinkEvent(OTHER_ID, NOON, EventKind.CREATED, "olga")])
    async with database.reading() as work:
        for wanted in (tuple(EventKind), (EventKind.CHANGED, EventKind.CREATED), (EventKind.ROTATED,)):
            pages, before = [], None
            while page := await work.visits.newest_events(LINK_ID, kinds=wanted, before=before, limit=2):
                pages += page
                assert page[-1].number is not None
                before = page[-1].at, page[-1].number
            assert pages == [each for each in reversed(events) if each.kind in wanted]
