from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.storage.racing import race
from tests.storage.samples import LINK_ID, NOON, SetClock, keep, link_of, make_environment, make_link
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.ports import Activity, SlotResult, Store
from guestpass.app.visitor_slots import PLACES_GIVEN, TooManyNewcomers, VisitorSlots
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.storage.database import Database

OTHER_ID = "bbbbbbbbbbbbbbbb"
VERSION = make_link().version
LET_IN = {SlotResult.TAKEN, SlotResult.RECLAIMED, SlotResult.HELD}
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_link(max_visitors=2), make_link(OTHER_ID))
    return database


async def take(
    store: Store, visitor: str, *, at: datetime = NOON, link_id: str = LINK_ID, version: int = VERSION
) -> bool:
    """Whether the visitor was let in; the place is kept for a minute."""
    return await place_of(store, visitor, at=at, link_id=link_id, version=version) in LET_IN


async def place_of(
    store: Store, visitor: str, *, at: datetime = NOON, link_id: str = LINK_ID, version: int = VERSION
) -> SlotResult:
    async with store.writing() as work:
        return await work.places.take_place(link_id, visitor, version, at, reserved_until=at + MINUTE)


async def take_all(store: Store, visitors: Sequence[str]) -> list[bool]:
    return [await take(store, visitor) for visitor in visitors]


async def set_limit(store: Store, limit: int | None) -> None:
    async with store.writing() as work:
        await work.links.update(replace(await link_of(store), max_visitors=limit))


async def taken(store: Store, at: datetime = NOON) -> int:
    async with store.reading() as work:
        return (await work.places.places_taken([LINK_ID, OTHER_ID], at)).get(LINK_ID, 0)


async def end(store: Store, visitor: str) -> bool:
    async with store.writing() as work:
        return await work.places.end(LINK_ID, visitor, NOON + MINUTE)


async def record(store: Store, visitor: str, at: datetime, *, opening: bool, version: int | None = VERSION) -> None:
    async with store.writing() as work:
        await work.visits.record([Activity(LINK_ID, visitor, ((at, opening),), at, link_version=version)])


async def come_back(store: Store, visitor: str, at: datetime = NOON) -> None:
    """A request brings the visitor's pass."""
    async with store.writing() as work:
        await work.visits.record([Activity(LINK_ID, visitor, (), at, link_version=VERSION, came_back=True)])


async def renew(store: Store, at: datetime = NOON + SECOND) -> None:
    """The link gets another version."""
    async with store.writing() as work:
        await work.links.update((await link_of(store)).renewed(at))


async def counted(store: Store) -> tuple[int, int]:
    link = await link_of(store)
    return link.visits, link.visitors


async def test_so_many_are_let_in_and_no_more(database: Database) -> None:
    assert await take_all(database, ["anna", "bert", "carl", "dora"]) == [True, True, False, False]


