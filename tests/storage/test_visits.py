from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from tests.storage.samples import LINK_ID, NOON, history_of, keep, link_of, make_environment, make_link

from guestpass.app.ports import Activity, Store
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.storage.database import Database

OTHER_ID = "bbbbbbbbbbbbbbbb"
OPENING, REQUEST = True, False
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def activity(
    *starts: tuple[datetime, bool], visitor: str = "anna", link_id: str = LINK_ID, last_seen: datetime | None = None
) -> Activity:
    return Activity(link_id, visitor, starts, last_seen or starts[-1][0])


async def record(store: Store, *activities: Activity) -> None:
    async with store.writing() as work:
        await work.visits.record(activities)


async def opened(store: Store, link_id: str = LINK_ID) -> list[tuple[datetime, str]]:
    async with store.reading() as work:
        events = await history_of(work, link_id)
    assert {event.kind for event in events} <= {EventKind.OPENED}
    return [(event.at, event.actor) for event in events]


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_link(), make_link(OTHER_ID))
    return database


async def assert_counted(store: Store, *starts: datetime, visitors: int = 1) -> None:
    link = await link_of(store)
    assert (link.visits, link.visitors, link.last_opened_at) == (len(starts), visitors, max(starts))
    assert sorted(at for at, _ in await opened(store)) == sorted(starts)


async def test_the_first_start_makes_a_visitor_and_a_visit(database: Database) -> None:
    await record(database, activity((NOON, OPENING)))
    await assert_counted(database, NOON)
    assert await opened(database) == [(NOON, "anna")]
    assert await link_of(database, OTHER_ID) == make_link(OTHER_ID)


async def test_a_visitor_known_from_another_database_copy_is_counted_at_its_first_request(database: Database) -> None:
    await record(database, activity((NOON, REQUEST)))
    await assert_counted(database, NOON)


async def test_an_opening_is_always_a_visit(database: Database) -> None:
    await record(database, activity((NOON, OPENING), (NOON + SECOND, OPENING)))
    await record(database, activity((NOON + 2 * SECOND, OPENING)))
    await assert_counted(database, NOON, NOON + SECOND, NOON + 2 * SECOND)


async def test_a_request_is_a_visit_after_thirty_silent_minutes_and_not_a_microsecond_before(
    database: Database,
) -> None:
    tick = timedelta(microseconds=1)
    await record(database, activity((NOON, OPENING)))
    await record(database, activity((NOON + 30 * MINUTE - tick, REQUEST)))
    await assert_counted(database, NOON)
    back = NOON + 60 * MINUTE - tick
    await record(database, activity((back, REQUEST)))
    await assert_counted(database, NOON, back)


async def test_silence_is_reckoned_from_the_newest_request_that_anybody_told(database: Database) -> None:
    await record(database, activity((NOON, OPENING), last_seen=NOON + 40 * MINUTE))
    await record(database, activity((NOON + 65 * MINUTE, REQUEST)))
    await assert_counted(database, NOON)
    # An older time that is told later does not take the newest back.
    await record(database, Activity(LINK_ID, "anna", (), NOON + 10 * MINUTE))
    await record(database, activity((NOON + 90 * MINUTE, REQUEST)))
    await assert_counted(database, NOON)
    await record(database, activity((NOON + 120 * MINUTE, REQUEST)))
    await assert_counted(database, NOON, NOON + 120 * MINUTE)


async def test_an_opening_that_is_told_late_does_not_take_the_newest_back(database: Database) -> None:
    await record(database, activity((NOON, OPENING)))
    await record(database, activity((NOON - 45 * MINUTE, OPENING)))
    assert (await link_of(database)).last_opened_at == NOON
    await record(database, activity((NOON + MINUTE, REQUEST)))
    await assert_counted(database, NOON - 45 * MINUTE, NOON)


