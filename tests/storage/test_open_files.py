"""A SQLite file that is not the one that was opened any more, or is damaged in part."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.storage.following import Worker, append, running
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    SetClock,
    keep,
    link_of,
    make_account,
    make_environment,
    make_link,
    make_session,
)
from tests.storage.waiting import until

from guestpass.app.ports import Activity
from guestpass.domain.branding import Branding
from guestpass.storage import open_files
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database
from guestpass.storage.open_files import COMPANIONS, OpenFiles
from guestpass.storage.outages import in_words


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guestpass.db"


def _put_a_copy_over(path: Path) -> None:
    copy = path.with_name("copy.db")
    with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)
    copy.replace(path)


def _move(path: Path, to: Path) -> None:
    path.rename(to)


def _remove(end: str) -> Callable[[Path], None]:
    return lambda path: path.with_name(f"{path.name}{end}").unlink()


@pytest.mark.parametrize(
    ("happens", "word"),
    [
        (_put_a_copy_over, "guestpass.db was replaced"),
        (_remove(""), "guestpass.db was removed"),
        (_remove("-wal"), "guestpass.db-wal was removed"),
        (_remove("-shm"), "guestpass.db-shm was removed"),
    ],
    ids=["replaced", "removed", "log removed", "index removed"],
)
async def test_another_file_at_its_place_is_noticed_unasked_and_nothing_is_read_or_written(
    database: Database, path: Path, happens: Callable[[Path], None], word: str
) -> None:
    await keep(database, make_environment(), make_link())
    worker = Worker(database)
    async with running(worker):
        await append(database, "a")
        await worker.feed.announce()
        # Its watch knows the log as soon as it has looked once.
        await until(lambda: database.files is not None and len(database.files._known) == 3)
        happens(path)
        await until(lambda: database.lost is not None)
        assert word in str(database.lost)
        with pytest.raises(OperationalError) as reading:
            await link_of(database)
        assert in_words(reading.value) == "its file was replaced or removed"
        with pytest.raises(OperationalError):
            await append(database, "b")
        assert database.unwritable is None


async def test_what_is_written_into_a_file_that_went_meanwhile_is_not_said_to_be_kept(
    database: Database, path: Path
) -> None:
    async def write() -> None:
        async with database.writing() as work:
            await work.environments.add(make_environment())
            _move(path, path.with_name("elsewhere"))

    with pytest.raises(OperationalError):
        await write()


async def test_the_same_file_put_back_is_used_again(database: Database, path: Path) -> None:
    await keep(database, make_environment(), make_link())
    worker = Worker(database)
    async with running(worker):
        _move(path, path.with_name("elsewhere"))
        await until(lambda: database.lost is not None)
        _move(path.with_name("elsewhere"), path)
        await until(lambda: database.lost is None)
        await append(database, "a")
        await worker.feed.announce()
    assert worker.heard == ["a"]


NEEDED = (
    "accounts", "branding", "changes", "environments", "link_tokens", "links", "odoo_sessions", "rate_counters",
    "visitors",
    # What is read by these alone, or first.
    *(f"sqlite_autoindex_{each}_1" for each in ("http_only_cookies", "links", "link_tokens", "visitors")),
)  # fmt: skip


async def _keep_one_of_each(database: Database, clock: SetClock) -> None:
    await keep(database, make_environment(), make_link())
    async with database.writing() as work:
        await work.accounts.put(make_account())
        await work.brandings.put("default", Branding(name="Agency"), at=NOON, by="olga")
        await work.environments.learn_http_only_cookies(KEY, ["sid"])
        await work.visits.record([Activity(LINK_ID, "anna", ((NOON, True),), NOON)])
        session = make_session(sealed=None, revision=0)
        await work.odoo_sessions.claim(session, claim="c", now=NOON, until=NOON)
    assert await DatabaseBudget(database, clock, "3/hour", "test").spend("anna") is None


@pytest.mark.parametrize("what", NEEDED)
async def test_damage_in_any_table_that_visitors_need_is_noticed(
    database: Database, open_database: Callable[[], Database], path: Path, clock: SetClock, what: str
) -> None:
    await _keep_one_of_each(database, clock)
    await database.check_tables()
    await database.close()
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [what]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    again = open_database()
    with pytest.raises(OperationalError) as found:
        await again.check_tables()
    assert in_words(found.value) == again.damage == "its file is damaged"


def test_a_log_that_is_found_while_the_files_are_looked_at_is_no_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    files = OpenFiles(path)
    path.with_name("guestpass.db-wal").touch()
    identity = open_files._identity

    def found(looked_at: Path) -> tuple[int, int] | None:
        monkeypatch.setattr(open_files, "_identity", identity)
        files.remember(*COMPANIONS)
        return identity(looked_at)

    monkeypatch.setattr(open_files, "_identity", found)
    assert files.lost() is None
    path.with_name("guestpass.db-wal").unlink()
    assert files.lost() == f"{path}-wal was removed while it was in use"
