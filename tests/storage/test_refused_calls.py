from __future__ import annotations

from datetime import timedelta

import pytest
from tests.storage.racing import race
from tests.storage.samples import KEY, NOON, keep, make_environment

from guestpass.app.ports import RefusedCall, Store
from guestpass.domain.environment import EnvironmentKey
from guestpass.storage.database import Database

SECOND = EnvironmentKey("default", "second")
LATER = NOON + timedelta(hours=1)


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_environment(SECOND))
    return database


async def add(store: Store, *calls: RefusedCall, key: EnvironmentKey = KEY) -> None:
    async with store.writing() as work:
        await work.environments.add_refused_calls({key: calls})


async def counted(store: Store, key: EnvironmentKey = KEY) -> list[RefusedCall]:
    async with store.reading() as work:
        return await work.environments.refused_calls(key)


async def test_counts_add_up_and_the_newest_time_stays(database: Database) -> None:
    await add(database, RefusedCall("res.partner", "write", 2, LATER), RefusedCall("sale.order", "write", 7, NOON))
    await add(database, RefusedCall("res.partner", "write", 3, NOON), RefusedCall("sale.order", "write", 1, LATER))
    await add(database, RefusedCall("res.partner", "unlink", 1, NOON), RefusedCall("res.partner", "unlink", 1, LATER))
    await add(database)
    assert await counted(database) == [
        RefusedCall("sale.order", "write", 8, LATER),
        RefusedCall("res.partner", "write", 5, LATER),
        RefusedCall("res.partner", "unlink", 2, LATER),
    ]
    assert await counted(database, SECOND) == []


async def test_equals_are_told_by_name(database: Database) -> None:
    calls = [RefusedCall(model, method, 1, NOON) for model in ("a", "b") for method in ("x", "y")]
    await add(database, *reversed(calls))
    assert await counted(database) == calls


async def test_at_most_500_methods_are_counted_and_those_that_are_go_on(database: Database) -> None:
    await add(database, *(RefusedCall("a", f"method{number:03}", 1, NOON) for number in range(498)))
    await add(database, *(RefusedCall("b", f"method{number:03}", 1, NOON) for number in range(10)))
    kept = await counted(database)
    assert len(kept) == 500
    assert [call.method for call in kept if call.model == "b"] == ["method000", "method001"]
    await add(database, RefusedCall("c", "new", 1, NOON), RefusedCall("b", "method001", 4, LATER))
    after = await counted(database)
    assert len(after) == 500
    assert after[0] == RefusedCall("b", "method001", 5, LATER)
    await add(database, RefusedCall("c", "new", 1, NOON), key=SECOND)
    assert await counted(database, SECOND) == [RefusedCall("c", "new", 1, NOON)]


async def test_they_go_with_their_environment_and_come_to_none_that_is_gone(database: Database) -> None:
    call = RefusedCall("res.partner", "write", 1, NOON)
    await add(database, call)
    await add(database, call, key=SECOND)
    async with database.writing() as work:
        assert await work.environments.remove(KEY)
    await add(database, call)
    assert await counted(database) == []
    await keep(database, make_environment())
    assert await counted(database) == []
    assert await counted(database, SECOND) == [call]


async def test_no_count_of_several_processes_is_lost(database: Database, database_url: str) -> None:
    await race(database_url, "refuse")
    everybodys, *own = await counted(database)
    assert everybodys == RefusedCall("res.partner", "everybodys", 60, NOON)
    assert len(own) == 30
    assert {call.count for call in own} == {1}