async def test_visitors_and_links_are_apart(database: Database) -> None:
    await record(
        database,
        activity((NOON, OPENING), visitor="anna"),
        activity((NOON + SECOND, OPENING), visitor="bert"),
        activity((NOON + 2 * SECOND, OPENING), visitor="anna", link_id=OTHER_ID),
    )
    await assert_counted(database, NOON, NOON + SECOND, visitors=2)
    assert await opened(database, OTHER_ID) == [(NOON + 2 * SECOND, "anna")]
    assert (await link_of(database, OTHER_ID)).visitors == 1


async def test_a_link_that_is_gone_leaves_nothing_and_stops_nobody(database: Database) -> None:
    async with database.writing() as work:
        await work.links.remove(OTHER_ID)
    await record(database, activity((NOON, OPENING), link_id=OTHER_ID), activity((NOON, OPENING)))
    await assert_counted(database, NOON)
    assert await opened(database, OTHER_ID) == []


async def test_nothing_to_record_is_no_error(database: Database) -> None:
    await record(database)
    await record(database, Activity(LINK_ID, "anna", (), NOON))
    assert await link_of(database) == make_link()


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_one_page_load_over_three_workers_is_one_visit_whoever_tells_first(
    database: Database, order: Iterable[int]
) -> None:
    """One worker opens the link; two load its images and don't know of the opening."""
    told = [
        activity((NOON, OPENING)),
        activity((NOON + SECOND / 10, REQUEST), last_seen=NOON + 2 * SECOND),
        activity((NOON + SECOND / 5, REQUEST), last_seen=NOON + 3 * SECOND),
    ]
    for worker in order:
        await record(database, told[worker])
    link = await link_of(database)
    assert (link.visits, link.visitors) == (1, 1)
    assert len(await opened(database)) == 1
    # That visit is spoken for now: another opening is another visit, also one that is told late.
    await record(database, activity((NOON - SECOND, OPENING)))
    assert (await link_of(database)).visits == 2


async def test_an_opening_long_before_a_visit_after_silence_is_a_visit_of_its_own(database: Database) -> None:
    await record(database, activity((NOON, REQUEST)))
    await record(database, activity((NOON - 30 * MINUTE, OPENING)))
    await assert_counted(database, NOON - 30 * MINUTE, NOON)
    await record(database, activity((NOON + SECOND, OPENING)))
    assert (await link_of(database)).visits == 3


async def test_a_start_that_many_workers_saw_is_counted_once(
    database: Database, open_database: Callable[[], Database]
) -> None:
    workers = [database, open_database(), open_database()]
    back = NOON + 31 * MINUTE
    await record(database, activity((NOON, OPENING)))
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            start = activity((back + number * SECOND, REQUEST))
            group.create_task(record(workers[number % 3], start))
    link = await link_of(database)
    assert (link.visits, link.visitors) == (2, 1)
    assert len(await opened(database)) == 2


async def test_no_visit_is_lost_when_many_workers_tell_at_once(
    database: Database, open_database: Callable[[], Database]
) -> None:
    workers = [database, open_database(), open_database()]
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            start = activity((NOON + number * SECOND, OPENING), visitor=f"visitor{number % 10}")
            group.create_task(record(workers[number % 3], start))
    await assert_counted(database, *(NOON + number * SECOND for number in range(30)), visitors=10)


async def test_a_history_is_told_in_the_order_of_time(database: Database) -> None:
    created = LinkEvent(LINK_ID, NOON, EventKind.CREATED, "olga")
    changed = LinkEvent(LINK_ID, NOON + SECOND, EventKind.CHANGED, "olga", "label,expiresAt")
    ended = LinkEvent(LINK_ID, NOON + 3 * SECOND, EventKind.DEACTIVATED, "olga")
    async with database.writing() as work:
        await work.visits.add_events([created, ended])
        await work.visits.record([activity((NOON + 2 * SECOND, OPENING))])
        await work.visits.add_events([changed, LinkEvent("absent", NOON, EventKind.CREATED, "olga")])
        await work.visits.add_events([])
    opening = LinkEvent(LINK_ID, NOON + 2 * SECOND, EventKind.OPENED, "anna")
    async with database.reading() as work:
        assert await history_of(work, LINK_ID) == [created, changed, opening, ended]
        assert await history_of(work, "absent") == []
