"""What holds for the feed of a PostgreSQL database besides the contract."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs
from tests.ports import reserve_ports
from tests.postgres.cluster import Cluster, own_folder, running_cluster
from tests.postgres.databases import Databases
from tests.postgres.wire import wire_to
from tests.storage.following import Worker, append, is_blind, running
from tests.storage.samples import SetClock
from tests.storage.waiting import until

from guestpass.app.ports import ChangeKind
from guestpass.storage import migrate
from guestpass.storage.database import Database
from guestpass.storage.feed import postgres
from guestpass.storage.feed.following import BLIND_AFTER_S


@pytest.fixture
def cluster(postgres_databases: Databases) -> Cluster:
    return postgres_databases.cluster


@pytest.fixture(autouse=True)
def _connections_that_were_being_made_are_closed(postgres_database: str) -> Iterator[None]:  # noqa: ARG001 -- ends before it
    """PostgreSQL removes no database while somebody signs in, and the driver leaves that to the garbage collector."""
    yield
    gc.collect()


@pytest.fixture
async def open_at() -> AsyncIterator[Callable[[str], Database]]:
    async with AsyncExitStack() as stack:

        def open_one(url: str) -> Database:
            database = Database(url, SetClock())
            stack.push_async_callback(database.close)
            return database

        yield open_one


@pytest.fixture
def database(open_at: Callable[[str], Database], postgres_url: str) -> Database:
    return open_at(postgres_url)


@pytest.fixture
def other(open_at: Callable[[str], Database], postgres_url: str) -> Database:
    return open_at(postgres_url)


@pytest.fixture
def only_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that arrives here was notified: nothing polls within so short a time."""
    monkeypatch.setattr(postgres, "LOOK_INTERVAL_S", 3600.0)


async def the_listener(cluster: Cluster, database: str) -> tuple[int, int]:
    """The backend that serves LISTEN, once it does, and the client's port."""
    query = sql.SQL(
        "SELECT pid, client_port FROM pg_stat_activity "
        "WHERE datname = {} AND query LIKE 'NOTIFY%' AND state = 'idle' ORDER BY backend_start DESC"
    ).format(database)
    found: list[tuple[object, ...]] = []

    def look() -> bool:
        found[:] = cluster.execute(query)
        return bool(found)

    await until(look)
    pid, port = found[0]
    assert isinstance(pid, int)
    assert isinstance(port, int)
    return pid, port


