"""The database as the use cases see it: units of work that read or write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import URL, Connection, event, select
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from guestpass.app.ports import Clock
from guestpass.app.turns import BACKGROUND, VISITORS, Turn
from guestpass.domain.text import require_text
from guestpass.storage.accounts import SQLAccounts
from guestpass.storage.batches import SQLBatches
from guestpass.storage.branding import SQLBrandings
from guestpass.storage.changes import SQLChangeLog
from guestpass.storage.counters import SQLCounters
from guestpass.storage.dashboard_sessions import SQLDashboardSessions
from guestpass.storage.dialect import POSTGRES, SQLITE
from guestpass.storage.environments import SQLEnvironments
from guestpass.storage.file_turns import FileTurns
from guestpass.storage.links import SQLLinks
from guestpass.storage.location import PostgresDatabase, SQLiteFile, locate
from guestpass.storage.odoo_sessions import SQLOdooSessions
from guestpass.storage.odoo_sign_outs import SQLOdooSignOuts
from guestpass.storage.open_files import OpenFiles
from guestpass.storage.outages import OUTAGES, in_words, is_damage, is_for_reading_only
from guestpass.storage.places import SQLPlaces
from guestpass.storage.reachability import SQLReachabilities
from guestpass.storage.refusals import SQLRefusals
from guestpass.storage.revoked_tokens import SQLRevokedTokens
from guestpass.storage.tables import (
    accounts,
    branding,
    changes,
    environments,
    http_only_cookies,
    link_tokens,
    links,
    odoo_sessions,
    rate_counters,
    visitors,
)
from guestpass.storage.visits import SQLVisits
from guestpass.storage.write_turns import WriteTurns

if TYPE_CHECKING:
    import psycopg

BUSY_TIMEOUT_S: Final = 10
"""How long a writer waits for other processes of the machine, in seconds. Units of work last milliseconds."""
_LOCK_TIMEOUT_S: Final = 20
"""How long a writer waits for other machines, in seconds: longer than it takes to notice that one is cut off."""

READERS: Final = 4
"""How many units of work of a process may read concurrently."""

# Columns without an index, so that the rows themselves are read and not only an index.
_CHECK: Final = select(
    *(
        select(column).order_by(*(key.desc() for key in column.table.primary_key)).limit(1).scalar_subquery()
        for column in (
            accounts.c.created_by,
            branding.c.changed_by,
            changes.c.kind,
            environments.c.created_by,
            http_only_cookies.c.name,
            link_tokens.c.sealed,
            links.c.created_by,
            odoo_sessions.c.sealed,
            rate_counters.c.spent,
            visitors.c.first_seen,
        )
    )
)

_log: Any = structlog.get_logger(__name__)

_PRAGMAS: Final = (
    "journal_mode = WAL",  # Readers don't block the writer, nor the writer them.
    "foreign_keys = ON",  # SQLite's default is off.
    # NORMAL could lose the newest commits in a power failure, and a deactivated link would open again. FULL costs one
    # more fsync per commit, on a separate thread; no visitor's request waits for a commit.
    "synchronous = FULL",
    # Overwrite deleted rows; free pages would keep them.
    "secure_delete = ON",
)


class SQLUnitOfWork:
    """The repositories of one transaction."""

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self.connection: Final = connection
        self.changes: Final = SQLChangeLog(connection, clock)
        self.environments: Final = SQLEnvironments(connection, self.changes)
        self.links: Final = SQLLinks(connection)
        self.visits: Final = SQLVisits(connection)
        self.places: Final = SQLPlaces(connection)
        self.refusals: Final = SQLRefusals(connection)
        self.accounts: Final = SQLAccounts(connection)
        self.brandings: Final = SQLBrandings(connection)
        self.odoo_sessions: Final = SQLOdooSessions(connection)
        self.odoo_sign_outs: Final = SQLOdooSignOuts(connection)
        self.revoked_tokens: Final = SQLRevokedTokens(connection)
        self.reachabilities: Final = SQLReachabilities(connection)
        self.dashboard_sessions: Final = SQLDashboardSessions(connection)
        self.counters: Final = SQLCounters(connection)
        self.batches: Final = SQLBatches(connection)


_SESSION: Final = (
    "SET TimeZone TO 'UTC'",
    # A machine that is cut off while it holds the write lock loses it before others give up waiting: between two
    # statements by the first setting, within one by the others.
    "SET idle_in_transaction_session_timeout TO '5s'",
    "SET tcp_keepalives_idle TO 5",
    "SET tcp_keepalives_interval TO 2",
    "SET tcp_keepalives_count TO 3",
    "SET tcp_user_timeout TO '10s'",
    # PostgreSQL 17 and later.
    "SELECT set_config(name, '15s', false) FROM pg_settings WHERE name = 'transaction_timeout'",
    f"SET lock_timeout TO '{_LOCK_TIMEOUT_S}s'",
)


class Database:
    """The product's Store, on a migrated SQLite file (shared by processes) or PostgreSQL database (by machines).

    Raises DatabaseUnusable for an invalid URL. Nothing is opened before the first unit of work.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.location: Final = locate(url)
        self._clock = clock
        self._writing = 0
        self._quiet = asyncio.Event()
        self.unwritable: str | None = None
        """Why writing fails, worded for owners, else None; `WriteWatch` clears it."""
        # One writer per process, with a fair queue: the database's own waiting is a race, or favours whoever comes most
        # often. See decision 27.
        self._turns = WriteTurns()
        self.lost: str | None = None
        """Why the open files are no longer those at the path, worded for the operator, else None; see `OpenFiles`."""
        self.damage: str | None = None
        """What SQLite found damaged, worded for owners, else None; stays until the process ends."""
        self.files: Final = OpenFiles(self.location.path) if isinstance(self.location, SQLiteFile) else None
        self._file_turns = (
            FileTurns(self.location.path, BUSY_TIMEOUT_S) if isinstance(self.location, SQLiteFile) else None
        )
        self._readers, self._writer = (
            _sqlite_engines(self.location)
            if isinstance(self.location, SQLiteFile)
            else _postgres_engines(self.location)
        )
        for engine in (self._readers, self._writer):
            event.listen(engine.sync_engine, "handle_error", self._notice_damage, retval=True)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SQLUnitOfWork]:
        """Begin a read-only snapshot transaction; writing in it is an error."""
        self._require_files()
        async with self._readers.begin() as connection:
            yield SQLUnitOfWork(connection, self._clock)

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[SQLUnitOfWork]:
        """Begin a transaction that holds the write lock until its end."""
        self._require_files()
        self._writing += 1
        try:
            async with self._turns.take(turn), self._turn_of_process(turn), self._writer.begin() as connection:
                yield SQLUnitOfWork(connection, self._clock)
        except OUTAGES as error:
            # Most pages of a damaged file can still be written.
            if not is_damage(getattr(error, "orig", error)):
                self.unwritable = in_words(error)
            raise
        finally:
            self._writing -= 1
            if not self._writing:
                self._quiet.set()
        # Don't commit into a file that is no longer at the path.
        self._require_files()

    async def check_tables(self) -> None:
        """Read one row of each table that visitors need; raises SQLAlchemyError where that fails."""
        async with self.reading() as work:
            await work.connection.execute(_CHECK)

    def check_files(self) -> None:
        """Check that the open database is the one at the path; log it when that changes."""
        lost = self.files.lost() if self.files is not None else None
        if lost is not None and self.lost is None:
            _log.error(
                "database_file_lost",
                cause=lost,
                effect="visitors and owners get 503, and nothing is written",
                remedy="put the same file back; or stop the server, put the file in place that is wanted, remove those "
                "that end in -wal and -shm, and start it",
            )
        elif lost is None and self.lost is not None:
            _log.info("database_file_back")
        self.lost = lost

    def _require_files(self) -> None:
        if self.files is None:
            return
        self.files.remember("")
        self.check_files()
        if self.lost is not None:
            cause = sqlite3.OperationalError(self.lost)
            cause.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED
            raise OperationalError("BEGIN", None, cause)

    def _turn_of_process(self, turn: Turn) -> AbstractAsyncContextManager[None]:
        """Queue behind writers in other processes of the machine; PostgreSQL's lock has its own queue."""
        return self._file_turns.take(turn.lane) if self._file_turns is not None else nullcontext()

    async def wipe(self) -> None:
        """Truncate SQLite's WAL, which holds deleted rows; does nothing while somebody reads from it."""
        if self._file_turns is None:
            return
        self._require_files()
        async with self._turns.take(BACKGROUND), self._file_turns.take(BACKGROUND.lane), self._writer.connect() as kept:
            # Outside of a transaction.
            connection = (await kept.get_raw_connection()).driver_connection
            assert connection is not None  # noqa: S101 -- it was just made
            # Readers take milliseconds; a slower one must not block writers.
            await connection.execute("PRAGMA busy_timeout = 100")
            try:
                await connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")

    async def quiet(self) -> None:
        """Wait until nothing in this process writes; that holds until the caller's next await.

        Then writing tasks can be cancelled safely. Cancelled within a transaction they would leave it open, and the
        write lock held, until the garbage collector finds the connection.
        """
        while self._writing:
            self._quiet.clear()
            await self._quiet.wait()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Open a separate autocommit connection to PostgreSQL for notifications; raises psycopg.Error."""
        assert isinstance(self.location, PostgresDatabase)  # noqa: S101 -- others have no notifications
        _, arguments = self._readers.dialect.create_connect_args(self.location.url)
        arguments = {**arguments, **self.location.connection_parameters, "autocommit": True}
        from psycopg import AsyncConnection  # noqa: PLC0415 - see `_postgres_engines`

        async with await AsyncConnection.connect(**arguments) as connection:
            await connection.execute("; ".join(_SESSION))
            yield connection

    def _notice_damage(self, context: ExceptionContext) -> OperationalError | None:
        """Turn the driver's error for a damaged file into an OperationalError, and log it once."""
        original = context.original_exception
        if not is_damage(original):
            return None
        if self.damage is None:
            self.damage = in_words(original)
            _log.error(
                "database_damaged",
                cause=str(original),
                remedy="stop the server, keep the file, and restore a copy; `guestpass doctor` looks at all of it",
            )
        return OperationalError(context.statement, None, original, hide_parameters=True)

    async def close(self) -> None:
        """Close all connections; call it after all units of work have ended."""
        await self._readers.dispose()
        await self._writer.dispose()
        if self._file_turns is not None:
            self._file_turns.close()


