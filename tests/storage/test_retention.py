from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from tests.storage.samples import (
    LINK_ID,
    NOON,
    SetClock,
    changes_after,
    history_of,
    keep,
    link_of,
    make_environment,
    make_link,
)

from guestpass.app.ports import Activity, ChangeKind, Origin, Store
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import Refusal
from guestpass.storage.database import Database
from guestpass.storage.retention import BATCH, VisitRetention

DAY = timedelta(days=1)
KEPT = 30 * DAY
SWITCHED_OFF, ACTIVE = "bbbbbbbbbbbbbbbb", "cccccccccccccccc"


@pytest.fixture
async def database(database: Database) -> Database:
    """One link that expires after a day, one that is switched off after two, and one that goes on for a year."""
    await keep(
        database,
        make_environment(),
        make_link(expires_at=NOON + DAY),
        make_link(SWITCHED_OFF, expires_at=NOON + 365 * DAY, deactivated_at=NOON + 2 * DAY),
        make_link(ACTIVE, expires_at=NOON + 365 * DAY),
    )
    return database


async def visit(store: Store, link_id: str, *visitors: str, at: datetime = NOON) -> None:
    origin = Origin("192.0.2.0", "Firefox", "Linux")
    async with store.writing() as work:
        await work.visits.record([Activity(link_id, each, ((at, True),), at, None, origin) for each in visitors])


async def visitors_of(store: Store, link_id: str) -> int:
    async with store.reading() as work:
        return await work.visits.count_visitors(link_id)


async def events_of(store: Store, link_id: str) -> list[EventKind]:
    async with store.reading() as work:
        return [event.kind for event in await history_of(work, link_id)]


async def test_who_came_is_forgotten_when_the_link_ended_long_ago_and_how_often_is_not(
    database: Database, clock: SetClock
) -> None:
    for id in (LINK_ID, SWITCHED_OFF, ACTIVE):
        async with database.writing() as work:
            await work.visits.add_events([LinkEvent(id, NOON, EventKind.CREATED, "olga")])
        await visit(database, id, "anna", "bert")
    retention = VisitRetention(database, clock, KEPT)
    clock.time = NOON + DAY + KEPT - timedelta(seconds=1)
    assert await retention.remove() == 0
    clock.time = NOON + DAY + KEPT
    clock.advance(timedelta(hours=1))
    assert await retention.remove() == 4
    assert [await visitors_of(database, id) for id in (LINK_ID, SWITCHED_OFF, ACTIVE)] == [0, 2, 2]
    clock.advance(DAY)
    assert await retention.remove() == 4
    assert [await visitors_of(database, id) for id in (LINK_ID, SWITCHED_OFF, ACTIVE)] == [0, 0, 2]
    link = await link_of(database)
    assert (link.visits, link.visitors, link.last_opened_at) == (2, 2, NOON)
    assert await events_of(database, LINK_ID) == [EventKind.CREATED]
    assert await events_of(database, ACTIVE) == [EventKind.CREATED, EventKind.OPENED, EventKind.OPENED]
    async with database.reading() as work:
        assert sum((await work.visits.hours(LINK_ID, NOON - DAY)).values()) == 2


async def test_refusals_go_by_their_own_age_on_every_link(database: Database, clock: SetClock) -> None:
    async with database.writing() as work:
        await work.refusals.add(
            [
                Refusal(id, NOON + after, "network", None, None, None, "192.0.2.0")
                for id in (LINK_ID, ACTIVE)
                for after in (timedelta(), KEPT)
            ]
        )
    clock.time = NOON + KEPT + timedelta(seconds=1)
    assert await VisitRetention(database, clock, KEPT).remove() == 2
    async with database.reading() as work:
        for id in (LINK_ID, ACTIVE):
            assert [refusal.at for refusal in await work.refusals.of_link(id)] == [NOON + KEPT]


async def test_one_of_many_workers_removes_and_in_batches(
    database: Database, clock: SetClock, open_database: Callable[[], Database]
) -> None:
    await visit(database, LINK_ID, *(f"visitor{number}" for number in range(BATCH + 20)))
    clock.time = NOON + DAY + KEPT
    retentions = [VisitRetention(open_database(), clock, KEPT) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(retention.remove()) for retention in retentions]
    assert sorted(task.result() for task in tasks) == [0, 0, 2 * (BATCH + 20)]
    assert await visitors_of(database, LINK_ID) == 0


async def test_passes_from_before_open_nothing_when_such_a_link_is_resumed(database: Database, clock: SetClock) -> None:
    await visit(database, LINK_ID, "anna")
    async with database.writing() as work:
        assert await work.places.end(LINK_ID, "anna", NOON)
        before = await work.changes.last()
    version = (await link_of(database)).version
    clock.time = NOON + DAY + KEPT
    assert await VisitRetention(database, clock, KEPT).remove() == 2
    # Nobody remembers that her visit was ended, but her pass is of a version that is over, and workers hear of it.
    assert (await link_of(database)).version > version
    async with database.reading() as work:
        heard = await changes_after(work, before)
    assert [(change.kind, change.id) for change in heard] == [(ChangeKind.LINK, LINK_ID)]
    # A link that nobody had opened has no passes.
    assert (await link_of(database, ACTIVE)).version == version


async def test_who_comes_after_that_is_forgotten_in_turn(database: Database, clock: SetClock) -> None:
    retention = VisitRetention(database, clock, KEPT)
    clock.time = NOON + DAY + KEPT
    assert await retention.remove() == 0
    resumed = clock.time
    async with database.writing() as work:
        assert await work.links.update(make_link(expires_at=resumed + DAY))
    await visit(database, LINK_ID, "anna", at=resumed)
    clock.time = resumed + KEPT
    assert await retention.remove() == 0
    clock.time = resumed + DAY + KEPT
    assert await retention.remove() == 2
    assert await visitors_of(database, LINK_ID) == 0
