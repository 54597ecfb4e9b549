from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs
from tests import preloaded
from tests.storage.following import Worker, append, is_blind, running
from tests.storage.samples import SetClock
from tests.storage.waiting import until

from guestpass.app.ports import Announcer, ChangeKind
from guestpass.storage.database import Database
from guestpass.storage.feed import postgres, sqlite
from guestpass.storage.tables import changes


@pytest.fixture(autouse=True)
def _connections_that_were_being_made_are_closed(database_url: str) -> Iterator[None]:  # noqa: ARG001 -- ends before it
    """PostgreSQL removes no database while somebody signs in, and the driver leaves that to the garbage collector."""
    yield
    gc.collect()


@asynccontextmanager
async def other_process(url: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Gives a call that commits a change of this id over there, and returns after the commit."""
    async with preloaded.talking_to("committer", url) as (answers, to):

        async def commit(id: str) -> None:
            to.write(f"{id}\n".encode())
            assert (await asyncio.wait_for(answers.readline(), 30)).decode() == f"{id}\n"

        yield commit


async def test_each_commit_of_another_process_wakes_the_feed(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never looks by itself here; how soon it hears is measured by `python -m bench promises`."""
    for module in (sqlite, postgres):
        monkeypatch.setattr(module, "LOOK_INTERVAL_S", 3600.0)
    monkeypatch.setattr(postgres, "HEARTBEAT_S", 3600.0)
    worker = Worker(database)
    async with other_process(database_url) as commit, running(worker):
        for number in range(25):
            await commit(f"link{number}")
            await until(lambda: len(worker.heard) > number)  # noqa: B023 -- awaited within the turn
    assert worker.heard == [f"link{number}" for number in range(25)]
    assert worker.resets == 0


async def test_announcing_returns_when_what_was_committed_has_been_applied(database: Database) -> None:
    worker = Worker(database)
    announcer: Announcer = worker.feed
    await worker.feed.start()
    await append(database, "a", "b")
    assert worker.heard == []
    await announcer.announce()
    assert worker.heard == ["a", "b"]
    await announcer.announce()
    assert worker.heard == ["a", "b"]


async def test_many_who_announce_at_once_each_find_their_own_change_applied_and_none_twice(
    database: Database,
) -> None:
    worker = Worker(database)

    async def change(id: str) -> bool:
        await append(database, id)
        await worker.feed.announce()
        return id in worker.heard

    async with running(worker), asyncio.TaskGroup() as group:
        tasks = [group.create_task(change(f"link{number}")) for number in range(30)]
    assert all(task.result() for task in tasks)
    assert sorted(worker.heard) == sorted(f"link{number}" for number in range(30))
    assert worker.resets == 0


async def test_two_workers_in_one_process_hear_each_other(
    database: Database, open_database: Callable[[], Database]
) -> None:
    one, two = Worker(database), Worker(open_database())
    async with running(one), running(two):
        await append(database, "a")
        await one.feed.announce()
        assert one.heard == ["a"]
        await until(lambda: two.heard == ["a"])


async def test_what_was_committed_before_the_start_is_not_told(database: Database) -> None:
    await append(database, "before")
    worker = Worker(database)
    await worker.feed.start()
    await append(database, "between start and run")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.feed.run())
        await until(lambda: worker.heard)
        task.cancel()
    assert worker.heard == ["between start and run"]
    assert worker.resets == 0


async def test_pruned_rows_that_were_heard_of_are_not_missed(database: Database, clock: SetClock) -> None:
    worker = Worker(database)
    async with running(worker):
        await append(database, "a", "b")
        await worker.feed.announce()
        clock.advance(timedelta(hours=2))
        async with database.writing() as work:
            assert await work.changes.prune(clock.now(), limit=100) == 1
        await append(database, "c")
        await worker.feed.announce()
    assert worker.heard == ["a", "b", "c"]
    assert worker.resets == 0


async def test_a_table_that_was_emptied_resets_the_worker_and_its_numbers_may_come_again(database: Database) -> None:
    worker = Worker(database)
    await append(database, "a", "b")
    await worker.feed.start()
    async with database.writing() as work:
        await work.connection.execute(delete(changes))
    # As many as there were, and more: by their numbers alone nothing seems to have happened.
    await append(database, "c", "d", "e")
    with capture_logs() as logs:
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == ([], 1)
    assert [line["event"] for line in logs] == ["feed_gap", "feed_reset"]
    await append(database, "f")
    await worker.feed.announce()
    assert (worker.heard, worker.resets) == (["f"], 1)


@pytest.mark.parametrize("pruned", [["b"], ["c"], ["a"], ["a", "b"], ["a", "b", "c", "d"]])
async def test_pruned_rows_that_were_not_heard_of_reset_the_worker(database: Database, pruned: list[str]) -> None:
    worker = Worker(database)
    await append(database, "a")
    await worker.feed.start()
    async with database.writing() as work:
        for id in ("b", "c", "d"):
            await work.changes.append(ChangeKind.LINK, id)
        await work.connection.execute(delete(changes).where(changes.c.id.in_(pruned)))
    with capture_logs() as logs:
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == ([], 1)
    assert [line["event"] for line in logs] == ["feed_gap", "feed_reset"]
    await append(database, "e")
    await worker.feed.announce()
    assert (worker.heard, worker.resets) == (["e"], 1)


async def test_a_failing_apply_resets_the_worker_at_once(database: Database) -> None:
    worker = Worker(database)
    await worker.feed.start()
    worker.failing_applies = 1
    await append(database, "a")
    with capture_logs() as logs:
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == ([], 1)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("feed_failed", "error"),
        ("feed_reset", "info"),
        ("feed_recovered", "info"),
    ]
    await append(database, "b")
    await worker.feed.announce()
    assert worker.heard == ["b"]


async def test_a_streak_of_failures_is_logged_once_and_survived(database: Database) -> None:
    worker = Worker(database)
    with capture_logs() as logs:
        async with running(worker):
            worker.failing_applies, worker.failing_resets = 1, 3
            await append(database, "a")
            await until(lambda: worker.resets)
            await append(database, "b")
            await until(lambda: worker.heard)
    assert (worker.heard, worker.resets, worker.failing_resets) == (["b"], 1, 0)
    assert [line["event"] for line in logs] == ["feed_failed", "feed_reset", "feed_recovered"]


async def test_whoever_announces_hears_that_nothing_could_be_done(database: Database) -> None:
    worker = Worker(database)
    await worker.feed.start()
    worker.failing_applies = worker.failing_resets = 1
    await append(database, "a")
    with capture_logs(), pytest.raises(ConnectionError, match="reset"):
        await worker.feed.announce()
    await worker.feed.announce()
    assert worker.resets == 1


async def test_a_database_error_is_survived_and_nothing_is_missed(database: Database) -> None:
    worker = Worker(database)
    await worker.feed.start()
    assert not is_blind(worker)
    with capture_logs() as logs:
        async with database.writing() as work:
            await work.connection.execute(text("ALTER TABLE changes RENAME TO elsewhere"))
        for _ in range(2):
            with pytest.raises(DBAPIError):
                await worker.feed.announce()
        assert is_blind(worker)
        async with database.writing() as work:
            await work.connection.execute(text("ALTER TABLE elsewhere RENAME TO changes"))
        # Only a feed that nobody else wakes can be told when to look: one that looked between the two
        # renamings and read the newest number after the second would rightly reset in place of applying.
        await append(database, "a")
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == (["a"], 0)
    assert not is_blind(worker)
    assert [line["event"] for line in logs] == ["feed_failed", "feed_recovered"]
