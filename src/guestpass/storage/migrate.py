"""Migrate a database to this version's schema, or report how they differ. Everything here is synchronous."""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sqlite3
import time
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, column, inspect, select, table

from guestpass.storage.connecting import BUSY_TIMEOUT_S, reading, writing
from guestpass.storage.dialect import insert
from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, SQLiteFile, locate
from guestpass.storage.migrations import versions
from guestpass.storage.tables import instance

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION: Final = table("alembic_version", column("version_num"))
WORKS_WITH: Final = "works_with"
"""The instance fact that names the oldest revision whose program works with the present schema."""


class DatabaseState(StrEnum):
    """How a database's revision compares to this version's."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    """At this version's revision, or at a later compatible one."""
    NEWER = "newer"
    """Migrated by a newer, incompatible version."""


def head_revision() -> str:
    """Return the newest revision that this version knows."""
    return known_revisions()[-1]


@cache
def known_revisions() -> tuple[str, ...]:
    """Return this version's revisions, oldest first: the numbers that its migrations' file names begin with.

    Read once, since an upgrade may replace the files while this process runs.
    """
    names = (module.name for module in pkgutil.iter_modules(versions.__path__))
    return tuple(sorted(name.partition("_")[0] for name in names))


def current_revision(url: str) -> str | None:
    """Return the database's revision; None if it is missing or empty. Raises DatabaseUnusable."""
    location = locate(url)
    if isinstance(location, SQLiteFile) and not location.path.exists():
        return None
    with reading(location) as connection:
        return _revision_of(connection, location)


def database_state(url: str) -> DatabaseState:
    """Return whether the database is missing, current, older or newer. Raises DatabaseUnusable."""
    location = locate(url)
    if isinstance(location, SQLiteFile) and not location.path.exists():
        return DatabaseState.MISSING
    with reading(location) as connection:
        return _state_of(connection, location)


def require_current(url: str) -> None:
    """Raise DatabaseUnusable, with the remedy, unless the database exists and this version can work with it."""
    location = locate(url)
    match database_state(url):
        case DatabaseState.MISSING:
            raise DatabaseUnusable(
                f"There is no database {location}; `guestpass serve` or `guestpass db upgrade` makes it. "
                f"If yours is elsewhere, set DATA_DIR or DATABASE_URL."
            )
        case DatabaseState.OLDER:
            raise DatabaseUnusable(
                f"The database {location} is older than this program; run `guestpass db upgrade` (keep a copy)."
            )
        case DatabaseState.NEWER:
            raise _newer(location)
        case DatabaseState.CURRENT:
            pass


def upgrade(url: str) -> None:
    """Migrate the database to this version's revision; a missing SQLite file is created (mode 0600).

    One transaction with the write lock: all or nothing, and concurrent callers wait for each other. Raises
    DatabaseUnusable for a newer database, one that is not ours, and a missing directory.
    """
    location = locate(url)
    if isinstance(location, SQLiteFile):
        _create(location.path)
    elif database_state(url) is DatabaseState.CURRENT:
        # Without a migration, take no write lock: restarting one machine must not block the writers of others.
        return
    with writing(location) as connection:
        match _state_of(connection, location):
            case DatabaseState.NEWER:
                raise _newer(location)
            case DatabaseState.OLDER:
                _migrate(connection)
    if isinstance(location, SQLiteFile):
        _use_write_ahead_log(location.path)


def _newer(location: SQLiteFile | PostgresDatabase) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"The database {location} was made by a newer Guestpass; install that version again, or restore a copy from "
        f"before its upgrade."
    )


def _create(path: Path) -> None:
    """Make the file readable for its owner only; SQLite gives its companion files the same mode."""
    try:
        # Open only new files: closing an existing one would release this process's own POSIX locks on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise DatabaseUnusable(
            f"The directory {path.parent} for the database does not exist; create it first."
        ) from None
    except OSError as error:
        raise DatabaseUnusable(f"The database {path} can't be created: {error.strerror}.") from None


def _use_write_ahead_log(path: Path) -> None:
    """Switch the file to WAL mode, which persists; retry, as SQLite doesn't wait where two processes switch at once."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise DatabaseUnusable(f"The database {path} can't be used: {error}.") from error
                time.sleep(0.02)
            else:
                return


def _state_of(connection: Connection, location: SQLiteFile | PostgresDatabase) -> DatabaseState:
    revision = _revision_of(connection, location)
    if revision == head_revision():
        return DatabaseState.CURRENT
    known = known_revisions()
    if revision is None or revision in known:
        return DatabaseState.OLDER
    works_with = connection.execute(select(instance.c.value).where(instance.c.key == WORKS_WITH)).scalar()
    return DatabaseState.CURRENT if works_with in known else DatabaseState.NEWER


def _migrate(connection: Connection) -> None:
    # Loaded here: Alembic takes 11 MiB, and most processes find their database current.
    from alembic import command  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = _config(connection)
    command.upgrade(config, "head")
    newest = ScriptDirectory.from_config(config).get_revision(head_revision())
    _write_works_with(connection, str(getattr(newest.module, "works_with", newest.down_revision)))


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see `_migrate`

    config = Config()
    # A package name instead of a path: works wherever it is installed, and needs no escaping.
    config.set_main_option("script_location", "guestpass.storage:migrations")
    config.attributes["connection"] = connection
    return config


def _write_works_with(connection: Connection, oldest: str) -> None:
    """Record the oldest revision whose program works with this schema.

    During a rolling upgrade machines of the version before go on serving, and may have to restart processes.
    """
    row = insert(instance).values(key=WORKS_WITH, value=oldest)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))


def _revision_of(connection: Connection, location: SQLiteFile | PostgresDatabase) -> str | None:
    tables = inspect(connection).get_table_names()
    revision = connection.execute(select(_VERSION.c.version_num)).scalar() if _VERSION.name in tables else None
    if revision is None and tables:
        raise DatabaseUnusable(f"{location} is a database of something else; name another one in DATABASE_URL.")
    return revision