async def test_who_is_in_stays_in(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    assert await take_all(database, ["anna", "bert", "carl", "anna"]) == [True, True, False, True]
    await set_limit(database, 1)
    assert await take(database, "bert"), "also where the limit was lowered meanwhile"
    assert not await take(database, "carl")


async def test_who_came_before_there_was_a_limit_has_a_place(database: Database) -> None:
    for visitor in ("anna", "bert", "carl"):
        await record(database, visitor, NOON, opening=True)
    assert await take_all(database, ["carl", "dora", "anna"]) == [True, False, True]
    await set_limit(database, 4)
    assert await take(database, "dora")


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
    await set_limit(database, 7)
    results = await race(database_url, "take_place", processes=3, tries=15)
    assert sum(1 for visitor in results if visitor is not None and visitor != "everybody") == 6
    assert results.count("everybody") == 3
    async with database.reading() as work:
        visitors = await work.visits.visitors(LINK_ID, after=None, limit=100)
    assert sorted(each.number for each in visitors) == [1, 2, 3, 4, 5, 6, 7]
    assert {each.id for each in visitors} == {visitor for visitor in results if visitor is not None}


async def test_passes_of_a_former_version_hold_no_place(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    await come_back(database, "anna")
    await renew(database)
    assert await taken(database) == 0
    assert await place_of(database, "carl", version=VERSION) is SlotResult.GONE
    assert await place_of(database, "anna", version=VERSION + 1) is SlotResult.GONE
    assert [await take(database, each, version=VERSION + 1) for each in ("carl", "dora", "eva")] == [True, True, False]
    assert await taken(database) == 2


async def test_what_is_told_late_of_a_former_version_takes_no_place(database: Database) -> None:
    await renew(database)
    for visitor in ("anna", "bert", "carl"):
        await record(database, visitor, NOON + MINUTE, opening=True, version=VERSION)
    assert await taken(database) == 0
    await record(database, "dora", NOON + MINUTE, opening=True, version=VERSION + 1)
    assert await taken(database) == 1


async def test_whose_pass_is_of_an_unknown_version_is_told_by_the_time(database: Database) -> None:
    """A program before revision 0013 writes none."""
    await record(database, "anna", NOON, opening=True, version=None)
    assert await taken(database) == 1
    await renew(database, NOON + MINUTE)
    await record(database, "bert", NOON + 2 * MINUTE, opening=True, version=None)
    assert await taken(database) == 1
    async with database.reading() as work:
        visitors = {each.id: each.ended_at for each in await work.visits.visitors(LINK_ID, after=None, limit=9)}
    assert visitors == {"anna": NOON + MINUTE, "bert": None}


async def test_a_visit_is_over_when_its_pass_is(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    await end(database, "anna")
    await renew(database, NOON + 2 * MINUTE)
    await take(database, "carl", version=VERSION + 1, at=NOON + 3 * MINUTE)
    async with database.reading() as work:
        visitors = {each.id: each.ended_at for each in await work.visits.visitors(LINK_ID, after=None, limit=9)}
        bert = await work.visits.visitor(LINK_ID, "bert")
        live = await work.visits.live([LINK_ID], NOON - MINUTE)
    assert visitors == {"anna": NOON + MINUTE, "bert": NOON + 2 * MINUTE, "carl": None}
    assert bert is not None
    assert bert.ended_at == NOON + 2 * MINUTE
    assert live == {LINK_ID: 1}
    assert not await end(database, "bert"), "it was over before"


async def test_only_passes_that_would_open_the_link_are_remembered(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    await end(database, "anna")
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == {"anna"}
    await renew(database)
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == frozenset()
        assert await work.places.ended_of(LINK_ID, ["anna", "bert"]) == {"anna"}


async def test_a_place_whose_pass_does_not_come_back_goes_to_somebody_else(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    await come_back(database, "anna")
    assert not await take(database, "carl", at=NOON + MINUTE - SECOND)
    assert await taken(database, NOON + MINUTE - SECOND) == 2
    assert await taken(database, NOON + MINUTE) == 1
    assert await place_of(database, "carl", at=NOON + MINUTE) is SlotResult.RECLAIMED
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == {"bert"}
    assert await place_of(database, "bert", at=NOON + MINUTE) is SlotResult.GONE
    assert not await take(database, "dora", at=NOON + MINUTE), "anna has come back, and carl has a minute"


async def test_a_place_is_kept_as_long_as_nobody_needs_it(database: Database) -> None:
    await take(database, "anna")
    assert await place_of(database, "bert", at=NOON + 5 * MINUTE) is SlotResult.TAKEN
    await come_back(database, "anna", NOON + 6 * MINUTE)
    assert await place_of(database, "carl", at=NOON + 7 * MINUTE) is SlotResult.RECLAIMED
    assert await place_of(database, "anna", at=NOON + 9 * MINUTE) is SlotResult.HELD
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == {"bert"}


async def test_what_was_reserved_while_the_clock_was_ahead_goes_on_too(database: Database) -> None:
    for visitor in ("anna", "bert"):
        assert await take(database, visitor, at=NOON + 1_000_000 * MINUTE)
    assert await taken(database) == 0
    assert await place_of(database, "carl") is SlotResult.RECLAIMED
    # Clocks of workers are apart by less.
    await take_all(database, ["dora"])
    assert not await take(database, "emil", at=NOON - 30 * MINUTE)


async def test_as_many_reservations_end_as_are_needed_and_no_more(database: Database) -> None:
    await set_limit(database, 4)
    await take_all(database, ["anna", "bert", "carl", "dora"])
    await set_limit(database, 3)
    assert await place_of(database, "eva", at=NOON + MINUTE) is SlotResult.RECLAIMED
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == {"anna", "bert"}
    assert await taken(database) == 3


async def test_the_place_of_who_has_left_is_free_at_once(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    async with database.writing() as work:
        await work.places.free_place(LINK_ID, "anna", NOON)
    assert await taken(database) == 1
    # They may have the answer all the same.
    await come_back(database, "anna")
    assert await taken(database) == 2
    async with database.writing() as work:
        await work.places.free_place(LINK_ID, "anna", NOON)
        await work.places.free_place(LINK_ID, "bert", NOON)
    assert await place_of(database, "carl") is SlotResult.RECLAIMED
    assert not await take(database, "dora")


async def test_the_same_browser_takes_its_place_again(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    assert await place_of(database, "anna", at=NOON + MINUTE - SECOND) is SlotResult.HELD
    assert not await take(database, "carl", at=NOON + MINUTE - SECOND)
    assert await place_of(database, "carl", at=NOON + MINUTE) is SlotResult.RECLAIMED, "which is bert's"
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == {"bert"}


async def test_newcomers_get_so_many_places_in_an_hour_however_soon_they_leave(database: Database) -> None:
    link, rate = await link_of(database), LocalRate(PLACES_GIVEN, NOON.timestamp)
    places = VisitorSlots(database, NotingAnnouncer(database), SetClock(), given=rate)

    async def come_and_go(visitor: str, address: str) -> None:
        assert await places.take(link, visitor, address, NOON) is SlotResult.TAKEN
        await places.leave([VisitorPass(LINK_ID, VERSION, visitor, 0)])

    # Who finds no room, or has a place already, has been given none.
    await take_all(database, ["anna", "bert"])
    for _ in range(300):
        assert await places.take(link, "carl", "2001:db8::1", NOON) is SlotResult.FULL
        assert await places.take(link, "anna", "2001:db8::1", NOON) is SlotResult.HELD
    await places.leave([VisitorPass(LINK_ID, VERSION, each, 0) for each in ("anna", "bert")])
    for number in range(200):
        await come_and_go(f"visitor{number}", f"2001:db8::{number:x}")
    with pytest.raises(TooManyNewcomers):
        await come_and_go("dora", "2001:db8::ffff")
    await come_and_go("dora", "192.0.2.1")


async def test_who_asked_again_keeps_the_place_that_the_first_try_gives_back(database: Database) -> None:
    await take_all(database, ["anna", "bert"])
    first, again = NOON + MINUTE, NOON + MINUTE + SECOND
    assert await place_of(database, "anna", at=NOON + SECOND) is SlotResult.HELD
    async with database.writing() as work:
        await work.places.free_place(LINK_ID, "anna", NOON + SECOND, reserved_until=first)
        await work.places.give_place_back(LINK_ID, "anna", reserved_until=first)
    assert not await take(database, "carl", at=NOON + SECOND)
    async with database.writing() as work:
        await work.places.give_place_back(LINK_ID, "anna", reserved_until=again)
        await work.places.free_place(LINK_ID, "bert", NOON + SECOND, reserved_until=first)
    assert await taken(database, NOON + SECOND) == 0


async def test_who_leaves_has_ended_also_before_anything_was_told_of_them(database: Database) -> None:
    await take(database, "anna")
    async with database.writing() as work:
        assert await work.places.leave(LINK_ID, "anna", VERSION, NOON)
        assert not await work.places.leave(LINK_ID, "anna", VERSION, NOON + MINUTE)
        assert await work.places.leave(LINK_ID, "bert", VERSION, NOON)
        assert await work.places.leave(LINK_ID, "others-x", VERSION, NOON, distinguished=False)
        assert not await work.places.leave(LINK_ID, "carl", VERSION - 1, NOON)
    assert await taken(database) == 0
    await record(database, "bert", NOON, opening=True)
    assert await counted(database) == (1, 1)
    async with database.reading() as work:
        assert await work.places.ended(LINK_ID) == {"anna", "bert", "others-x"}
        visitors = await work.visits.visitors(LINK_ID, after=None, limit=9)
        assert await work.visits.count_visitors(LINK_ID) == 2
    assert {each.id: each.ended_at for each in visitors} == {"anna": NOON, "bert": NOON}
