"""A migration must leave the program of the revision before working: it may add, and not yet take away.

What that program says to the database is played by statements that name everything that it knew of: it inserts into,
reads, changes and deletes from each of its tables, naming each column as SQLAlchemy does.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    insert,
    select,
    update,
)
from tests.postgres.databases import Databases

from guestpass.storage import migrate
from guestpass.storage.connecting import reading, writing
from guestpass.storage.location import DatabaseUnusable, locate
from guestpass.storage.migrate import DatabaseState

REVISIONS = migrate.known_revisions()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        (tmp_path / "guestpass.db").touch()
        return f"sqlite:///{tmp_path / 'guestpass.db'}"
    databases: Databases = request.getfixturevalue("postgres_databases")
    return databases.cluster.url(databases.make(template="template0"))


class FormerProgram:
    """A program that knows the tables as they are now, and works with them whatever becomes of them."""

    def __init__(self, url: str) -> None:
        self.location = locate(url)
        self.tables = MetaData()
        with reading(self.location) as connection:
            self.tables.reflect(connection)
        self.tables.remove(self.tables.tables["alembic_version"])

    def write(self, number: int) -> None:
        """Add a row to every table, change all that can be changed in it, and delete it again."""
        with writing(self.location) as connection:
            for table in self.tables.sorted_tables:
                connection.execute(insert(table).values(self._row(table, number)))
            for table in self.tables.sorted_tables:
                row = self._row(table, number)
                of_it = [column == row[column.name] for column in table.primary_key if column.name in row]
                content = {name: value for name, value in row.items() if not table.c[name].primary_key}
                if of_it and content:
                    assert connection.execute(update(table).where(*of_it).values(content)).rowcount == 1
            for table in reversed(self.tables.sorted_tables):
                row = self._row(table, number)
                connection.execute(delete(table).where(*(table.c[name] == value for name, value in row.items())))

    def read(self) -> None:
        """Read every column of every table."""
        with reading(self.location) as connection:
            for table in self.tables.sorted_tables:
                connection.execute(select(table)).all()

    def _row(self, table: Table, number: int) -> dict[str, Any]:
        return {
            column.name: _value(column, number)
            for column in table.columns
            # The database numbers these itself.
            if not (column.primary_key and isinstance(column.type, Integer) and len(table.primary_key.columns) == 1)
        }


def _value(column: Column[Any], number: int) -> object:
    """Something of the column's type, and what a row refers to is in the row of that number there."""
    for key in column.foreign_keys:
        return _value(key.column, number)
    match column.type:
        case Boolean():
            return True
        case Integer() | BigInteger():
            return number
        case DateTime():
            return datetime(2026, 3, 1, 12, 0, number % 60, tzinfo=UTC if _keeps_zones(column) else None)
        case LargeBinary():
            return f"{column.table.name}.{column.name} {number}".encode()
        case _:
            return f"{column.table.name}.{column.name} {number}"


def _keeps_zones(column: Column[Any]) -> bool:
    return bool(getattr(column.type, "timezone", False))


def bring_to(url: str, revision: str) -> None:
    with writing(locate(url)) as connection:
        command.upgrade(migrate._config(connection), revision)


@contextmanager
def under_load(*works: Callable[[int], None]) -> Iterator[list[int]]:
    """Do these things again and again in threads of their own; gives how often each was done by now.

    Raises what one of them raised.
    """
    stop, done, raised = threading.Event(), [0] * len(works), list[BaseException]()

    def repeat(position: int) -> None:
        try:
            while not stop.is_set():
                works[position](1000 * (position + 1) + done[position])
                done[position] += 1
        except Exception as error:  # noqa: BLE001 -- the test raises it
            raised.append(error)

    threads = [threading.Thread(target=repeat, args=(position,)) for position in range(len(works))]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for error in raised:
        raise error


def wait_until(condition: Callable[[], bool], stopped: threading.Event) -> None:
    for _ in range(2000):
        if condition():
            return
        stopped.wait(0.01)
    raise TimeoutError


@pytest.mark.parametrize(("before", "after"), list(itertools.pairwise(REVISIONS)))
def test_the_program_of_the_revision_before_goes_on_working(url: str, before: str, after: str) -> None:
    bring_to(url, before)
    former = FormerProgram(url)
    assert len(former.tables.tables) >= 9
    former.write(1)
    bring_to(url, after)
    former.write(2)
    former.read()


def test_the_newest_migration_runs_while_the_program_before_is_at_work(url: str) -> None:
    bring_to(url, REVISIONS[-2])
    former, never = FormerProgram(url), threading.Event()
    with under_load(former.write, lambda _: former.read()) as done:
        wait_until(lambda: min(done) >= 3, never)
        migrate.upgrade(url)
        upgraded_at = list(done)
        wait_until(lambda: all(now >= then + 3 for now, then in zip(done, upgraded_at, strict=True)), never)
    assert migrate.database_state(url) is DatabaseState.CURRENT


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE links RENAME COLUMN label TO name",
        "ALTER TABLE links ADD COLUMN colour VARCHAR NOT NULL DEFAULT ''; ALTER TABLE links DROP COLUMN label",
        "DROP TABLE revoked_tokens",
    ],
)
def test_it_would_notice_what_takes_away(url: str, change: str) -> None:
    bring_to(url, "head")
    former = FormerProgram(url)
    former.write(1)
    with writing(locate(url)) as connection:
        for statement in change.split("; "):
            connection.exec_driver_sql(statement)
    for use in (former.read, lambda: former.write(2)):
        with pytest.raises(DatabaseUnusable):
            use()


def test_a_program_says_whether_it_can_go_on_with_what_a_newer_one_left(url: str) -> None:
    migrate.upgrade(url)
    location = locate(url)
    for works_with, state in ((REVISIONS[-1], DatabaseState.CURRENT), ("another", DatabaseState.NEWER)):
        with writing(location) as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'of tomorrow'")
            connection.exec_driver_sql(f"UPDATE instance SET value = '{works_with}' WHERE key = 'works_with'")
        assert migrate.database_state(url) is state
    with pytest.raises(DatabaseUnusable, match="made by a newer"):
        migrate.upgrade(url)
    with writing(location) as connection:
        connection.exec_driver_sql(f"UPDATE instance SET value = '{REVISIONS[-1]}' WHERE key = 'works_with'")
    # A process of the former version that starts again neither refuses nor upgrades anything.
    migrate.upgrade(url)
    migrate.require_current(url)
    assert migrate.current_revision(url) == "of tomorrow"
