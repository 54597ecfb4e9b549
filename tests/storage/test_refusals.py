from __future__ import annotations

from datetime import timedelta

import pytest
from tests.storage.samples import LINK_ID, NOON, keep, make_environment, make_link

from guestpass.domain.visit import Refusal
from guestpass.storage.database import Database

OTHER_ID = "bbbbbbbbbbbbbbbb"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_link(), make_link(OTHER_ID))
    return database


async def add(database: Database, *refusals: Refusal) -> None:
    async with database.writing() as work:
        await work.refusals.add(refusals)


async def kept(database: Database, link_id: str = LINK_ID) -> list[Refusal]:
    async with database.reading() as work:
        return await work.refusals.of_link(link_id)


def numbered(number: int, link_id: str = LINK_ID) -> Refusal:
    return Refusal(link_id, NOON + number * SECOND, "link_expired", f"request-{number}")


async def test_a_refusal_comes_back_as_it_was_given(database: Database) -> None:
    whole = Refusal(LINK_ID, NOON, "password_wrong", "a1-b", "Firefox 142", "Linux", "192.0.2.0/24")
    bare = Refusal(LINK_ID, NOON - SECOND, "link_full")
    await add(database, bare, whole)
    assert await kept(database) == [whole, bare]
    await add(database)
    assert await kept(database) == [whole, bare]


async def test_the_newest_fifty_of_each_link_are_kept(database: Database) -> None:
    await add(database, *(numbered(number) for number in range(49)), numbered(0, OTHER_ID))
    assert len(await kept(database)) == 49
    await add(database, numbered(49))
    assert await kept(database) == [numbered(number) for number in range(49, -1, -1)]
    await add(database, numbered(50), numbered(51))
    assert await kept(database) == [numbered(number) for number in range(51, 1, -1)]
    assert await kept(database, OTHER_ID) == [numbered(0, OTHER_ID)]
    async with database.reading() as work:
        [count] = await work.connection.exec_driver_sql("SELECT count(*) FROM refusals")
    assert tuple(count) == (51,)


async def test_what_is_told_late_does_not_push_out_what_is_newer(database: Database) -> None:
    await add(database, *(numbered(number) for number in range(1, 51)))
    await add(database, numbered(0))
    assert await kept(database) == [numbered(number) for number in range(50, 0, -1)]


async def test_refusals_at_a_link_that_is_gone_are_dropped(database: Database) -> None:
    await add(database, numbered(0, "absent"), numbered(1))
    assert await kept(database, "absent") == []
    assert await kept(database) == [numbered(1)]
