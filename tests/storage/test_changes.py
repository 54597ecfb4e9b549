from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert
from tests.storage.samples import NOON, SetClock, changes_after

from guestpass.app.ports import Change, ChangeKind
from guestpass.storage.database import Database
from guestpass.storage.tables import changes


async def append(database: Database, *ids: str) -> None:
    async with database.writing() as work:
        for id in ids:
            await work.changes.append(ChangeKind.LINK, id)


async def test_changes_come_in_order_after_a_number(database: Database) -> None:
    async with database.reading() as work:
        assert await work.changes.last() == 0
        assert await changes_after(work) == []
    async with database.writing() as work:
        await work.changes.append(ChangeKind.LINK, "a")
        await work.changes.append(ChangeKind.ENVIRONMENT, "default/staging")
        await work.changes.append(ChangeKind.LINK, "a")
    async with database.reading() as work:
        first, second, third = await changes_after(work)
        assert [first.id, second.id, third.id] == ["a", "default/staging", "a"]
        assert second.kind is ChangeKind.ENVIRONMENT
        assert first.number < second.number < third.number == await work.changes.last()
        assert await changes_after(work, second.number) == [third]
        assert await changes_after(work, third.number) == []


async def test_pruning_takes_what_is_old_in_batches_and_never_the_newest(
    database: Database, clock: SetClock, open_database: Callable[[], Database]
) -> None:
    await append(database, "a", "b", "c")
    clock.advance(timedelta(minutes=1))
    border = clock.now()
    await append(database, "d", "e")
    for expected in (2, 1, 0):
        async with open_database().writing() as work:
            assert await work.changes.prune(border, limit=2) == expected
    async with database.writing() as work:
        assert [change.id for change in await changes_after(work)] == ["d", "e"]
        assert await work.changes.prune(border + timedelta(hours=1), limit=100) == 1
    # So numbers go on, and none is given out twice.
    await append(database, "f")
    async with database.reading() as work:
        assert [(change.number, change.id) for change in await changes_after(work)] == [(5, "e"), (6, "f")]


async def test_a_kind_that_only_a_newer_program_knows_is_passed_over(database: Database) -> None:
    await append(database, "a")
    async with database.writing() as work:
        later = {"number": 2, "kind": "of tomorrow", "id": "b", "at": NOON}
        await work.connection.execute(insert(changes).values(later))
    await append(database, "c")
    async with database.reading() as work:
        assert [(change.number, change.id) for change in await changes_after(work)] == [(1, "a"), (3, "c")]
        assert await work.changes.last() == 3


async def test_what_was_rolled_back_leaves_no_hole(database: Database) -> None:
    await append(database, "a")

    async def fail() -> None:
        async with database.writing() as work:
            await work.changes.append(ChangeKind.LINK, "lost")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    await append(database, "b")
    async with database.reading() as work:
        first, second = await changes_after(work)
    assert (first.id, second.id) == ("a", "b")
    assert second.number == first.number + 1


async def test_numbers_become_visible_in_order_with_many_writers(
    database: Database, open_database: Callable[[], Database]
) -> None:
    """A reader who goes on from the highest number that it saw misses nothing, whenever it looks."""
    writers, seen = [database, open_database(), open_database()], [Change(0, ChangeKind.LINK, "")]
    expected = 60

    async def watch() -> None:
        async with asyncio.timeout(30):
            while len(seen) <= expected:
                async with database.reading() as work:
                    seen.extend(await changes_after(work, seen[-1].number))

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        for number in range(expected):
            group.create_task(append(writers[number % 3], f"link{number}"))
    assert {change.id for change in seen[1:]} == {f"link{number}" for number in range(expected)}
