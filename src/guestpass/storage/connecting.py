"""Synchronous connections for migrations and copies, outside of serving."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from guestpass.storage.dialect import POSTGRES, SQLITE
from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, SQLiteFile

BUSY_TIMEOUT_S: Final = 60
"""How long to wait for another process that migrates, in seconds."""
_TABLE_LOCK_TIMEOUT_S: Final = 5
"""How long PostgreSQL may wait for readers of a table that a migration alters, in seconds: all others wait behind it.
"""


def reading(location: SQLiteFile | PostgresDatabase) -> contextlib.AbstractContextManager[Connection]:
    """Open a connection in a read-only snapshot transaction; raises DatabaseUnusable."""
    dialect = SQLITE if isinstance(location, SQLiteFile) else POSTGRES
    return _connection(location, dialect.begin_reading)


@contextlib.contextmanager
def writing(location: SQLiteFile | PostgresDatabase) -> Iterator[Connection]:
    """Open a connection in a transaction with the write lock, and commit at the end; raises DatabaseUnusable."""
    dialect = SQLITE if isinstance(location, SQLiteFile) else POSTGRES
    with _connection(location, dialect.begin_writing) as connection:
        if isinstance(location, PostgresDatabase):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{_TABLE_LOCK_TIMEOUT_S}s'")
        yield connection


@contextlib.contextmanager
def _connection(location: SQLiteFile | PostgresDatabase, begin: str) -> Iterator[Connection]:
    """Open a connection in a transaction, and commit at the end.

    SQLite's foreign keys stay off, which is its default: a migration that recreates a table drops the old one, and that
    would otherwise cascade to the rows that refer to it.
    """
    engine = _engine(location)

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        # libpq's messages have several lines.
        cause = " ".join(str(error.orig).split()).rstrip(".")
        raise DatabaseUnusable(f"The database {location} can't be used: {cause}.") from error
    finally:
        engine.dispose()


def _engine(location: SQLiteFile | PostgresDatabase) -> Engine:
    """Create an engine without a pool, in autocommit mode: BEGIN is ours."""
    if isinstance(location, SQLiteFile):
        arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
        engine = create_engine(
            location.url("sqlite+pysqlite"), connect_args=arguments, poolclass=NullPool, hide_parameters=True
        )

        @event.listens_for(engine, "connect")
        def overwrite(connection: DBAPIConnection, _record: object) -> None:
            # Overwrite what a migration deletes; free pages would keep it.
            connection.cursor().execute("PRAGMA secure_delete = ON")

        return engine
    engine = create_engine(
        location.url,
        connect_args={**location.connection_parameters, "autocommit": True},
        poolclass=NullPool,
        hide_parameters=True,
        use_native_hstore=False,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET TimeZone TO 'UTC'; SET lock_timeout TO '{BUSY_TIMEOUT_S}s'")
        cursor.close()

    return engine
