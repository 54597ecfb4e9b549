"""What is counted is counted once and to the last one, whatever becomes of a flush."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy.exc import DBAPIError
from tests.storage.samples import KEY, LINK_ID, NOON, SetClock, keep, link_of, make_environment, make_link, visit_log

from guestpass.app.ports import UnitOfWork
from guestpass.app.turns import VISITORS, Turn
from guestpass.domain.visit import Agent
from guestpass.storage.database import Database

AT, SECOND = NOON.timestamp(), timedelta(seconds=1)


@pytest.fixture
async def store(database: Database) -> Database:
    await keep(database, make_environment(), make_link())
    return database


async def counted(store: Database) -> tuple[int, int, int]:
    """Visits, visitors and refusals."""
    link = await link_of(store)
    async with store.reading() as work:
        return link.visits, link.visitors, len(await work.refusals.of_link(LINK_ID))


class SilentStore:
    """A database that does what it is asked for, and whose answer is lost for as long as `failing` says."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.failing = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        async with self._store.reading() as work:
            yield work

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
        async with self._store.writing(turn) as work:
            yield work
        if self.failing:
            raise OSError("connection lost")


async def test_a_commit_whose_answer_is_lost_is_not_counted_again(store: Database, clock: SetClock) -> None:
    silent = SilentStore(store)
    log, other = visit_log(silent, clock), visit_log(store, clock)
    for round in range(3):
        silent.failing = True
        at = NOON + 3 * round * SECOND
        log.opened(LINK_ID, "anna", at.timestamp())
        log.refused(LINK_ID, at.timestamp(), "link_full", "192.0.2.7")
        for later in (SECOND, 2 * SECOND):
            with pytest.raises(OSError, match="lost"):
                await log.flush()
            log.opened(LINK_ID, "bert", (at + later).timestamp())
        other.opened(LINK_ID, "anna", at.timestamp())
        silent.failing = False
        await asyncio.gather(log.flush(), other.flush())
        assert await counted(store) == (4 * (round + 1), 2, round + 1)


REFUSE_EVA = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON visitors WHEN NEW.visitor = 'eva' "
    "BEGIN SELECT RAISE(ABORT, '192.0.2.7'); END",
    "postgresql": "ALTER TABLE visitors ADD CHECK (visitor <> 'eva')",
}


async def alter(store: Database, statement: str) -> None:
    async with store.writing() as work:
        await work.connection.exec_driver_sql(statement)


async def test_what_the_database_refuses_is_dropped_with_one_word_and_all_else_is_written(
    store: Database, clock: SetClock
) -> None:
    await alter(store, REFUSE_EVA["sqlite" if store.files is not None else "postgresql"])

    def agent_of(text: str) -> Agent:
        if text == "bad":
            raise ValueError("192.0.2.7 sent something that we can't read")
        return Agent(text, None)

    log = visit_log(store, clock, agent_of=agent_of)
    for number in range(60):
        log.opened(LINK_ID, f"visitor{number}", AT)
    log.opened(LINK_ID, "eva", AT)
    log.opened(LINK_ID, "bad", AT, user_agent="bad")
    log.refused(LINK_ID, AT, "link_full", "192.0.2.7", user_agent="bad")
    log.refused(LINK_ID, AT, "link_full", "192.0.2.7", user_agent="good")
    log.learned(KEY, "sid")
    log.learned(KEY, "s\0d")
    with structlog.testing.capture_logs() as said:
        await log.flush()
        await log.flush()
    assert await counted(store) == (60, 60, 1)
    async with store.reading() as work:
        assert await work.environments.http_only_cookies(KEY) == {"sid"}
    assert [(line["event"], line["count"]) for line in said] == [("visits_dropped", 4)]
    assert "192.0.2.7" not in str(said)


async def test_a_table_that_is_missing_costs_no_visit(store: Database, clock: SetClock) -> None:
    log = visit_log(store, clock)
    log.opened(LINK_ID, "anna", AT)
    log.refused(LINK_ID, AT, "link_full", "192.0.2.7")
    await alter(store, "ALTER TABLE refusals RENAME TO elsewhere")
    for _ in range(2):
        with pytest.raises(DBAPIError):
            await log.flush()
    await alter(store, "ALTER TABLE elsewhere RENAME TO refusals")
    await log.flush()
    assert await counted(store) == (1, 1, 1)


async def test_a_file_that_was_away_at_the_commit_and_is_put_back_holds_each_visit_once(
    sqlite_url: str, tmp_path: Path, clock: SetClock
) -> None:
    database = Database(sqlite_url, clock)
    await keep(database, make_environment(), make_link())
    path, elsewhere = tmp_path / "guestpass.db", tmp_path / "elsewhere.db"

    class Moved(SilentStore):
        @asynccontextmanager
        async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
            async with self._store.writing(turn) as work:
                yield work
                if self.failing:
                    path.rename(elsewhere)

    store = Moved(database)
    store.failing = True
    log = visit_log(store, clock)
    log.opened(LINK_ID, "anna", AT)
    # It is committed, to a file that nobody finds at its path.
    with pytest.raises(DBAPIError):
        await log.flush()
    store.failing = False
    elsewhere.rename(path)
    await log.flush()
    assert await counted(database) == (1, 1, 0)
    await database.close()
