from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from tests.storage.racing import race
from tests.storage.samples import SetClock

from guestpass.app.ports import Budget
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database
from guestpass.storage.tables import rate_counters

ADDRESS = "2001:db8::7"


@pytest.fixture
def budget(database: Database, clock: SetClock) -> DatabaseBudget:
    return DatabaseBudget(database, clock, "3/10minute", "sign-in")


async def use_up(budget: Budget, *key: str) -> None:
    assert [await budget.spend(*key) for _ in range(3)] == [None, None, None]


async def counters(database: Database) -> int:
    async with database.reading() as work:
        return (await work.connection.execute(select(func.count()).select_from(rate_counters))).scalar_one()


async def test_what_is_spent_is_refused_with_the_time_until_there_is_more(
    budget: DatabaseBudget, clock: SetClock
) -> None:
    await use_up(budget, "link", ADDRESS)
    assert await budget.spend("link", ADDRESS) == 600
    clock.advance(timedelta(seconds=599))
    assert await budget.spend("link", ADDRESS) == 1
    clock.advance(timedelta(seconds=1))
    await use_up(budget, "link", ADDRESS)
    assert await budget.spend("link", ADDRESS) == 600


async def test_a_window_begins_with_the_first(budget: DatabaseBudget, clock: SetClock) -> None:
    for _ in range(3):
        assert await budget.spend("link", ADDRESS) is None
        clock.advance(timedelta(minutes=3))
    assert await budget.spend("link", ADDRESS) == 60
    clock.advance(timedelta(minutes=1))
    await use_up(budget, "link", ADDRESS)


async def test_refused_tries_make_the_wait_no_longer(budget: DatabaseBudget, clock: SetClock) -> None:
    await use_up(budget, "link", ADDRESS)
    for minute in range(10):
        assert await budget.spend("link", ADDRESS) == 60 * (10 - minute)
        clock.advance(timedelta(minutes=1))
    await use_up(budget, "link", ADDRESS)


@pytest.mark.parametrize("other", [("link", "192.0.2.7"), ("lin", f"k{ADDRESS}"), (f"link/{ADDRESS}",), (), ("link",)])
async def test_each_key_has_its_own(budget: DatabaseBudget, other: tuple[str, ...]) -> None:
    await use_up(budget, "link", ADDRESS)
    await use_up(budget, *other)
    assert await budget.spend("link", ADDRESS) == 600


async def test_each_purpose_has_its_own(budget: DatabaseBudget, database: Database, clock: SetClock) -> None:
    await use_up(budget, ADDRESS)
    await use_up(DatabaseBudget(database, clock, "3/10minute", "password"), ADDRESS)
    assert await budget.spend(ADDRESS) == 600


async def test_who_is_refused_keeps_nobody_from_writing(
    budget: DatabaseBudget, open_database: Callable[[], Database]
) -> None:
    await use_up(budget, ADDRESS)
    async with open_database().writing():
        assert await budget.spend(ADDRESS) == 600


async def test_what_is_refused_was_not_spent(budget: DatabaseBudget, database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(budget.spend("link", ADDRESS)) for _ in range(20)]
    assert [task.result() for task in tasks].count(None) == 3
    async with database.reading() as work:
        assert (await work.connection.execute(select(rate_counters.c.spent))).scalars().all() == [3]


async def test_a_counter_does_not_say_whose_it_is(budget: DatabaseBudget, database: Database) -> None:
    await budget.spend("link", ADDRESS)
    async with database.reading() as work:
        [row] = await work.connection.execute(select(rate_counters))
    assert "sign-in" in row.key
    assert ADDRESS not in str(row)


async def test_counters_that_are_over_go_little_by_little(
    budget: DatabaseBudget, database: Database, clock: SetClock
) -> None:
    for number in range(25):
        await budget.spend(str(number))
    assert await counters(database) == 25
    clock.advance(timedelta(minutes=5))
    await budget.spend("later")
    assert await counters(database) == 26
    clock.advance(timedelta(minutes=5))
    for left in (15, 5, 0):
        await budget.spend("now")
        assert await counters(database) == left + 2
    await budget.spend("later")
    await budget.spend("later")
    assert await budget.spend("later") == 300


@pytest.mark.parametrize("limit", ["", "often", "3 times"])
def test_a_limit_that_can_not_be_read_is_refused(database: Database, clock: SetClock, limit: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        DatabaseBudget(database, clock, limit, "sign-in")


async def test_several_processes_together_spend_no_more_than_there_is(database_url: str) -> None:
    results = await race(database_url, "spend")
    assert len(results) == 30
    assert sum(result is None for result in results) == 25
    assert all(0 < result <= 3600 for result in results if result is not None)


async def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_a_window(
    budget: DatabaseBudget, clock: SetClock
) -> None:
    await use_up(budget, "link", ADDRESS)
    clock.advance(timedelta(days=-30))
    assert await budget.spend("link", ADDRESS) == 600
    clock.advance(timedelta(seconds=600))
    await use_up(budget, "link", ADDRESS)
