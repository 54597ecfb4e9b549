"""Odoos are told of each session that is over: where it was made, until they have heard it, and none at the cost of
another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs
from tests.authenticators import FakeAuthenticator, sign_outs
from tests.storage.samples import KEY, NOON, SetClock, make_environment
from tests.storage.waiting import until
from tests.unit.app.stopping_store import FailingStore

from guestpass.app.sign_outs import CLAIM, FIRST_PAUSE, LONGEST_PAUSE, REMEMBERED, RETRY_FOR, SignOuts
from guestpass.domain.environment import EnvironmentKey, OdooAddress
from guestpass.storage.database import Database
from guestpass.storage.tables import odoo_sign_outs

HERE = make_environment().odoo_address
THERE = replace(HERE, environment=EnvironmentKey("default", "other"), url="http://10.0.0.9:8069")
TICK = timedelta(microseconds=1)


@pytest.fixture
def authenticator() -> FakeAuthenticator:
    return FakeAuthenticator()


@pytest.fixture
def teller(database: Database, clock: SetClock, authenticator: FakeAuthenticator) -> SignOuts:
    return sign_outs(database, clock, authenticator)


async def end(database: Database, teller: SignOuts, *ids: str, at: OdooAddress = HERE) -> None:
    async with database.writing() as work:
        for id in ids:
            await teller.record(work, at, id)


async def left(database: Database) -> int:
    async with database.reading() as work:
        return (await work.connection.execute(select(func.count()).select_from(odoo_sign_outs))).scalar_one()


async def next_due(database: Database) -> datetime:
    async with database.reading() as work:
        due_at: datetime = (await work.connection.execute(select(func.min(odoo_sign_outs.c.due_at)))).scalar_one()
        return due_at


def told(authenticator: FakeAuthenticator) -> list[str]:
    return [id for _, id in authenticator.told]


async def test_each_session_is_told_where_it_was_made_and_forgotten(
    database: Database, authenticator: FakeAuthenticator, teller: SignOuts
) -> None:
    await end(database, teller, *map(str, range(12)))
    await end(database, teller, "elsewhere", at=THERE)
    await teller.end_due()
    assert sorted(authenticator.told, key=str) == sorted(
        [*((HERE, str(n)) for n in range(12)), (THERE, "elsewhere")], key=str
    )
    assert await left(database) == 0


async def test_no_id_lies_readable_in_the_table(database: Database, teller: SignOuts) -> None:
    await end(database, teller, "a secret id")
    async with database.reading() as work:
        [row] = (await work.connection.execute(select(odoo_sign_outs))).all()
    assert b"a secret id" not in repr(row).encode()


async def test_an_odoo_that_does_not_listen_is_told_again_after_growing_pauses(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator, teller: SignOuts
) -> None:
    await end(database, teller, "one", "two")
    authenticator.closed.add(HERE.url)
    pauses: list[timedelta] = []
    for number in range(15):
        await teller.end_due()
        assert len(authenticator.told) == number + 1, "the others there are not tried in vain"
        due_at = await next_due(database)
        pauses.append(due_at - clock.now())
        clock.time = due_at - TICK
        await teller.end_due()
        assert len(authenticator.told) == number + 1
        clock.time = due_at
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    authenticator.closed.clear()
    authenticator.told.clear()
    await teller.end_due()
    assert sorted(told(authenticator)) == ["one", "two"]
    assert await left(database) == 0


async def test_an_odoo_that_hangs_holds_up_nobody_else(database: Database, clock: SetClock) -> None:
    waits = asyncio.Event()

    class HangingDoor(FakeAuthenticator):
        async def sign_out(self, at: OdooAddress, session_id: str) -> None:
            if at == HERE:
                await waits.wait()
            await super().sign_out(at, session_id)

    authenticator = HangingDoor()
    teller = sign_outs(database, clock, authenticator)
    await end(database, teller, "first", "second")
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(teller.run())
        await end(database, teller, *map(str, range(60)), at=THERE)
        teller.wake()
        await until(lambda: len(authenticator.told) == 60)
        # Neither does it hold up what ends there later.
        await end(database, teller, "later", at=THERE)
        await until(lambda: "later" in told(authenticator))
        assert "first" not in told(authenticator)
        waits.set()
        await until(lambda: {"first", "second"} <= set(told(authenticator)))
        running.cancel()


async def test_a_worker_that_dies_loses_no_sign_out(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator, teller: SignOuts
) -> None:
    await end(database, teller, "one")
    async with database.writing() as work:
        assert await work.odoo_sign_outs.claim(HERE, now=NOON, until=NOON + CLAIM, limit=5)
    await teller.end_due()
    assert authenticator.told == []
    clock.advance(CLAIM)
    await teller.end_due()
    assert told(authenticator) == ["one"]


async def test_of_two_workers_one_tells(database: Database, clock: SetClock, authenticator: FakeAuthenticator) -> None:
    both = [sign_outs(database, clock, authenticator) for _ in range(2)]
    await end(database, both[0], *map(str, range(30)))
    await asyncio.gather(*(each.end_due() for each in both))
    assert sorted(told(authenticator)) == sorted(map(str, range(30)))


async def test_a_session_that_odoo_refuses_to_end_keeps_no_other_from_it(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator, teller: SignOuts
) -> None:
    authenticator.refusing.add("refused")
    await end(database, teller, "refused", "next")
    await teller.end_due()
    assert told(authenticator) == ["refused", "next"]
    assert await left(database) == 1
    authenticator.refusing.clear()
    clock.advance(FIRST_PAUSE)
    await teller.end_due()
    assert await left(database) == 0


async def test_after_a_week_it_is_given_up_with_one_line_in_the_log(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator, teller: SignOuts
) -> None:
    authenticator.closed.add(HERE.url)
    await end(database, teller, *map(str, range(9)))
    clock.time = NOON + RETRY_FOR - TICK
    with capture_logs() as logs:
        await teller.end_due()
        assert await left(database) == 9
        clock.advance(FIRST_PAUSE)
        await teller.end_due()
    assert await left(database) == 0
    [line] = [each for each in logs if each["event"] == "odoo_sessions_given_up"]
    assert (line["sessions"], line["environment"]) == (9, str(KEY))


async def test_no_more_are_kept_for_one_odoo_than_a_bound(
    database: Database, authenticator: FakeAuthenticator, teller: SignOuts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestpass.app.sign_outs.KEPT_FOR_ADDRESS", 3)
    authenticator.closed.add(HERE.url)
    await end(database, teller, *map(str, range(9)))
    await end(database, teller, *map(str, range(9)), at=replace(THERE, url=HERE.url))
    await teller.end_due()
    assert await left(database) == 6


async def test_what_another_key_sealed_is_forgotten(
    database: Database, authenticator: FakeAuthenticator, teller: SignOuts, clock: SetClock
) -> None:
    async with database.writing() as work:
        await work.odoo_sign_outs.add(HERE, "a" * 16, "bert", b"sealed by nobody", clock.now())
    await teller.end_due()
    assert authenticator.told == []
    assert await left(database) == 0


# What can't be written down.


async def lose(teller: SignOuts, id: str) -> None:
    with suppress(OSError), teller.ending_what_fails(HERE, id):
        raise OSError


async def test_what_can_not_be_written_down_is_told_from_memory(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator
) -> None:
    teller = sign_outs(FailingStore(database), clock, authenticator)
    authenticator.closed.add(HERE.url)
    await lose(teller, "one")
    for _ in range(2):
        await teller.end_due()
    authenticator.closed.clear()
    for _ in range(2):
        await teller.end_due()
    assert told(authenticator) == ["one"] * 3, "it is told again and again until it was heard"


async def test_it_is_written_down_as_soon_as_that_can_be(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator
) -> None:
    store = FailingStore(database)
    teller = sign_outs(store, clock, authenticator)
    authenticator.closed.add(HERE.url)
    await lose(teller, "one")
    store.failing = False
    await teller.write_down()
    assert await left(database) == 1
    authenticator.closed.clear()
    await sign_outs(database, clock, authenticator).end_due()
    assert told(authenticator) == ["one"]


async def test_memory_holds_so_many_and_no_more(
    database: Database, clock: SetClock, authenticator: FakeAuthenticator
) -> None:
    store = FailingStore(database)
    teller = sign_outs(store, clock, authenticator)
    for number in range(REMEMBERED + 5):
        await lose(teller, str(number))
    store.failing = False
    await teller.write_down()
    assert await left(database) == REMEMBERED


async def test_a_session_that_nobody_wrote_down_is_ended_now_or_later(
    database: Database, authenticator: FakeAuthenticator, teller: SignOuts
) -> None:
    await teller.end(HERE, "now")
    assert (told(authenticator), await left(database)) == (["now"], 0)
    authenticator.closed.add(HERE.url)
    await teller.end(HERE, "later")
    assert await left(database) == 1