async def test_a_transaction_that_stays_open_holds_back_those_behind_it(
    database: Database, other: Database, open_at: Callable[[str], Database], postgres_url: str, cluster: Cluster
) -> None:
    """A number that became visible before a lower one would make a reader pass over that."""
    worker = Worker(open_at(postgres_url))
    async with running(worker), asyncio.TaskGroup() as group:
        async with database.writing() as work:
            await work.changes.append(ChangeKind.LINK, "first")
            second = group.create_task(append(other, "second"))
            await until(lambda: cluster.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
            await worker.feed.announce()
            assert worker.heard == []
            assert not second.done()
        await second
        await until(lambda: len(worker.heard) == 2)
    assert worker.heard == ["first", "second"]
    assert worker.resets == 0


@pytest.mark.usefixtures("only_notified")
async def test_two_machines_hear_each_other_by_notification(database: Database, other: Database) -> None:
    one, two = Worker(database), Worker(other)
    async with running(one), running(two):
        for number in range(5):
            await append(database, f"of one {number}")
            await until(lambda: len(two.heard) == 2 * number + 1)  # noqa: B023 -- awaited within the turn
            await append(other, f"of two {number}")
            await until(lambda: len(one.heard) == 2 * number + 2)  # noqa: B023 -- the same
        await until(lambda: one.heard == two.heard)
    assert (one.resets, two.resets) == (0, 0)


async def test_a_change_that_nobody_was_notified_of_is_found(
    database: Database, cluster: Cluster, postgres_database: str
) -> None:
    worker = Worker(database)
    async with running(worker):
        await append(database, "a")
        await until(lambda: worker.heard)
        cluster.execute("INSERT INTO changes VALUES (2, 'link', 'b', now())", postgres_database)
        await until(lambda: len(worker.heard) == 2)
    assert (worker.heard, worker.resets) == (["a", "b"], 0)


@pytest.mark.usefixtures("only_notified")
async def test_who_lost_its_listening_connection_gets_another_and_misses_nothing(
    database: Database, other: Database, cluster: Cluster, postgres_database: str
) -> None:
    worker = Worker(database)
    with capture_logs() as logs:
        async with running(worker):
            pid, _ = await the_listener(cluster, postgres_database)
            cluster.execute(sql.SQL("SELECT pg_terminate_backend({})").format(pid))
            await append(other, "meanwhile")
            # Its first heartbeat makes it look, whatever it has missed.
            await until(lambda: worker.heard)
            await append(other, "afterwards")
            await until(lambda: len(worker.heard) == 2)
    assert (worker.heard, worker.resets) == (["meanwhile", "afterwards"], 0)
    assert [line["event"] for line in logs] == ["feed_deaf"]


@pytest.mark.usefixtures("only_notified")
async def test_a_connection_that_no_longer_notifies_is_noticed_and_replaced(
    open_at: Callable[[str], Database],
    other: Database,
    cluster: Cluster,
    postgres_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres, "HEARTBEAT_S", 4.0)
    async with wire_to(cluster.port) as wire:
        worker = Worker(open_at(cluster.url(postgres_database, port=wire.port)))
        with capture_logs() as logs:
            async with running(worker):
                _, port = await the_listener(cluster, postgres_database)
                wire.freeze(port)
                await until(lambda: "feed_deaf" in [line["event"] for line in logs])
                await append(other, "a")
                await until(lambda: worker.heard)
    assert (worker.heard, worker.resets) == (["a"], 0)


@pytest.mark.usefixtures("only_notified")
async def test_a_connection_that_answers_and_hears_nothing_is_noticed_and_replaced(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler that lends connections for a transaction each."""
    monkeypatch.setattr(postgres, "HEARTBEAT_S", 4.0)
    made: list[psycopg.AsyncConnection[Any]] = []
    listening = database.listening

    @asynccontextmanager
    async def noted() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with listening() as connection:
            made.append(connection)
            yield connection

    monkeypatch.setattr(database, "listening", noted)
    worker = Worker(database)
    with capture_logs() as logs:
        async with running(worker):
            await append(other, "a")
            await until(lambda: worker.heard)
            await made[0].execute("UNLISTEN *")
            await until(lambda: "feed_deaf" in [line["event"] for line in logs])
            await append(other, "b")
            await until(lambda: len(worker.heard) == 2)
    assert (worker.heard, worker.resets) == (["a", "b"], 0)


async def test_a_worker_that_is_cut_off_knows_it_and_catches_up_when_it_is_back(
    open_at: Callable[[str], Database], other: Database, cluster: Cluster, postgres_database: str
) -> None:
    now = [1000.0]
    async with wire_to(cluster.port) as wire:
        worker = Worker(open_at(cluster.url(postgres_database, port=wire.port)), monotonic=lambda: now[0])
        async with running(worker):
            await append(other, "before")
            await until(lambda: worker.heard)
            assert not is_blind(worker)
            wire.cut()
            now[0] += BLIND_AFTER_S + 1
            assert is_blind(worker)
            assert worker.feed.blind_since == 1000
            await append(other, "revoked")
            assert worker.heard == ["before"]
            wire.mend()
            await until(lambda: len(worker.heard) == 2)
            await until(lambda: not is_blind(worker))
    assert (worker.heard, worker.resets) == (["before", "revoked"], 0)


async def test_a_restarted_server_costs_nothing(open_at: Callable[[str], Database]) -> None:
    with running_cluster() as cluster:
        cluster.create("share")
        await asyncio.to_thread(migrate.upgrade, cluster.url("share"))
        database = open_at(cluster.url("share"))
        worker = Worker(database)
        async with running(worker):
            await append(database, "before")
            await until(lambda: worker.heard)
            cluster.stop()
            await until(lambda: is_blind(worker))
            await asyncio.to_thread(cluster.start)
            # The pool's connections are those of the former server.
            await append(database, "afterwards")
            await until(lambda: len(worker.heard) == 2)
            assert not is_blind(worker)
        await database.close()
    assert (worker.heard, worker.resets) == (["before", "afterwards"], 0)


async def test_a_server_that_took_over_without_the_newest_commits_makes_everybody_look_again(
    open_at: Callable[[str], Database],
) -> None:
    """What was lost is undone, and the numbers that were lost come again with other changes."""
    with running_cluster() as primary, own_folder() as folder:
        primary.create("share")
        await asyncio.to_thread(migrate.upgrade, primary.url("share"))
        [port] = reserve_ports(1)
        standby = primary.copy_to(folder, port)
        async with AsyncExitStack() as stack:
            standby.start(until_writable=False)
            stack.callback(standby.stop)
            wire = await stack.enter_async_context(wire_to(primary.port))
            worker, writer = Worker(open_at(primary.url("share", port=wire.port))), open_at(primary.url("share"))
            async with running(worker):
                await append(writer, "kept")
                await until(lambda: worker.heard)
                await until(lambda: standby.execute("SELECT id FROM changes", "share") == [("kept",)])
                standby.execute("ALTER SYSTEM SET primary_conninfo TO ''")
                standby.execute("SELECT pg_reload_conf()")
                await until(lambda: not standby.execute("SELECT pid FROM pg_stat_wal_receiver"))
                await append(writer, "lost")
                await until(lambda: len(worker.heard) == 2)
                primary.stop()
                standby.promote()
                await append(open_at(standby.url("share")), "instead", "another")
                wire.lead_to(port)
                await until(lambda: worker.resets)
                await append(open_at(standby.url("share")), "afterwards")
                await until(lambda: worker.heard[-1] == "afterwards")
    assert worker.heard == ["kept", "lost", "afterwards"]
    assert worker.resets == 1
