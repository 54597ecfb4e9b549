"""Migrations of a PostgreSQL database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from tests.postgres.cluster import Cluster
from tests.postgres.databases import Databases
from tests.storage.samples import NOON, SetClock
from tests.storage.waiting import until

from guestpass.storage import migrate
from guestpass.storage.connecting import writing
from guestpass.storage.database import Database
from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, locate
from guestpass.storage.migrate import DatabaseState
from guestpass.storage.tables import metadata

MACHINES = 10
LINK = """
    INSERT INTO environments (org, id, name, url, kind, tls_verify, body_limit, response_timeout, revision, created_at,
    created_by) VALUES ('default', 'staging', 'Staging', 'http://10.0.0.5:8069', 'odoo', true, 1, 1000000, 1,
    '2026-03-01 12:00:00.123456+00', 'olga');
    INSERT INTO links (id, org, environment_id, share_type, label, version, created_at, created_by, expires_at, visits,
    visitors) VALUES ('aaaaaaaaaaaaaaaa', 'default', 'staging', 'token', 'Møller', 1, '2026-03-01 12:00:00.123456+00',
    'olga', '2026-03-08 12:00:00+00', 2, 1);
    INSERT INTO visitors (link_id, visitor, first_seen, last_seen, visits, visit_started_at, visit_opened) VALUES
    ('aaaaaaaaaaaaaaaa', 'bert', '2026-03-01 12:00:00+00', '2026-03-01 13:40:00+00', 2, '2026-03-01 13:40:00+00', true);
    INSERT INTO link_events (link_id, at, kind, actor, detail) VALUES
    ('aaaaaaaaaaaaaaaa', '2026-03-01 12:00:00+00', 'opened', 'bert', NULL),
    ('aaaaaaaaaaaaaaaa', '2026-03-01 17:10:00+03:30', 'opened', 'bert', NULL),
    ('aaaaaaaaaaaaaaaa', '2026-03-01 14:00:00+00', 'refused', '192.0.2.7', 'password_wrong')
"""


@pytest.fixture
def cluster(postgres_databases: Databases) -> Cluster:
    return postgres_databases.cluster


@pytest.fixture
def empty(postgres_databases: Databases) -> str:
    """The name of a database that was just created."""
    return postgres_databases.make(template="template0")


def at_revision(url: str, revision: str) -> None:
    """Make a database as a program of that revision did."""
    with writing(locate(url)) as connection:
        command.upgrade(migrate._config(connection), revision)


def test_a_fresh_database_has_exactly_the_tables_that_the_program_uses(postgres_url: str) -> None:
    location = locate(postgres_url)
    assert isinstance(location, PostgresDatabase)
    engine = create_engine(location.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_state_of_a_database_is_told(cluster: Cluster, empty: str) -> None:
    url = cluster.url(empty)
    assert migrate.database_state(url) is DatabaseState.OLDER
    with pytest.raises(DatabaseUnusable, match="older than this program; run `guestpass db upgrade`"):
        migrate.require_current(url)
    migrate.upgrade(url)
    assert migrate.database_state(url) is DatabaseState.CURRENT
    migrate.require_current(url)
    cluster.execute("UPDATE alembic_version SET version_num = '9999'", empty)
    cluster.execute("UPDATE instance SET value = '9998' WHERE key = 'works_with'", empty)
    for call in (migrate.upgrade, migrate.require_current):
        with pytest.raises(DatabaseUnusable, match="made by a newer Guestpass"):
            call(url)


def test_a_database_of_something_else_is_refused_and_left_alone(cluster: Cluster, empty: str) -> None:
    cluster.execute("CREATE TABLE recipes (name text)", empty)
    with pytest.raises(DatabaseUnusable, match="is a database of something else"):
        migrate.upgrade(cluster.url(empty))
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert cluster.execute(tables, empty) == [("recipes",)]


async def test_what_the_first_tables_held_is_there_after_the_upgrade(cluster: Cluster, empty: str) -> None:
    url = cluster.url(empty)
    await asyncio.to_thread(at_revision, url, "0001")
    cluster.execute(LINK, empty)
    await asyncio.to_thread(migrate.upgrade, url)
    database = Database(url, SetClock())
    async with database.reading() as work:
        link = await work.links.get("aaaaaaaaaaaaaaaa")
        assert link is not None
        assert (link.label, link.created_at, link.visits) == ("Møller", NOON, 2)
        [visitor] = await work.visits.visitors(link.id, after=None, limit=10)
        assert (visitor.number, visitor.last_seen.hour) == (1, 13)
        hours = await work.visits.hours(link.id, NOON.replace(hour=0))
        assert {at.strftime("%H:%M %Z"): visits for at, visits in hours.items()} == {"12:00 UTC": 1, "13:00 UTC": 1}
        assert [refusal.address for refusal in await work.refusals.of_link(link.id)] == ["192.0.2.7"]
    await database.close()


def test_ten_machines_that_start_at_once_upgrade_it_once(cluster: Cluster, empty: str, tmp_path: Path) -> None:
    url = cluster.url(empty)
    at_revision(url, "0003")
    program = (
        "import sys; from guestpass.storage import migrate; print('ready', flush=True); input(); "
        "migrate.upgrade(sys.argv[1]); migrate.require_current(sys.argv[1]); print('done')"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(MACHINES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n", timeout=120)[0] for process in processes]
    assert said == ["done\n"] * MACHINES
    assert migrate.database_state(url) is DatabaseState.CURRENT


def test_who_upgrades_waits_for_who_writes_and_who_is_up_to_date_for_nobody(cluster: Cluster, empty: str) -> None:
    url = cluster.url(empty)
    at_revision(url, "0003")
    upgrading = threading.Thread(target=migrate.upgrade, args=(url,))
    with writing(locate(url)):
        upgrading.start()
        asyncio.run(until(lambda: cluster.execute("SELECT pid FROM pg_locks WHERE NOT granted")))
        assert migrate.database_state(url) is DatabaseState.OLDER
    upgrading.join()
    assert migrate.database_state(url) is DatabaseState.CURRENT
    with writing(locate(url)):
        migrate.upgrade(url)


def test_an_upgrade_gives_up_where_somebody_reads_for_long_and_leaves_nothing(cluster: Cluster, empty: str) -> None:
    """A backup, for example: everybody else would have to wait behind the upgrade."""
    url = cluster.url(empty)
    at_revision(url, "0001")
    with cluster.connect(empty) as connection, connection.transaction():
        connection.execute("LOCK TABLE links IN ACCESS SHARE MODE")
        with pytest.raises(DatabaseUnusable, match="lock timeout"):
            migrate.upgrade(url)
    assert migrate.current_revision(url) == "0001"
    migrate.upgrade(url)
