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
"""How long a writer waits for writers in other processes of a machine, in seconds. Units of work last milliseconds."""
_LOCK_TIMEOUT_S: Final = 20
"""How long a writer waits for those of other machines, in seconds: longer than it takes to notice that one is cut off.
"""

READERS: Final = 4
"""How many units of work of a process may read at the same time."""

# A column that is in no index, so that rows are read besides the index that leads to them.
_LOOK: Final = select(
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
    "journal_mode = WAL",  # Readers and the writer don't wait for each other.
    "foreign_keys = ON",  # SQLite's default is to ignore them.
    # NORMAL would lose the newest commits with the power, and a link that its owner was told is off would open again.
    # FULL costs one more fsync for a commit, on a thread of its own, and nothing on a visitor's path commits.
    "synchronous = FULL",
    # What is forgotten must not stay in free pages.
    "secure_delete = ON",
)


class SQLUnitOfWork:
    """The repositories over one transaction."""

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
    # Whoever falls silent with the write lock, because his machine was cut off, loses it before others give up waiting:
    # between two statements by the first of these, within one by the others.
    "SET idle_in_transaction_session_timeout TO '5s'",
    "SET tcp_keepalives_idle TO 5",
    "SET tcp_keepalives_interval TO 2",
    "SET tcp_keepalives_count TO 3",
    "SET tcp_user_timeout TO '10s'",
    # Only PostgreSQL 17 and later have this one.
    "SELECT set_config(name, '15s', false) FROM pg_settings WHERE name = 'transaction_timeout'",
    f"SET lock_timeout TO '{_LOCK_TIMEOUT_S}s'",
)


class Database:
    """The Store of the product, over a database that exists and is migrated; raises DatabaseUnusable for a wrong URL.

    That is a SQLite file, which several processes may have open, or a PostgreSQL database, which several machines may.
    Nothing is opened before the first unit of work.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.location: Final = locate(url)
        self._clock = clock
        self._writing = 0
        self._quiet = asyncio.Event()
        self.unwritable: str | None = None
        """Why nothing can be written, in words for owners; `WriteWatch` takes it back."""
        # One writer for the process, whose turns are given out here: a database's own waiting would be a race, or serve
        # those first who come most often. Decision 27 has the details.
        self._turns = WriteTurns()
        self.lost: str | None = None
        """Why what is open is not the database at the path any more, for the operator; see `OpenFiles`."""
        self.damage: str | None = None
        """What SQLite found wrong with the file, in words for owners; it stays until the process ends."""
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
        """A transaction that only reads and sees one state of the database; writing in it is an error."""
        self._require_files()
        async with self._readers.begin() as connection:
            yield SQLUnitOfWork(connection, self._clock)

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[SQLUnitOfWork]:
        """A transaction that may write; it holds the write lock from its beginning to its end."""
        self._require_files()
        self._writing += 1
        try:
            async with self._turns.take(turn), self._turn_of_process(turn), self._writer.begin() as connection:
                yield SQLUnitOfWork(connection, self._clock)
        except OUTAGES as error:
            # A damaged file can be written to, all the same, in most places.
            if not is_damage(getattr(error, "orig", error)):
                self.unwritable = in_words(error)
            raise
        finally:
            self._writing -= 1
            if not self._writing:
                self._quiet.set()
        # What was written into a file that is not there any more is not kept.
        self._require_files()

    async def check_tables(self) -> None:
        """Read a little of each table that visitors need, by its key; raises SQLAlchemyError where that can't be."""
        async with self.reading() as work:
            await work.connection.execute(_LOOK)

    def check_files(self) -> None:
        """See whether the database at the path is the one that is open, and say so when that changes."""
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
        """Wait for writers in other processes of the machine; PostgreSQL has a queue for them."""
        return self._file_turns.take(turn.lane) if self._file_turns is not None else nullcontext()

    async def wipe(self) -> None:
        """Empty SQLite's log, which keeps rows that were removed; what somebody is reading stays there for now."""
        if self._file_turns is None:
            return
        self._require_files()
        async with self._turns.take(BACKGROUND), self._file_turns.take(BACKGROUND.lane), self._writer.connect() as kept:
            # Not in a transaction.
            connection = (await kept.get_raw_connection()).driver_connection
            assert connection is not None  # noqa: S101 -- it was just made
            # Readers take milliseconds; whoever takes longer must not keep writers waiting.
            await connection.execute("PRAGMA busy_timeout = 100")
            try:
                await connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")

    async def quiet(self) -> None:
        """Wait for a moment in which nothing of this process writes; it lasts until the caller waits again.

        In such a moment tasks that write can be cancelled. In the middle of a transaction that would leave it open, and
        with it the write lock, until the garbage collector finds its connection.
        """
        while self._writing:
            self._quiet.clear()
            await self._quiet.wait()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection to PostgreSQL outside any pool and transaction, for notifications; raises psycopg.Error."""
        assert isinstance(self.location, PostgresDatabase)  # noqa: S101 -- others have no notifications
        _, arguments = self._readers.dialect.create_connect_args(self.location.url)
        arguments = {**arguments, **self.location.connection_parameters, "autocommit": True}
        from psycopg import AsyncConnection  # noqa: PLC0415 - see `_postgres_engines`

        async with await AsyncConnection.connect(**arguments) as connection:
            await connection.execute("; ".join(_SESSION))
            yield connection

    def _notice_damage(self, context: ExceptionContext) -> OperationalError | None:
        """Make an outage of what is none to the driver: a damaged file."""
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
        """Close every connection; units of work must have ended."""
        await self._readers.dispose()
        await self._writer.dispose()
        if self._file_turns is not None:
            self._file_turns.close()


def _sqlite_engines(file: SQLiteFile) -> tuple[AsyncEngine, AsyncEngine]:
    url = file.url("sqlite+aiosqlite")
    # Without an isolation level the driver leaves BEGIN to us.
    arguments = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}

    def prepared(begin: str, connections: int, query_only: int) -> AsyncEngine:
        statements = [f"PRAGMA {pragma}" for pragma in (*_PRAGMAS, f"query_only = {query_only}")]
        return _engine(url, arguments, begin, statements, {"pool_size": connections, "max_overflow": 0})

    return prepared(SQLITE.begin_reading, READERS, 1), prepared(SQLITE.begin_writing, 1, 0)


def _postgres_engines(database: PostgresDatabase) -> tuple[AsyncEngine, AsyncEngine]:
    # Most installations have SQLite, and the driver takes 13 MiB of each process that loads it.
    from guestpass.storage.patient_cursor import PatientCursor  # noqa: PLC0415

    # With autocommit the driver leaves BEGIN to us.
    arguments = {**database.connection_parameters, "autocommit": True, "cursor_factory": PatientCursor}

    def prepared(begin: str, connections: int) -> AsyncEngine:
        options = {
            # A server has few connections, so an idle worker keeps one of each sort.
            "pool_size": 1,
            "max_overflow": connections - 1,
            # A server that was restarted or replaced must not cost anybody a request.
            "pool_pre_ping": True,
            "use_native_hstore": False,
        }
        return _engine(database.url, arguments, begin, ["; ".join(_SESSION)], options)

    return prepared(POSTGRES.begin_reading, READERS), prepared(POSTGRES.begin_writing, 1)


def _check_texts(
    _connection: Connection, _cursor: object, _statement: str, parameters: Sequence[Any] | Mapping[str, Any], *_: object
) -> None:
    """Refuse text that one of the databases can't keep, with all of them; raises Invalid.

    The faces name the field first, where they know one.
    """
    for row in parameters if isinstance(parameters, list) else (parameters,):
        for value in row.values() if isinstance(row, dict) else row:
            if isinstance(value, str):
                require_text(value)


def _engine(
    url: URL, arguments: Mapping[str, Any], begin: str, statements: Sequence[str], options: Mapping[str, Any]
) -> AsyncEngine:
    """An engine whose connections start with `statements`, and whose transactions begin with `begin`."""
    engine = create_async_engine(
        url,
        connect_args=dict(arguments),
        poolclass=AsyncAdaptedQueuePool,
        # An error's text ends in logs, and parameters hold hashes of passwords and tokens.
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
        # The connection would stay so when the file can be written to again.
        if is_for_reading_only(context.original_exception):
            context.is_disconnect = True

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
