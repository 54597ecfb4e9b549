"""A machine that is cut off while it writes must not keep the others from writing for long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from tests.postgres.databases import Databases
from tests.postgres.wire import wire_to
from tests.storage.following import append
from tests.storage.samples import LINK_ID, NOON, SetClock, changes_after, history_of, keep, make_environment, make_link

from guestpass.domain.link import EventKind, LinkEvent
from guestpass.storage.database import Database

EVENTS = [LinkEvent(LINK_ID, NOON, EventKind.OPENED, f"visitor {number} {'x' * 200}") for number in range(2000)]


@pytest.mark.parametrize("pieces", [0, 3])
async def test_a_writer_that_is_cut_off_among_many_rows_lets_others_write_soon(
    postgres_databases: Databases, postgres_database: str, postgres_url: str, pieces: int
) -> None:
    other = Database(postgres_url, SetClock())
    await keep(other, make_environment(), make_link())
    async with wire_to(postgres_databases.cluster.port) as wire:
        cut_off = Database(postgres_databases.cluster.url(postgres_database, port=wire.port), SetClock())
        holds_the_lock = asyncio.Event()

        async def write() -> None:
            async with cut_off.writing() as work:
                await work.visits.add_events(EVENTS[:1])
                wire.cut_after(pieces)
                holds_the_lock.set()
                await work.visits.add_events(EVENTS)

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(_fails(write()))
            await holds_the_lock.wait()
            # It waits for as long as writers do, and no longer.
            await append(other, "afterwards")
            wire.mend()
            assert await writing
        await cut_off.close()
    async with other.reading() as work:
        assert await history_of(work, LINK_ID) == []
        assert [change.id for change in await changes_after(work)] == ["afterwards"]
    await other.close()


async def _fails(work: Coroutine[Any, Any, None]) -> bool:
    try:
        await work
    except DBAPIError:
        return True
    return False