def _sqlite_engines(file: SQLiteFile) -> tuple[AsyncEngine, AsyncEngine]:
    url = file.url("sqlite+aiosqlite")
    # Without an isolation level the driver issues no BEGIN of its own.
    arguments = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}

    def prepared(begin: str, connections: int, query_only: int) -> AsyncEngine:
        statements = [f"PRAGMA {pragma}" for pragma in (*_PRAGMAS, f"query_only = {query_only}")]
        return _engine(url, arguments, begin, statements, {"pool_size": connections, "max_overflow": 0})

    return prepared(SQLITE.begin_reading, READERS, 1), prepared(SQLITE.begin_writing, 1, 0)


def _postgres_engines(database: PostgresDatabase) -> tuple[AsyncEngine, AsyncEngine]:
    # Loaded here: the driver takes 13 MiB per process, and most installations use SQLite.
    from guestpass.storage.patient_cursor import PatientCursor  # noqa: PLC0415

    # With autocommit the driver issues no BEGIN of its own.
    arguments = {**database.connection_parameters, "autocommit": True, "cursor_factory": PatientCursor}

    def prepared(begin: str, connections: int) -> AsyncEngine:
        options = {
            # Servers allow few connections, so an idle worker keeps one reader and one writer.
            "pool_size": 1,
            "max_overflow": connections - 1,
            # No request may fail because the server was restarted or replaced.
            "pool_pre_ping": True,
            "use_native_hstore": False,
        }
        return _engine(database.url, arguments, begin, ["; ".join(_SESSION)], options)

    return prepared(POSTGRES.begin_reading, READERS), prepared(POSTGRES.begin_writing, 1)


