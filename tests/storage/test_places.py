from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from tests.storage.racing import race
from tests.storage.samples import LINK_ID, NOON, keep, link_of, make_environment, make_link

from guestpass.app.ports import Activity, Store
from guestpass.storage.database import Database

OTHER_ID = "bbbbbbbbbbbbbbbb"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_link(max_visitors=2), make_link(OTHER_ID))
    return database


async def take(store: Store, visitor: str, *, limit: int = 2, at: datetime = NOON, link_id: str = LINK_ID) -> bool:
    async with store.writing() as work:
        return await work.visits.take_place(link_id, visitor, at, limit)


async def take_all(store: Store, visitors: Sequence[str], *, limit: int = 2) -> list[bool]:
    return [await take(store, visitor, limit=limit) for visitor in visitors]


async def end(store: Store, visitor: str) -> bool:
    async with store.writing() as work:
        return await work.visits.end(LINK_ID, visitor, NOON + MINUTE)


async def record(store: Store, visitor: str, at: datetime, *, opening: bool) -> None:
    async with store.writing() as work:
        await work.visits.record([Activity(LINK_ID, visitor, ((at, opening),), at)])


async def counted(store: Store) -> tuple[int, int]:
    link = await link_of(store)
    return link.visits, link.visitors


async def test_so_many_are_let_in_and_no_more(database: Database) -> None:
    assert await take_all(database, ["anna", "bert", "carl", "dora"]) == [True, True, False, False]


async def test_who_is_in_stays_in(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    assert await take_all(database, ["anna", "bert", "carl", "anna"]) == [True, True, False, True]
    assert await take(database, "bert", limit=1), "also where the limit was lowered meanwhile"
    assert not await take(database, "carl", limit=1)


async def test_who_came_before_there_was_a_limit_has_a_place(database: Database) -> None:
    for visitor in ("anna", "bert", "carl"):
        await record(database, visitor, NOON, opening=True)
    assert await take_all(database, ["carl", "dora", "anna"]) == [True, False, True]
    assert await take(database, "dora", limit=4)


async def test_each_link_has_its_own_places(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    assert await take(database, "carl", link_id=OTHER_ID)
    assert await take(database, "anna", link_id=OTHER_ID)


async def test_an_ended_visit_frees_its_place_for_others_and_not_for_itself(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    assert await end(database, "anna")
    assert await take_all(database, ["anna", "carl", "dora"]) == [False, True, False]


async def test_a_link_that_is_gone_has_no_places(database: Database) -> None:
    async with database.writing() as work:
        await work.links.remove(LINK_ID)
    assert not await take(database, "anna")
    assert not await take(database, "anna", link_id="absent")


async def test_a_place_is_no_visit_until_the_link_is_opened(database: Database) -> None:
    await take(database, "anna")
    assert await counted(database) == (0, 0)
    # At the very moment, as it is where one request takes the place and opens the link.
    await record(database, "anna", NOON, opening=True)
    assert await counted(database) == (1, 1)
    await record(database, "anna", NOON + SECOND, opening=False)
    assert await counted(database) == (1, 1)


async def test_a_place_whose_opening_was_lost_is_a_visit_at_the_first_request(database: Database) -> None:
    await take(database, "anna")
    await record(database, "anna", NOON + SECOND, opening=False)
    assert await counted(database) == (1, 1)
    await record(database, "anna", NOON + 2 * SECOND, opening=False)
    assert await counted(database) == (1, 1)


async def test_places_count_as_visitors_number_by_number(database: Database) -> None:
    await take(database, "anna")
    await record(database, "bert", NOON + SECOND, opening=True)
    await record(database, "anna", NOON + MINUTE, opening=True)
    async with database.reading() as work:
        visitors = await work.visits.visitors(LINK_ID, after=None, limit=10)
        first = await work.visits.visitor(LINK_ID, "anna")
    assert {each.id: each.number for each in visitors} == {"anna": 1, "bert": 2}
    assert first is not None
    assert (first.first_seen, first.visits) == (NOON, 1)


async def test_several_processes_let_in_exactly_so_many(database: Database, database_url: str) -> None:
    """Each has visitors of its own, and all have one in common."""
    results = await race(database_url, "take_place", processes=3, tries=15)
    assert sum(1 for visitor in results if visitor is not None and visitor != "everybody") == 6
    assert results.count("everybody") == 3
    async with database.reading() as work:
        visitors = await work.visits.visitors(LINK_ID, after=None, limit=100)
    assert sorted(each.number for each in visitors) == [1, 2, 3, 4, 5, 6, 7]
    assert {each.id for each in visitors} == {visitor for visitor in results if visitor is not None}
