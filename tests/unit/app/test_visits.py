from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from tests.storage.samples import KEY, LINK_ID, NOON, SetClock, keep, link_of, make_environment, make_link, visit_log

from guestpass.app.ports import UnitOfWork
from guestpass.app.turns import VISITORS, Turn
from guestpass.app.visits import FLUSH_SECONDS, VisitLog
from guestpass.domain.finding import Finding
from guestpass.domain.visit import AddressDetail, Agent, Refusal, Visitor
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.storage.database import Database

OTHER_ID = "bbbbbbbbbbbbbbbb"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
async def store(database: Database) -> Database:
    await keep(database, make_environment(), make_link(), make_link(OTHER_ID))
    return database


@pytest.fixture
def log(store: Database, clock: SetClock) -> VisitLog:
    return visit_log(store, clock)


def opened(log: VisitLog, at: datetime, visitor: str = "anna", link_id: str = LINK_ID) -> None:
    log.opened(link_id, visitor, at.timestamp())


def seen(log: VisitLog, at: datetime, visitor: str = "anna", link_id: str = LINK_ID) -> None:
    log.seen(link_id, visitor, at.timestamp())


async def counted(store: Database, link_id: str = LINK_ID) -> tuple[int, int, datetime | None]:
    link = await link_of(store, link_id)
    return link.visits, link.visitors, link.last_opened_at


async def test_an_opening_is_a_visit_once_it_is_flushed(store: Database, log: VisitLog) -> None:
    opened(log, NOON)
    assert await counted(store) == (0, 0, None)
    await log.flush()
    assert await counted(store) == (1, 1, NOON)
    await log.flush()
    assert await counted(store) == (1, 1, NOON)
    assert await counted(store, OTHER_ID) == (0, 0, None)


async def test_requests_that_follow_are_the_same_visit(store: Database, log: VisitLog, clock: SetClock) -> None:
    opened(log, NOON)
    for number in range(100):
        clock.time = NOON + number * MINUTE
        seen(log, clock.time)
        await log.flush()
    assert await counted(store) == (1, 1, NOON)


@pytest.mark.parametrize("flushed", [True, False])
@pytest.mark.parametrize(
    ("silence", "visits"),
    [(30 * MINUTE - SECOND, 1), (30 * MINUTE, 2), (30 * MINUTE + SECOND, 2), (48 * 60 * MINUTE, 2)],
)
async def test_the_first_request_after_thirty_silent_minutes_is_a_visit(
    store: Database, log: VisitLog, clock: SetClock, silence: timedelta, visits: int, flushed: bool
) -> None:
    opened(log, NOON)
    last = NOON + 7 * MINUTE
    seen(log, last)
    if flushed:
        clock.time = last
        await log.flush()
    back = last + silence
    for at in (back, back + SECOND, back + 2 * SECOND):
        seen(log, at)
    clock.time = back + 2 * SECOND
    await log.flush()
    assert await counted(store) == (visits, 1, back if visits == 2 else NOON)


async def test_silence_is_each_visitors_own(store: Database, log: VisitLog) -> None:
    opened(log, NOON, "anna")
    opened(log, NOON + SECOND, "bert")
    seen(log, NOON + 20 * MINUTE, "bert")
    seen(log, NOON + 40 * MINUTE, "anna")
    seen(log, NOON + 41 * MINUTE, "bert")
    await log.flush()
    assert await counted(store) == (3, 2, NOON + 40 * MINUTE)


async def test_the_same_visitor_counts_for_each_link(store: Database, log: VisitLog) -> None:
    opened(log, NOON)
    opened(log, NOON + SECOND, link_id=OTHER_ID)
    await log.flush()
    assert await counted(store) == (1, 1, NOON)
    assert await counted(store, OTHER_ID) == (1, 1, NOON + SECOND)


async def test_opening_again_is_another_visit_of_the_same_visitor(store: Database, log: VisitLog) -> None:
    opened(log, NOON)
    opened(log, NOON + SECOND)
    await log.flush()
    opened(log, NOON + MINUTE)
    await log.flush()
    assert await counted(store) == (3, 1, NOON + MINUTE)


