"""Bring a database to this program's tables, or say how the two differ. Everything here is synchronous."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from guestpass.storage.connecting import BUSY_TIMEOUT_S, reading, writing
from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, SQLiteFile, locate


class DatabaseState(StrEnum):
    """How a database stands to this program."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


def head_revision() -> str:
    """The newest revision that this program knows."""
    revision = _scripts().get_current_head()
    assert revision is not None  # noqa: S101 -- the package ships at least the first revision
    return revision


def current_revision(url: str) -> str | None:
    """The revision of the database; None when it is missing or has no tables yet. Raises DatabaseUnusable."""
    location = locate(url)
    if isinstance(location, SQLiteFile) and not location.path.exists():
        return None
    with reading(location) as connection:
        return _revision_of(connection, location)


def database_state(url: str) -> DatabaseState:
    """Whether the database is missing, or older or newer than this program. Raises DatabaseUnusable."""
    location = locate(url)
    if isinstance(location, SQLiteFile) and not location.path.exists():
        return DatabaseState.MISSING
    return _state_of(current_revision(url))


def require_current(url: str) -> None:
    """Raise DatabaseUnusable, with the remedy, unless the database is there and of this program's revision."""
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
    """Bring the database to this program's revision; a SQLite file that is missing is created (mode 0600).

    All or nothing, in one transaction that holds the write lock; processes and machines that do it at once wait for
    each other. Raises DatabaseUnusable for a newer database, one that is not ours, and a directory that is missing.
    """
    location = locate(url)
    if isinstance(location, SQLiteFile):
        _create(location.path)
    elif database_state(url) is DatabaseState.CURRENT:
        # Who restarts one of many machines keeps no writer of the others waiting.
        return
    with writing(location) as connection:
        revision = _revision_of(connection, location)
        if _state_of(revision) is DatabaseState.NEWER:
            raise _newer(location)
        command.upgrade(_config(connection), "head")
    if isinstance(location, SQLiteFile):
        _use_write_ahead_log(location.path)


def _newer(location: SQLiteFile | PostgresDatabase) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"The database {location} was made by a newer Guestpass; install that version again, or restore a copy from "
        f"before its upgrade."
    )


def _create(path: Path) -> None:
    """Make the file readable for its owner only; SQLite gives its companion files the same mode."""
    if not path.parent.is_dir():
        raise DatabaseUnusable(f"The directory {path.parent} for the database does not exist; create it first.")
    try:
        # Only a new file is opened here: closing one that exists would end this process's own locks on it (POSIX).
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise DatabaseUnusable(f"The database {path} can't be created: {error.strerror}.") from None


def _use_write_ahead_log(path: Path) -> None:
    """Switch the file to WAL, which it then keeps; SQLite does not wait by itself where two do that at once."""
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


def _state_of(revision: str | None) -> DatabaseState:
    if revision == head_revision():
        return DatabaseState.CURRENT
    known = {script.revision for script in _scripts().walk_revisions()}
    return DatabaseState.OLDER if revision is None or revision in known else DatabaseState.NEWER


def _revision_of(connection: Connection, location: SQLiteFile | PostgresDatabase) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and inspect(connection).get_table_names():
        raise DatabaseUnusable(f"{location} is a database of something else; name another one in DATABASE_URL.")
    return revision


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _config(connection: Connection | None) -> Config:
    config = Config()
    # Named as a package, not as a path: it is found where the package is installed, and needs no escaping.
    config.set_main_option("script_location", "guestpass.storage:migrations")
    config.attributes["connection"] = connection
    return config
