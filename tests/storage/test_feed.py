from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import delete, text
from structlog.testing import capture_logs
from tests.storage.waiting import until

from guestpass.app.ports import Announcer, Change, ChangeKind
from guestpass.storage.database import Database
from guestpass.storage.feed import SQLiteFeed
from guestpass.storage.tables import changes


class Worker:
    """A worker that notes what its feed tells; it fails as often as it is told to."""

    def __init__(self, database: Database) -> None:
        self.heard: list[str] = []
        self.heard_at: list[float] = []
        self.resets = 0
        self.failing_applies = 0
        self.failing_resets = 0
        self.feed = SQLiteFeed(database, self.apply, self.reset)

    async def apply(self, changes: Sequence[Change]) -> None:
        if self.failing_applies:
            self.failing_applies -= 1
            raise ConnectionError("apply")
        await asyncio.sleep(0)
        self.heard += [change.id for change in changes]
        self.heard_at += [time.monotonic()] * len(changes)

    async def reset(self) -> None:
        if self.failing_resets:
            self.failing_resets -= 1
            raise ConnectionError("reset")
        await asyncio.sleep(0)
        self.resets += 1


async def append(database: Database, *ids: str) -> None:
    async with database.writing() as work:
        for id in ids:
            await work.changes.append(ChangeKind.LINK, id)


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    await worker.feed.start()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.feed.run())
        yield
        task.cancel()


@asynccontextmanager
async def other_process(url: str) -> AsyncIterator[Callable[[str], asyncio.Future[float]]]:
    """Gives a call that commits a change of this id over there, and returns the moment after the commit."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.storage.other_process", url),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    to, answers = process.stdin, process.stdout

    async def commit(id: str) -> float:
        to.write(f"{id}\n".encode())
        return float(await asyncio.wait_for(answers.readline(), 30))

    try:
        yield commit  # type: ignore[misc]
    finally:
        to.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_commit_of_another_process_is_heard_within_50_ms_at_the_median(
    database: Database, database_url: str
) -> None:
    worker = Worker(database)
    async with other_process(database_url) as commit, running(worker):
        delays = []
        for number in range(25):
            committed = await commit(f"link{number}")
            await until(lambda: len(worker.heard) > number)  # noqa: B023 -- awaited within the turn
            delays.append(worker.heard_at[number] - committed)
    assert worker.heard == [f"link{number}" for number in range(25)]
    assert worker.resets == 0
    assert statistics.median(delays) <= 0.05


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


async def test_it_ends_with_its_thread_when_it_is_cancelled(database: Database) -> None:
    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    worker = Worker(database)
    async with running(worker):
        await until(lambda: "database-feed" in threads())
        assert not any(thread.daemon for thread in threading.enumerate() if thread.name == "database-feed")
    assert "database-feed" not in threads()


async def test_pruned_rows_that_were_heard_of_are_not_missed(database: Database) -> None:
    worker = Worker(database)
    async with running(worker):
        await append(database, "a", "b")
        await worker.feed.announce()
        async with database.writing() as work:
            await work.connection.execute(delete(changes))
        await append(database, "c")
        await worker.feed.announce()
    assert worker.heard == ["a", "b", "c"]
    assert worker.resets == 0


@pytest.mark.parametrize("pruned", [["b"], ["b", "c"], ["b", "c", "d"], ["c"], ["d"]])
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


async def test_a_restored_database_resets_the_worker_without_being_asked(database: Database, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    await append(database, "a")
    with closing(sqlite3.connect(database.path)) as here, closing(sqlite3.connect(backup)) as there:
        here.backup(there)
    worker = Worker(database)
    async with running(worker):
        await append(database, "b", "c")
        await worker.feed.announce()
        with closing(sqlite3.connect(database.path, timeout=20)) as here, closing(sqlite3.connect(backup)) as there:
            there.backup(here)
        await until(lambda: worker.resets)
        await append(database, "d")
        await worker.feed.announce()
    assert worker.heard == ["b", "c", "d"]
    assert worker.resets == 1


async def test_a_failing_apply_resets_the_worker_at_once(database: Database) -> None:
    worker = Worker(database)
    await worker.feed.start()
    worker.failing_applies = 1
    await append(database, "a")
    with capture_logs() as logs:
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == ([], 1)
    assert [(line["event"], line["log_level"]) for line in logs] == [("feed_failed", "error"), ("feed_reset", "info")]
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
    assert [line["event"] for line in logs] == ["feed_failed", "feed_reset"]


async def test_whoever_announces_hears_that_nothing_could_be_done(database: Database) -> None:
    worker = Worker(database)
    await worker.feed.start()
    worker.failing_applies = worker.failing_resets = 1
    await append(database, "a")
    with capture_logs(), pytest.raises(ConnectionError, match="reset"):
        await worker.feed.announce()
    await worker.feed.announce()
    assert worker.resets == 1


async def test_a_database_error_is_survived(database: Database) -> None:
    worker = Worker(database)
    await worker.feed.start()
    with capture_logs() as logs:
        async with database.writing() as work:
            await work.connection.execute(text("ALTER TABLE changes RENAME TO elsewhere"))
        await worker.feed.announce()
        async with database.writing() as work:
            await work.connection.execute(text("ALTER TABLE elsewhere RENAME TO changes"))
        # Only a feed that nobody else wakes can be told when to look: one that looked between the two
        # renamings and read the newest number after the second would rightly reset in place of applying.
        await append(database, "a")
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == (["a"], 1)
    assert [line["event"] for line in logs] == ["feed_failed", "feed_reset"]
