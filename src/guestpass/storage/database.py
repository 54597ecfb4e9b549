"""The database as the use cases see it: units of work that read or write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from guestpass.app.ports import Clock
from guestpass.storage.accounts import SQLAccounts
from guestpass.storage.branding import SQLBrandings
from guestpass.storage.changes import SQLChangeLog
from guestpass.storage.dashboard_sessions import SQLDashboardSessions
from guestpass.storage.dialect import BEGIN_READING, BEGIN_WRITING
from guestpass.storage.environments import SQLEnvironments
from guestpass.storage.links import SQLLinks
from guestpass.storage.location import connection_url, database_path
from guestpass.storage.odoo_sessions import SQLOdooSessions
from guestpass.storage.reachability import SQLReachabilities
from guestpass.storage.refusals import SQLRefusals
from guestpass.storage.revoked_tokens import SQLRevokedTokens
from guestpass.storage.visits import SQLVisits

BUSY_TIMEOUT_S: Final = 10
"""How long a writer waits for writers in other processes, in seconds. Units of work last milliseconds."""

_READERS: Final = 4
_PRAGMAS: Final = (
    "journal_mode = WAL",  # Readers and the writer don't wait for each other.
    "foreign_keys = ON",  # SQLite's default is to ignore them.
    # NORMAL would lose the newest commits with the power, and a link that its owner was told is off would open again.
    # FULL costs one more fsync for a commit, on a thread of its own, and nothing on a visitor's path commits.
    "synchronous = FULL",
)


class SQLUnitOfWork:
    """The repositories over one transaction."""

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self.connection: Final = connection
        self.changes: Final = SQLChangeLog(connection, clock)
        self.environments: Final = SQLEnvironments(connection, self.changes)
        self.links: Final = SQLLinks(connection)
        self.visits: Final = SQLVisits(connection)
        self.refusals: Final = SQLRefusals(connection)
        self.accounts: Final = SQLAccounts(connection)
        self.brandings: Final = SQLBrandings(connection)
        self.odoo_sessions: Final = SQLOdooSessions(connection)
        self.revoked_tokens: Final = SQLRevokedTokens(connection)
        self.reachabilities: Final = SQLReachabilities(connection)
        self.dashboard_sessions: Final = SQLDashboardSessions(connection)


class Database:
    """The Store of the product over a SQLite file that exists and is migrated; raises DatabaseUnusable for another URL.

    Nothing is opened before the first unit of work. Several processes may have the same file open.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.path: Final = database_path(url)
        self._clock = clock
        self._readers = self._engine(BEGIN_READING, connections=_READERS, query_only=True)
        # One writer for the process: units of work queue in the order in which they came, where SQLite's own waiting
        # would be a race; only other processes are waited for by polling.
        self._writer = self._engine(BEGIN_WRITING, connections=1, query_only=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SQLUnitOfWork]:
        """A transaction that only reads and sees one state of the database; writing in it is an error."""
        async with self._readers.begin() as connection:
            yield SQLUnitOfWork(connection, self._clock)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SQLUnitOfWork]:
        """A transaction that may write; it holds the write lock from its beginning to its end."""
        async with self._writer.begin() as connection:
            yield SQLUnitOfWork(connection, self._clock)

    async def close(self) -> None:
        """Close every connection; units of work must have ended."""
        await self._readers.dispose()
        await self._writer.dispose()

    def _engine(self, begin: str, *, connections: int, query_only: bool) -> AsyncEngine:
        engine = create_async_engine(
            connection_url(self.path, "sqlite+aiosqlite"),
            # Without an isolation level the driver leaves BEGIN to us.
            connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None},
            poolclass=AsyncAdaptedQueuePool,
            pool_size=connections,
            max_overflow=0,
            # An error's text ends in logs, and parameters hold hashes of passwords and tokens.
            hide_parameters=True,
        )

        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: DBAPIConnection, _record: object) -> None:
            cursor = connection.cursor()
            for pragma in (*_PRAGMAS, f"query_only = {int(query_only)}"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(engine.sync_engine, "begin")
        def begin_transaction(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine
