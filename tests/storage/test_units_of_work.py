from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    SetClock,
    changes_after,
    keep,
    link_of,
    make_environment,
    make_link,
    visit_log,
)

from guestpass.app.ports import ChangeKind, Store
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.errors import Invalid
from guestpass.storage.database import Database
from guestpass.storage.instance import read_instance, write_instance


async def known(store: Store) -> bool:
    async with store.reading() as work:
        return await work.environments.get(KEY) is not None


async def test_a_unit_of_work_commits_at_its_end(database: Database, open_database: Callable[[], Database]) -> None:
    store: Store = database
    other: Store = open_database()
    async with store.writing() as work:
        await work.environments.add(make_environment())
        assert not await known(other)
        assert not await known(store)
    assert await known(other)
    assert await known(store)


async def test_a_unit_of_work_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as work:
            await work.environments.add(make_environment())
            await work.changes.append(ChangeKind.ENVIRONMENT, str(KEY))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert not await known(database)
    await keep(database, make_environment())


async def test_a_unit_of_work_that_is_cancelled_leaves_nothing_and_frees_the_lock(
    database: Database, open_database: Callable[[], Database]
) -> None:
    written = asyncio.Event()

    async def write_and_hang() -> None:
        async with database.writing() as work:
            await work.environments.add(make_environment())
            written.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(write_and_hang())
        await written.wait()
        task.cancel()
    assert not await known(database)
    await keep(open_database(), make_environment())
    assert await known(database)


# What a cancelled connection leaves open, the garbage collector closes; from Python 3.13 on sqlite3 says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3.Connection:pytest.PytestUnraisableExceptionWarning")
async def test_cancelling_at_any_point_leaves_all_or_nothing_and_never_blocks_the_next_writer(
    database: Database,
) -> None:
    await keep(database, make_environment())

    async def write(revision: int) -> None:
        async with database.writing() as work:
            await work.environments.update(make_environment(revision=revision))
            await work.changes.append(ChangeKind.ENVIRONMENT, str(revision))

    finished = cancelled = 0
    async with asyncio.timeout(60):
        while finished < 3:
            turns, revision = 7 * cancelled, 100 + cancelled
            async with asyncio.TaskGroup() as group:
                task = group.create_task(write(revision))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
            async with database.reading() as work:
                environment = await work.environments.get(KEY)
                change_ids = [change.id for change in await changes_after(work)]
            assert environment is not None
            assert (environment.revision == revision) == (str(revision) in change_ids)
            finished += not task.cancelled()
            cancelled += 1
    assert cancelled > 3
    # Here and not in a test that comes later.
    gc.collect()


async def test_writers_of_one_and_of_several_processes_wait_for_each_other(
    database: Database, open_database: Callable[[], Database]
) -> None:
    """Each reads, lets others run, and writes what it read plus one; nothing is lost."""
    databases = [database, open_database(), open_database()]

    async def count(store: Database) -> None:
        async with store.writing() as work:
            environment = await work.environments.get(KEY)
            assert environment is not None
            await asyncio.sleep(0)
            await work.environments.update(make_environment(revision=environment.revision + 1))

    await keep(database, make_environment(revision=0))
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(count(databases[number % 3]))
    async with database.reading() as work:
        assert (await work.environments.all("default"))[0].revision == 30


async def test_a_reader_sees_one_state_and_stops_no_writer(
    database: Database, open_database: Callable[[], Database]
) -> None:
    await keep(database, make_environment(), make_link())
    async with database.reading() as work:
        before = await work.links.get(LINK_ID)
        async with open_database().writing() as other:
            assert await other.links.deactivate(LINK_ID, NOON)
        assert await work.links.get(LINK_ID) == before
    assert (await link_of(database)).deactivated_at == NOON


async def test_more_readers_than_connections_wait_their_turn(database: Database) -> None:
    await keep(database, make_environment())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(known(database)) for _ in range(50)]
    assert all(task.result() for task in tasks)


async def test_facts_about_the_instance_are_set_changed_and_forgotten(database: Database) -> None:
    assert await read_instance(database) == {}
    await write_instance(database, {"public_url": "https://share.example.com", "link_domain": "share.example.com"})
    await write_instance(database, {"public_url": "https://example.com", "link_domain": None, "admin_url": None})
    assert await read_instance(database) == {"public_url": "https://example.com"}
    await write_instance(database, {"secret_key_fingerprint": "00ff"})
    assert await read_instance(database) == {"public_url": "https://example.com", "secret_key_fingerprint": "00ff"}


async def test_who_is_cancelled_in_a_quiet_moment_keeps_nobody_waiting_and_nothing_is_lost(
    open_database: Callable[[], Database], clock: SetClock
) -> None:
    """As a worker ends: in the middle of a transaction a cancelled task would leave the write lock taken."""
    database, key = open_database(), KEY
    await keep(database, make_environment())
    names = set()
    for number in range(20):
        log = visit_log(database, clock)
        log.learned(key, f"sid{number}")
        names.add(f"sid{number}")
        async with asyncio.TaskGroup() as tasks:
            flushing = tasks.create_task(log.flush())
            # Wherever it may be by then.
            await asyncio.sleep(number / 4000)
            await database.quiet()
            flushing.cancel()
            await asyncio.wait_for(log.flush(), 60)
    async with open_database().reading() as work:
        assert await work.environments.http_only_cookies(key) == names


async def test_a_moment_is_quiet_when_all_who_write_or_wait_for_it_are_done(database: Database) -> None:
    let_go, ended = asyncio.Event(), []

    async def write(name: str) -> None:
        async with database.writing():
            await let_go.wait()
        ended.append(name)

    await database.quiet()
    async with asyncio.TaskGroup() as tasks:
        for name in ("first", "second"):
            tasks.create_task(write(name))
        await asyncio.sleep(0)
        waiting = tasks.create_task(database.quiet())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        let_go.set()
        await asyncio.wait_for(waiting, 60)
        assert ended == ["first", "second"]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "a\udfff"])
async def test_text_that_one_database_can_not_keep_is_refused_by_each_whether_it_is_asked_for_or_written(
    database: Database, text: str
) -> None:
    async with database.reading() as work:
        for asked in (
            work.environments.get(EnvironmentKey(text, "x")),
            work.links.get(text),
            work.links.sealed_tokens([LINK_ID, text]),
        ):
            with pytest.raises(Invalid, match="text: must"):
                await asked
    with pytest.raises(Invalid, match="text: must"):
        async with database.writing() as work:
            await work.environments.add(make_environment(description=text))