async def test_two_workers_count_one_start_once(store: Database, log: VisitLog, clock: SetClock) -> None:
    """The page is opened through one worker, what it embeds comes through both; after a silence both see a start."""
    other = visit_log(store, clock)
    opened(log, NOON)
    for at in (NOON + SECOND, NOON + 2 * SECOND):
        seen(other, at)
    await asyncio.gather(log.flush(), other.flush())
    assert await counted(store) == (1, 1, NOON)
    back = NOON + 45 * MINUTE
    seen(log, back)
    seen(other, back + SECOND)
    clock.time = back + SECOND
    await asyncio.gather(other.flush(), log.flush())
    visits, visitors, newest = await counted(store)
    assert (visits, visitors) == (2, 1)
    assert newest in {back, back + SECOND}


async def test_a_restarted_worker_goes_on_where_the_other_ended(
    store: Database, log: VisitLog, clock: SetClock
) -> None:
    opened(log, NOON)
    seen(log, NOON + 20 * MINUTE)
    await log.flush()
    restarted = visit_log(store, clock)
    seen(restarted, NOON + 40 * MINUTE)
    await restarted.flush()
    assert await counted(store) == (1, 1, NOON)


async def test_visits_of_a_link_that_is_gone_are_dropped(store: Database, log: VisitLog) -> None:
    opened(log, NOON)
    opened(log, NOON, link_id=OTHER_ID)
    async with store.writing() as work:
        await work.links.remove(LINK_ID)
    await log.flush()
    assert await counted(store, OTHER_ID) == (1, 1, NOON)


async def refusals(store: Database, link_id: str = LINK_ID) -> list[Refusal]:
    async with store.reading() as work:
        return await work.refusals.of_link(link_id)


def refused(log: VisitLog, at: datetime, address: str = "192.0.2.7", link_id: str = LINK_ID, **given: str) -> None:
    log.refused(link_id, at.timestamp(), "link_expired", address, **given)


async def test_refusals_are_told_with_what_the_visitor_was_shown(store: Database, clock: SetClock) -> None:
    log = visit_log(store, clock, agent_of=lambda text: Agent(text.upper(), None))
    refused(log, NOON, request_id="a1-7", user_agent="firefox")
    refused(log, NOON + SECOND)
    await log.flush()
    await log.flush()
    assert await refusals(store) == [
        Refusal(LINK_ID, NOON + SECOND, "link_expired", None, "", None, "192.0.2.0/24"),
        Refusal(LINK_ID, NOON, "link_expired", "a1-7", "FIREFOX", None, "192.0.2.0/24"),
    ]


async def test_a_flood_of_refusals_fills_neither_memory_nor_database_and_the_newest_are_kept(
    store: Database, log: VisitLog
) -> None:
    refused(log, NOON, link_id=OTHER_ID)
    for number in range(5000):
        refused(log, NOON + number * SECOND)
        refused(log, NOON, link_id=f"gone{number}")
    assert sum(len(each) for each in log._refusals.values()) <= 1100
    await log.flush()
    assert [each.at for each in await refusals(store)] == [NOON + number * SECOND for number in range(4999, 4949, -1)]
    assert len(await refusals(store, OTHER_ID)) == 1
    refused(log, NOON + 5000 * SECOND)
    await log.flush()
    assert (await refusals(store))[0].at == NOON + 5000 * SECOND
    assert log._refusals == {}


async def visitor(store: Database, id: str = "anna") -> Visitor | None:
    async with store.reading() as work:
        return await work.visits.visitor(LINK_ID, id)


@pytest.mark.parametrize(
    ("detail", "kept"),
    [
        (AddressDetail.FULL, "2001:db8:1:2::3"),
        (AddressDetail.SHORTENED, "2001:db8:1::/48"),
        (AddressDetail.NONE, None),
    ],
)
async def test_no_more_of_an_address_is_kept_than_is_allowed(
    store: Database, clock: SetClock, detail: AddressDetail, kept: str | None
) -> None:
    log = visit_log(store, clock, addresses=detail)
    log.opened(LINK_ID, "anna", NOON.timestamp(), address="2001:db8:1:2::3")
    refused(log, NOON, "2001:db8:1:2::3")
    await log.flush()
    anna = await visitor(store)
    assert anna is not None
    assert [anna.address, (await refusals(store))[0].address] == [kept, kept]
    async with store.reading() as work:
        dump = str([tuple(row) for row in await work.connection.exec_driver_sql("SELECT * FROM visitors, refusals")])
    assert ("2001:db8:1:2::3" in dump) is (detail is AddressDetail.FULL)


