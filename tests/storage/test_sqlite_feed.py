"""What holds for the feed of a SQLite file besides the contract."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.storage.following import Worker, append, running
from tests.storage.waiting import until

from guestpass.storage.database import Database


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_it_ends_with_its_thread_when_it_is_cancelled(database: Database) -> None:
    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    worker = Worker(database)
    async with running(worker):
        await until(lambda: "database-feed" in threads())
        assert not any(thread.daemon for thread in threading.enumerate() if thread.name == "database-feed")
    assert "database-feed" not in threads()


async def test_a_restored_database_resets_the_worker_without_being_asked(database: Database, tmp_path: Path) -> None:
    path, backup = tmp_path / "guestpass.db", tmp_path / "backup.db"
    await append(database, "a")
    with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(backup)) as there:
        here.backup(there)
    worker = Worker(database)
    async with running(worker):
        await append(database, "b", "c")
        await worker.feed.announce()
        with closing(sqlite3.connect(path, timeout=20)) as here, closing(sqlite3.connect(backup)) as there:
            there.backup(here)
        await until(lambda: worker.resets)
        await append(database, "d")
        await worker.feed.announce()
    assert worker.heard == ["b", "c", "d"]
    assert worker.resets == 1
