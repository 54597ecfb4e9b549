"""A migrated database for each test. Another kind of database joins the contract suite as one more parameter here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.storage.samples import SetClock

from guestpass.storage import migrate
from guestpass.storage.database import Database


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    assert request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'guestpass.db'}"
    migrate.upgrade(url)
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
