"""A migrated database for each test of the contract: once a SQLite file, and once a PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.storage.migrated import new_database
from tests.storage.samples import SetClock

from guestpass.storage.database import Database


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return new_database(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def open_database(database_url: str, clock: SetClock) -> AsyncIterator[Callable[[], Database]]:
    """Opens the same database as often as it is called, as so many workers would."""
    async with AsyncExitStack() as stack:

        def open_one() -> Database:
            database = Database(database_url, clock)
            stack.push_async_callback(database.close)
            return database

        yield open_one


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()