async def test_an_opening_tells_the_browser_and_a_request_takes_nothing_back(store: Database, clock: SetClock) -> None:
    log = visit_log(store, clock, agent_of=lambda text: Agent(text, "Linux"))
    log.opened(LINK_ID, "anna", NOON.timestamp(), address="192.0.2.7", user_agent="Firefox 142")
    await log.flush()
    seen(log, NOON + 31 * MINUTE)
    clock.time = NOON + 31 * MINUTE
    await log.flush()
    anna = await visitor(store)
    assert anna is not None
    assert (anna.browser, anna.system, anna.address, anna.visits) == ("Firefox 142", "Linux", "192.0.2.0/24", 2)


async def test_a_visitor_who_goes_on_asking_is_never_more_than_half_a_minute_behind(
    store: Database, log: VisitLog, clock: SetClock
) -> None:
    opened(log, NOON)
    await log.flush()
    for seconds in range(1, 200):
        clock.time = NOON + seconds * SECOND
        seen(log, clock.time)
        await log.flush()
        anna = await visitor(store)
        assert anna is not None
        assert clock.time - anna.last_seen <= 30 * SECOND
        assert anna.is_live(clock.time)


async def test_the_last_request_is_told_too(store: Database, log: VisitLog, clock: SetClock) -> None:
    opened(log, NOON)
    await log.flush()
    seen(log, NOON + 20 * SECOND)
    for seconds in range(20, 60):
        clock.time = NOON + seconds * SECOND
        await log.flush()
    anna = await visitor(store)
    assert anna is not None
    assert anna.last_seen == NOON + 20 * SECOND


async def test_who_only_has_something_open_is_there_until_it_closes(store: Database, clock: SetClock) -> None:
    open_now = {(LINK_ID, "anna"), (LINK_ID, "never_opened")}
    log = visit_log(store, clock, present=lambda: open_now)
    opened(log, NOON)
    await log.flush()
    for seconds in range(1, 40 * 60):
        clock.time = NOON + seconds * SECOND
        await log.flush()
    anna = await visitor(store)
    assert anna is not None
    assert clock.time - anna.last_seen <= 30 * SECOND
    assert await visitor(store, "never_opened") is None
    # It was silent, however long it stayed open.
    seen(log, clock.time)
    open_now.clear()
    await log.flush()
    assert await counted(store) == (2, 1, clock.time)
    ended = clock.time
    for seconds in range(1, 120):
        clock.time = ended + seconds * SECOND
        await log.flush()
    anna = await visitor(store)
    assert anna is not None
    assert anna.last_seen <= ended + SECOND
    assert not anna.is_live(clock.time)


async def test_who_is_there_is_told_in_few_transactions(store: Database, clock: SetClock) -> None:
    counting = FailingStore(store)
    counting.failing = False
    log = visit_log(counting, clock, present=lambda: [(LINK_ID, f"visitor{number}") for number in range(50)])
    for number in range(50):
        opened(log, NOON, f"visitor{number}")
    for seconds in range(300):
        clock.time = NOON + seconds * SECOND
        await log.flush()
    assert counting.attempts <= 15


async def test_cookie_names_are_learnt(store: Database, log: VisitLog) -> None:
    log.learned(KEY, "sid")
    log.learned(KEY, "sid")
    log.learned(KEY, "caf\xe9")
    await log.flush()
    async with store.reading() as work:
        assert await work.environments.http_only_cookies(KEY) == {"sid", "caf\xe9"}
        number = await work.changes.last()
    await log.flush()
    async with store.reading() as work:
        assert await work.changes.last() == number, "what is known is not written again"


async def test_what_visitors_meet_with_is_told_to_the_owner_once_a_flush(store: Database, log: VisitLog) -> None:
    async with store.reading() as work:
        environment = await work.environments.get(KEY)
    assert environment is not None
    finding = Finding("x", "It is so.", "Do that.")
    for _ in range(3):
        for _ in range(3):
            log.found(environment, finding)
        await log.flush()
        async with store.reading() as work:
            assert await work.environments.findings(KEY.org) == {KEY: (finding,)}
    assert log._findings == {}


async def test_memory_does_not_grow_with_the_visitors_of_former_days(
    store: Database, log: VisitLog, clock: SetClock
) -> None:
    for number in range(100):
        opened(log, NOON, f"visitor{number}")
    await log.flush()
    assert len(log._marks) == 100
    clock.time = NOON + 31 * MINUTE
    await log.flush()
    assert len(log._marks) == 0
    seen(log, clock.time, "visitor7")
    await log.flush()
    assert await counted(store) == (101, 100, clock.time)


class FailingStore:
    """A database that is gone for as long as `failing` says."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.failing = True
        self.attempts = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        async with self._store.reading() as work:
            yield work

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
        async with self._store.writing(turn) as work:
            yield work
            self.attempts += 1
            if self.failing:
                raise OSError("the disk is full")


async def test_what_could_not_be_written_is_written_later(store: Database, clock: SetClock) -> None:
    failing = FailingStore(store)
    log = visit_log(failing, clock)
    opened(log, NOON)
    refused(log, NOON)
    log.learned(KEY, "sid")
    with pytest.raises(OSError, match="full"):
        await log.flush()
    opened(log, NOON + SECOND, "bert")
    assert await counted(store) == (0, 0, None)
    failing.failing = False
    await log.flush()
    assert await counted(store) == (2, 2, NOON + SECOND)
    assert len(await refusals(store)) == 1
    async with store.reading() as work:
        assert await work.environments.http_only_cookies(KEY) == {"sid"}


async def test_what_happens_during_a_flush_is_kept_for_the_next(store: Database, clock: SetClock) -> None:
    class Meanwhile(FailingStore):
        @asynccontextmanager
        async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
            async with super().writing(turn) as work:
                yield work
                if self.attempts == 0:
                    opened(telling, NOON + SECOND)
                    refused(telling, NOON + SECOND, request_id="second")
                    telling.learned(KEY, "second")

    busy = Meanwhile(store)
    busy.failing = False
    telling = visit_log(busy, clock)
    opened(telling, NOON)
    refused(telling, NOON, request_id="first")
    telling.learned(KEY, "first")
    await telling.flush()
    assert await counted(store) == (1, 1, NOON)
    await telling.flush()
    assert await counted(store) == (2, 1, NOON + SECOND)
    assert [each.request_id for each in await refusals(store)] == ["second", "first"]
    async with store.reading() as work:
        assert await work.environments.http_only_cookies(KEY) == {"first", "second"}


async def test_a_running_log_flushes_by_itself_and_outlives_a_failure(store: Database, clock: SetClock) -> None:
    failing = FailingStore(store)
    log = visit_log(failing, clock)
    async with asyncio.TaskGroup() as group, asyncio.timeout(20 * FLUSH_SECONDS):
        running = group.create_task(log.run())
        opened(log, NOON)
        while not failing.attempts:  # noqa: ASYNC110 -- the log sets no event
            await asyncio.sleep(0.01)
        failing.failing = False
        while await counted(store) == (0, 0, None):  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.01)
        running.cancel()
    assert await counted(store) == (1, 1, NOON)


async def test_newcomers_who_open_nothing_are_counted_and_keep_nothing_from_being_written(
    store: Database, clock: SetClock
) -> None:
    log = visit_log(store, clock, of_address=LocalRate("1/hour", NOON.timestamp))
    assert log.distinguish(LINK_ID, "192.0.2.1")
    # They gave the password, and went away before they followed its answer.
    assert not log.distinguish(LINK_ID, "192.0.2.1")
    assert not log.distinguish(LINK_ID, "192.0.2.1")
    opened(log, NOON, link_id=OTHER_ID)
    await log.flush()
    assert await counted(store) == (0, 2, None)
    assert await counted(store, OTHER_ID) == (1, 1, NOON)
