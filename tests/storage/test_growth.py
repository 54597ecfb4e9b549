"""What strangers, visitors and environments can make the database grow by: each table has its bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Table, func, select
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    SetClock,
    history_of,
    keep,
    link_of,
    make_environment,
    make_link,
    visit_log,
)

from guestpass.app.ports import Store, UnitOfWork
from guestpass.app.turns import VISITORS, Turn
from guestpass.app.visits import NEWCOMERS_PER_ADDRESS, NEWCOMERS_PER_LINK
from guestpass.domain.finding import Finding
from guestpass.domain.visit import OPENINGS_KEPT, OTHERS, REFUSALS_KEPT
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.storage import tables
from guestpass.storage.database import Database
from guestpass.storage.environments import COOKIE_NAMES_KEPT, REFUSED_CALLS_KEPT
from guestpass.system import SystemEntropy

START = NOON.timestamp()
OF_ADDRESS, OF_LINK = (int(rate.partition("/")[0]) for rate in (NEWCOMERS_PER_ADDRESS, NEWCOMERS_PER_LINK))


class Door:
    """Opens a link as the gateway does, for whoever brings no cookie."""

    def __init__(self, store: Store, clock: SetClock) -> None:
        def time() -> float:
            return clock.now().timestamp()

        self.log = visit_log(
            store,
            clock,
            of_address=LocalRate(NEWCOMERS_PER_ADDRESS, time),
            of_link=LocalRate(NEWCOMERS_PER_LINK, time),
        )
        self._passes = PassSigner(Keys.from_secret("a secret of the tests, long enough"), SystemEntropy())

    def let_in(self, address: str, at: float = START) -> str:
        """Somebody new opens the link; returns the visitor in the pass that they get."""
        distinguished = self.log.distinguish(LINK_ID, address)
        visitor = self._passes.issue(LINK_ID, 3, int(at), distinguished=distinguished).visitor
        self.log.opened(LINK_ID, visitor, at, address=address, user_agent="curl/8")
        return visitor


@pytest.fixture
async def door(database: Database, clock: SetClock) -> Door:
    await keep(database, make_environment(), make_link())
    return Door(database, clock)


async def rows_in(database: Database, table: Table) -> int:
    async with database.reading() as work:
        return (await work.connection.execute(select(func.count()).select_from(table))).scalar_one()


async def counted(database: Database) -> tuple[int, int]:
    link = await link_of(database)
    async with database.reading() as work:
        hours = await work.visits.hours(LINK_ID, NOON - timedelta(days=1))
    assert sum(hours.values()) == link.visits
    return link.visits, link.visitors


async def test_an_address_without_cookies_makes_so_many_rows_and_is_counted_to_the_last_one(
    database: Database, door: Door
) -> None:
    for _ in range(3):
        for number in range(1000):
            door.let_in(f"2001:db8::{number:x}")
        await door.log.flush()
    assert await counted(database) == (3000, 3000)
    assert await rows_in(database, tables.visitors) == OF_ADDRESS + 1
    assert await rows_in(database, tables.link_events) == OF_ADDRESS
    async with database.reading() as work:
        others = await work.visits.visitor(LINK_ID, OTHERS)
    assert others is not None
    assert (others.number, others.visits) == (0, 3000 - OF_ADDRESS)


async def test_many_addresses_together_make_so_many_rows(database: Database, door: Door) -> None:
    for number in range(OF_LINK + 1000):
        door.let_in(f"2001:db8:{number:x}::1")
    await door.log.flush()
    assert await counted(database) == (OF_LINK + 1000, OF_LINK + 1000)
    assert await rows_in(database, tables.visitors) == OF_LINK + 1


async def test_who_comes_later_or_from_elsewhere_is_told_apart(door: Door, clock: SetClock) -> None:
    for _ in range(OF_ADDRESS + 10):
        door.let_in("192.0.2.7")
    assert door.log.distinguish(LINK_ID, "192.0.2.8")
    assert not door.log.distinguish(LINK_ID, "192.0.2.7")
    clock.advance(timedelta(hours=1))
    assert door.log.distinguish(LINK_ID, "192.0.2.7")


async def test_passes_of_others_that_come_back_make_no_rows(database: Database, door: Door) -> None:
    visitors = [door.let_in("192.0.2.7") for _ in range(1000)]
    await door.log.flush()
    before = await rows_in(database, tables.visitors)
    # Another worker, which has seen none of them.
    another = visit_log(database, SetClock())
    for visitor in visitors[OF_ADDRESS:]:
        another.seen(LINK_ID, visitor, START + 7200)
    await another.flush()
    assert await rows_in(database, tables.visitors) == before
    assert await counted(database) == (1000, 1000)


async def test_one_visitor_who_opens_it_on_and_on_is_counted_and_the_history_keeps_the_newest(
    database: Database, door: Door
) -> None:
    for second in range(3):
        for _ in range(3000):
            door.log.opened(LINK_ID, "anna", START + second)
        await door.log.flush()
    assert await counted(database) == (9000, 1)
    assert await rows_in(database, tables.visitors) == 1
    assert await rows_in(database, tables.link_events) <= 100


async def test_the_history_of_a_link_keeps_the_newest_openings(database: Database, door: Door) -> None:
    for second in range(6):
        for number in range(1200):
            door.log.opened(LINK_ID, f"visitor{number}", START + second)
        await door.log.flush()
    assert await counted(database) == (7200, 1200)
    assert OPENINGS_KEPT <= await rows_in(database, tables.link_events) <= OPENINGS_KEPT + 1700
    async with database.reading() as work:
        oldest = (await history_of(work, LINK_ID))[0]
    assert oldest.at.timestamp() > START


async def test_an_environment_that_makes_up_cookies_calls_and_refusals_grows_nothing_without_end(
    database: Database, door: Door
) -> None:
    environment = make_environment()
    for number in range(5000):
        door.log.learned(KEY, f"cookie{number}")
        door.log.refused_call(KEY, f"model{number}", "write", START)
        door.log.refused(LINK_ID, START + number, "password_wrong", "192.0.2.7", request_id=str(number))
        door.log.found(environment, Finding("code", f"detail {number}", "remedy"))
    door.log.learned(KEY, "n" * 5000)
    door.log.refused_call(KEY, "m" * 5000, "write", START)
    for _ in range(3):
        await door.log.flush()
    assert await rows_in(database, tables.http_only_cookies) == COOKIE_NAMES_KEPT
    assert await rows_in(database, tables.refused_calls) == REFUSED_CALLS_KEPT
    assert await rows_in(database, tables.refusals) == REFUSALS_KEPT
    assert await rows_in(database, tables.environment_findings) == 1
    # One for the link's numbers, and one for the environment's cookies, whatever came within the second.
    assert await rows_in(database, tables.changes) <= 3
    async with database.reading() as work:
        assert max(len(name) for name in await work.environments.http_only_cookies(KEY)) < 100


async def test_without_a_database_what_waits_in_memory_has_a_bound(database: Database, clock: SetClock) -> None:
    class Away:
        @asynccontextmanager
        async def reading(self) -> AsyncIterator[UnitOfWork]:
            async with database.reading() as work:
                yield work

        @asynccontextmanager
        async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
            if clock.now() == NOON:
                raise OSError("it is away")
            async with database.writing(turn) as work:
                yield work

    await keep(database, make_environment(), make_link())
    door = Door(Away(), clock)
    for _ in range(20_000):
        door.let_in("192.0.2.7")
        door.log.opened(LINK_ID, "anna", START)
    with pytest.raises(OSError, match="away"):
        await door.log.flush()
    assert len(door.log._marks) <= OF_ADDRESS + 2
    assert sum(len(mark.starts) for mark in door.log._marks.values()) <= OF_ADDRESS + 20
    # And nothing was lost.
    clock.advance(timedelta(seconds=1))
    await door.log.flush()
    assert await counted(database) == (40_000, 20_001)
