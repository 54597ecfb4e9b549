from __future__ import annotations

from datetime import timedelta

import pytest
from tests.storage.samples import LINK_ID, NOON, SetClock, keep, make_environment, make_link
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.ports import SlotResult
from guestpass.app.visitor_slots import FREED_PER_ADDRESS, PLACES_GIVEN, RESERVED, TooManyNewcomers, VisitorSlots
from guestpass.domain.visitor_pass import OTHERS, PREVIEW, VisitorPass
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.storage.database import Database

LINK = make_link(max_visitors=2)
HERE = "192.0.2.7"


@pytest.fixture
async def slots(database: Database, announcer: NotingAnnouncer, clock: SetClock) -> VisitorSlots:
    await keep(database, make_environment(), LINK)
    seconds = clock.time.timestamp
    return VisitorSlots(
        database,
        announcer,
        clock,
        freed=LocalRate(FREED_PER_ADDRESS, seconds),
        given=LocalRate(PLACES_GIVEN, seconds),
    )


def pass_of(visitor: str) -> VisitorPass:
    return VisitorPass(LINK_ID, LINK.version, visitor, int(NOON.timestamp()))


async def test_a_link_without_a_limit_has_room_for_everybody_and_nothing_is_written(
    slots: VisitorSlots, database: Database
) -> None:
    unlimited = make_link(max_visitors=None)
    for number in range(5):
        assert await slots.take(unlimited, f"visitor{number}", HERE, NOON) is SlotResult.TAKEN
    async with database.reading() as work:
        assert await work.places.places_taken([LINK_ID], NOON) == {}


async def test_who_finds_no_room_gets_in_once_somebody_has_left(
    slots: VisitorSlots, announcer: NotingAnnouncer
) -> None:
    for visitor in ("anna", "bert"):
        assert await slots.take(LINK, visitor, HERE, NOON) is SlotResult.TAKEN
    assert await slots.take(LINK, "carl", HERE, NOON) is SlotResult.FULL
    assert announcer.announced == []
    await slots.leave([pass_of("anna")])
    assert announcer.announced == [[f"link:{LINK_ID}"]]
    assert await slots.take(LINK, "carl", HERE, NOON) is SlotResult.TAKEN


async def test_a_place_whose_pass_never_came_back_goes_to_somebody_else_and_is_told(
    slots: VisitorSlots, announcer: NotingAnnouncer
) -> None:
    for visitor in ("anna", "bert"):
        await slots.take(LINK, visitor, HERE, NOON)
    late = NOON + RESERVED + timedelta(seconds=1)
    assert await slots.take(LINK, "carl", HERE, late) is SlotResult.RECLAIMED
    assert announcer.announced == [[f"link:{LINK_ID}"]]


async def test_a_place_that_is_freed_or_given_back_is_free_at_once(slots: VisitorSlots, clock: SetClock) -> None:
    for visitor in ("anna", "bert"):
        await slots.take(LINK, visitor, HERE, NOON)
    await slots.give_back(LINK_ID, "anna", NOON)
    assert await slots.take(LINK, "carl", HERE, NOON) is SlotResult.TAKEN
    clock.advance(timedelta(seconds=1))
    await slots.free(LINK_ID, "bert", HERE, NOON)
    assert await slots.take(LINK, "dora", HERE, clock.now()) is SlotResult.RECLAIMED


async def test_one_address_is_given_so_many_places_and_what_was_not_given_costs_nothing(slots: VisitorSlots) -> None:
    for number in range(200):
        visitor = f"visitor{number}"
        assert await slots.take(LINK, visitor, HERE, NOON) is SlotResult.TAKEN
        await slots.leave([pass_of(visitor)])
    with pytest.raises(TooManyNewcomers) as raised:
        await slots.take(LINK, "one more", HERE, NOON)
    assert raised.value.seconds > 0
    for visitor in ("anna", "bert"):
        assert await slots.take(LINK, visitor, "198.51.100.1", NOON) is SlotResult.TAKEN
    for _ in range(300):
        assert await slots.take(LINK, "carl", "203.0.113.9", NOON) is SlotResult.FULL


async def test_who_is_not_told_apart_and_was_signed_in_nowhere_leaves_nothing(
    slots: VisitorSlots, database: Database
) -> None:
    await slots.leave([])
    await slots.leave([pass_of(f"{OTHERS}x"), pass_of(f"{PREVIEW}x")])
    async with database.reading() as work:
        assert await work.changes.last() == 0