def _check_texts(
    _connection: Connection, _cursor: object, _statement: str, parameters: Sequence[Any] | Mapping[str, Any], *_: object
) -> None:
    """Refuse text that either database can't store; raises Invalid.

    API and dashboard check fields first, so that the error names the field.
    """
    for row in parameters if isinstance(parameters, list) else (parameters,):
        for value in row.values() if isinstance(row, dict) else row:
            if isinstance(value, str):
                require_text(value)


def _engine(
    url: URL, arguments: Mapping[str, Any], begin: str, statements: Sequence[str], options: Mapping[str, Any]
) -> AsyncEngine:
    """Create an engine: `statements` run on each new connection, `begin` starts each transaction."""
    engine = create_async_engine(
        url,
        connect_args=dict(arguments),
        poolclass=AsyncAdaptedQueuePool,
        # Errors are logged, and parameters contain hashes of passwords and tokens.
        hide_parameters=True,
        **options,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()

    event.listen(engine.sync_engine, "before_cursor_execute", _check_texts)

    @event.listens_for(engine.sync_engine, "handle_error")
    def drop_what_can_not_write(context: ExceptionContext) -> None:
        # The connection would stay read-only even after the file has become writable.
        if is_for_reading_only(context.original_exception):
            context.is_disconnect = True

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
