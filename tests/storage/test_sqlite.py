"""What holds for the SQLite file besides the contract."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from tests.storage.samples import LINK_ID, SetClock, keep, link_of, make_environment, make_link
from tests.storage.waiting import until

from guestpass.storage import migrate
from guestpass.storage.database import Database


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guestpass.db"


async def test_every_connection_is_set_up_alike(database: Database) -> None:
    async with database.reading() as reading, database.writing() as writing:
        for work, query_only in ((reading, 1), (writing, 0)):
            settings = {
                name: (await work.connection.execute(text(f"PRAGMA {name}"))).scalar()
                for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout", "query_only")
            }
            assert settings == {
                "journal_mode": "wal",
                "foreign_keys": 1,
                "synchronous": 2,
                "busy_timeout": 10_000,
                "query_only": query_only,
            }


async def test_writing_while_reading_is_an_error(database: Database) -> None:
    await keep(database, make_environment(), make_link())
    with pytest.raises(OperationalError, match="readonly"):
        async with database.reading() as work:
            await work.links.remove(LINK_ID)
    assert await link_of(database) == make_link()


async def test_a_copy_that_lost_its_write_ahead_log_mode_gets_it_back(
    database: Database, path: Path, tmp_path: Path
) -> None:
    await keep(database, make_environment(), make_link())
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    restored = Database(f"sqlite:///{copy}", SetClock())
    assert await link_of(restored) == make_link()
    await restored.close()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_missing_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'absent.db'}", SetClock())
    with pytest.raises(OperationalError, match="unable to open"):
        async with database.reading():
            pass
    await database.close()
    assert not (tmp_path / "absent.db").exists()
    # The driver does not wait for the thread of a connection that failed, and it must not outlive the loop.
    await until(lambda: not any("_connection_worker" in thread.name for thread in threading.enumerate()))


async def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    directory = tmp_path / "a b#c%20d&e=f'ü"
    directory.mkdir()
    url = f"sqlite:///{directory}/guest pass%.db"
    migrate.upgrade(url)
    database = Database(url, SetClock())
    await keep(database, make_environment(), make_link())
    await database.close()
    assert (directory / "guest pass%.db").stat().st_size > 0


async def test_errors_do_not_repeat_what_was_to_be_kept(database: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        await keep(database, make_link(label="confidential", password_hash="$argon2id$confidential"))
    assert "confidential" not in str(caught.value)


async def test_closing_leaves_one_file_with_what_was_written_and_no_connection(
    database: Database, path: Path, open_database: Callable[[], Database]
) -> None:
    other = open_database()
    await keep(database, make_environment(), make_link())
    assert await link_of(other) == make_link()
    turns = {path.with_name(f"guestpass.db-{what}") for what in ("next", "turn")}
    log = {path.with_name(f"guestpass.db-{what}") for what in ("wal", "shm")}
    assert set(path.parent.iterdir()) == {path} | turns | log
    await database.close()
    await other.close()
    assert set(path.parent.iterdir()) == {path} | turns
    assert all(not each.stat().st_size and not each.stat().st_mode & 0o077 for each in turns)
