from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from tests.storage.racing import race
from tests.storage.samples import SetClock

from guestpass.app.counters import PENDING, Charge, Exhausted, Limit, charge, check
from guestpass.app.ports import Counter
from guestpass.storage.database import Database
from guestpass.storage.tables import rate_counters

FEW, MANY = Limit("3/10minute", "few"), Limit("100/hour", "many")
ONE, TWO, THREE = FEW.counter("link", "one"), FEW.counter("link", "two"), FEW.counter("link", "three")
ALL = MANY.counter("link")


class Door:
    """What is charged and settled, as the use cases do it."""

    def __init__(self, database: Database, clock: SetClock) -> None:
        self.database = database
        self.clock = clock

    async def charge(self, *groups: Sequence[Counter], pending: bool = False) -> Charge | Exhausted:
        return await charge(self.database, self.clock, groups, pending=pending)

    async def charged(self, *groups: Sequence[Counter], pending: bool = False) -> Charge:
        given = await self.charge(*groups, pending=pending)
        assert isinstance(given, Charge)
        return given

    async def settle(self, given: Charge, *, refund: bool) -> dict[Counter, int]:
        """Settle it; how much then counts of each."""
        async with self.database.writing() as work:
            standings = await work.counters.settle(given.counters, self.clock.now(), refund=refund)
        return {counter: standing.counted for counter, standing in standings.items()}

    async def spent(self, *counters: Counter) -> list[int]:
        async with self.database.reading() as work:
            standings = await work.counters.read(counters, self.clock.now())
        return [standings[each].spent for each in counters]


@pytest.fixture
def door(database: Database, clock: SetClock) -> Door:
    return Door(database, clock)


async def test_all_counters_of_a_way_are_charged_or_none_is(door: Door) -> None:
    for _ in range(3):
        await door.charged([ONE, ALL])
    assert await door.charge([ONE, ALL]) == Exhausted(600, may_open=False)
    assert await door.charge([ALL, ONE, TWO]) == Exhausted(600, may_open=False)
    assert await door.spent(ONE, TWO, ALL) == [3, 0, 3]


async def test_where_one_way_is_full_the_next_is_taken(door: Door, clock: SetClock) -> None:
    for _ in range(3):
        await door.charged([ONE], [TWO, ALL])
    clock.advance(timedelta(minutes=4))
    for _ in range(3):
        await door.charged([ONE], [TWO, ALL])
    assert await door.spent(ONE, TWO, ALL) == [3, 3, 3]
    # The one that opens first counts.
    assert await door.charge([ONE], [TWO, ALL]) == Exhausted(360, may_open=False)


async def test_what_is_pending_may_be_given_back_and_what_is_settled_may_not(door: Door) -> None:
    pending = [await door.charged([ONE, ALL], pending=True) for _ in range(3)]
    assert await door.charge([ONE, ALL], pending=True) == Exhausted(600, may_open=True)
    assert await door.settle(pending[0], refund=False) == {ONE: 1, ALL: 1}
    assert await door.settle(pending[1], refund=True) == {ONE: 1, ALL: 1}
    again = await door.charged([ONE, ALL], pending=True)
    assert await door.settle(again, refund=False) == {ONE: 2, ALL: 2}
    assert await door.settle(pending[2], refund=False) == {ONE: 3, ALL: 3}
    assert await door.charge([ONE, ALL], pending=True) == Exhausted(600, may_open=False)


async def test_what_nobody_settles_counts_after_a_while(door: Door, clock: SetClock) -> None:
    for _ in range(3):
        await door.charged([ONE], pending=True)
    clock.advance(PENDING - timedelta(seconds=1))
    assert await door.charge([ONE]) == Exhausted(591, may_open=True)
    clock.advance(timedelta(seconds=1))
    assert await door.charge([ONE]) == Exhausted(590, may_open=False)


async def test_what_was_charged_before_a_window_began_anew_is_not_given_back_to_it(door: Door, clock: SetClock) -> None:
    short = Limit("3/5second", "short").counter("one")
    before = await door.charged([short, ALL], pending=True)
    clock.advance(timedelta(seconds=5))
    now = await door.charged([short, ALL], pending=True)
    assert await door.settle(before, refund=True) == {ALL: 0}
    assert await door.spent(short, ALL) == [1, 1]
    assert await door.settle(now, refund=False) == {short: 1, ALL: 1}


async def test_what_was_given_back_leaves_nothing(door: Door, database: Database) -> None:
    await door.settle(await door.charged([ONE, ALL], pending=True), refund=True)
    async with database.reading() as work:
        assert (await work.connection.execute(select(func.count()).select_from(rate_counters))).scalar_one() == 0


async def test_who_is_refused_keeps_nobody_from_writing(door: Door, open_database: Callable[[], Database]) -> None:
    for _ in range(3):
        await door.charged([ONE, ALL])
    async with open_database().writing(), door.database.reading() as work:
        assert await check(work, [[ONE, ALL]], door.clock.now()) == Exhausted(600, may_open=False)


async def test_all_counters_of_one_link_are_cleared_and_no_others(door: Door, database: Database) -> None:
    others = [FEW.counter("link2", "one"), FEW.counter("lin", "kone"), Limit("3/hour", "other").counter("link", "one")]
    own = [ONE, TWO, FEW.counter("link"), ALL]
    for each in (*own, *others):
        await door.charged([each])
    async with database.writing() as work:
        await work.counters.clear_below([FEW.below("link"), MANY.below("link")])
    assert await door.spent(*own) == [0] * 4
    assert await door.spent(*others) == [1] * 3


async def test_a_clock_that_was_set_back_shuts_nobody_out_for_longer_than_a_window(door: Door, clock: SetClock) -> None:
    for _ in range(3):
        await door.charged([ONE, ALL])
    clock.advance(timedelta(days=-30))
    assert await door.charge([ONE, ALL]) == Exhausted(600, may_open=False)
    clock.advance(timedelta(seconds=600))
    await door.charged([ONE, ALL])


async def test_nothing_is_pending_for_longer_because_a_clock_was_set_back(door: Door, clock: SetClock) -> None:
    # Whoever charged it was killed.
    for _ in range(3):
        await door.charged([ONE], pending=True)
    clock.advance(timedelta(days=-30))
    await door.charge([ONE])
    clock.advance(PENDING)
    assert await door.charge([ONE]) == Exhausted((timedelta(seconds=600) - PENDING).total_seconds(), may_open=False)


async def test_several_processes_together_charge_no_more_than_there_is(database_url: str) -> None:
    results = await race(database_url, "charge_and_settle")
    # Of 30 each third was right: the others count, and never more than 12 of them.
    assert results.count("wrong") == 12
    assert results.count("right") + results.count("shut") + 12 == 30
    assert results.count("right") > 0


@pytest.mark.parametrize("order", list(itertools.permutations([ONE, TWO, THREE])))
async def test_the_order_of_counters_does_not_matter(door: Door, order: tuple[Counter, ...]) -> None:
    given = await door.charged(order, pending=True)
    assert {each.counter for each in given.counters} == set(order)
    assert await door.settle(given, refund=False) == dict.fromkeys(order, 1)
