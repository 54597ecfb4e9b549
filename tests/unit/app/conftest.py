"""Use cases over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.storage.samples import SetClock

from guestpass.storage import migrate
from guestpass.storage.database import Database


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def database(tmp_path: Path, clock: SetClock) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'guestpass.db'}"
    migrate.upgrade(url)
    database = Database(url, clock)
    yield database
    await database.close()


class NotingAnnouncer:
    """Notes which changes a reader finds committed at the moment of each announcement."""

    def __init__(self, database: Database) -> None:
        self.announced: list[list[str]] = []
        self._database = database
        self._number = 0

    async def announce(self) -> None:
        async with self._database.reading() as work:
            changes = await work.changes.after(self._number)
            self._number = await work.changes.last()
        self.announced.append([f"{change.kind}:{change.id}" for change in changes])


@pytest.fixture
def announcer(database: Database) -> NotingAnnouncer:
    return NotingAnnouncer(database)
