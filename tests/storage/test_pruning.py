from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from tests.storage.following import Worker, append, running
from tests.storage.samples import SetClock, changes_after

from guestpass.app.ports import ChangeKind
from guestpass.storage.changes import CHANGES_KEPT
from guestpass.storage.database import Database
from guestpass.storage.pruning import BATCH, Pruning

LATER = CHANGES_KEPT + timedelta(minutes=1)


async def test_one_of_many_workers_prunes_and_nobody_misses_anything(
    database: Database, clock: SetClock, open_database: Callable[[], Database]
) -> None:
    worker, prunings = Worker(database), [Pruning(open_database(), clock) for _ in range(3)]
    ids = [f"link{number}" for number in range(BATCH + 20)]
    async with running(worker):
        await append(database, *ids)
        await worker.feed.announce()
        clock.advance(LATER)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(pruning.prune()) for pruning in prunings]
        # The newest stays, so that the next number is another one.
        assert sorted(task.result() for task in tasks) == [0, 0, len(ids) - 1]
        await append(database, "last")
        await worker.feed.announce()
    assert worker.heard == [*ids, "last"]
    assert worker.resets == 0


async def test_a_worker_that_was_away_for_longer_begins_anew(database: Database, clock: SetClock) -> None:
    worker = Worker(database)
    await append(database, "a")
    await worker.feed.start()
    await append(database, "b")
    clock.advance(LATER)
    await append(database, "c")
    assert await Pruning(database, clock).prune() == 2
    await worker.feed.announce()
    assert (worker.heard, worker.resets) == ([], 1)
    await append(database, "d")
    await worker.feed.announce()
    assert (worker.heard, worker.resets) == (["d"], 1)


async def test_it_is_not_time_again_at_once(database: Database, clock: SetClock) -> None:
    pruning = Pruning(database, clock)
    await append(database, "a", "b")
    clock.advance(LATER)
    assert await pruning.prune() == 1
    await append(database, "c")
    clock.advance(timedelta(minutes=4))
    assert await pruning.prune() == 0
    clock.advance(timedelta(minutes=2))
    assert await pruning.prune() == 1
    async with database.reading() as work:
        assert [change.id for change in await changes_after(work)] == ["c"]


async def test_the_newest_change_names_no_visitor_for_ever(database: Database, clock: SetClock) -> None:
    worker, pruning = Worker(database), Pruning(database, clock)
    async with running(worker):
        async with database.writing() as work:
            await work.changes.append(ChangeKind.ODOO_SESSION, "link/visitor")
        await worker.feed.announce()
        for _ in range(2):
            clock.advance(LATER)
            await pruning.prune()
            await worker.feed.announce()
        async with database.reading() as work:
            assert [change.id for change in await work.changes.since(0)] == [""]
        # Its number is still the highest, and whoever follows has missed nothing.
        await append(database, "next")
        await worker.feed.announce()
    assert (worker.heard, worker.resets) == (["link/visitor", "next"], 0)
