from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.postgres.cluster import Cluster
from tests.postgres.databases import Databases
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    SetClock,
    changes_after,
    history_of,
    keep,
    link_of,
    make_account,
    make_environment,
    make_link,
    make_session,
    sign_in,
)

from guestpass.app.ports import Activity, ChangeKind, DashboardSession, Origin, RefusedCall, Unreachable
from guestpass.domain.access import Principal
from guestpass.domain.branding import Branding, Logo
from guestpass.domain.finding import Finding
from guestpass.domain.visit import Refusal
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.copying import BATCH, copy
from guestpass.storage.database import Database
from guestpass.storage.instance import read_instance, write_instance
from guestpass.storage.location import DatabaseUnusable
from guestpass.storage.tables import metadata

VISITORS = 2 * BATCH + 1
REFUSED = Refusal(LINK_ID, NOON, "password_wrong", "request-1", "Firefox", "Linux", "192.0.2.0")
LOGO = Logo("image/png", bytes(range(256)))


@pytest.fixture
def cluster(postgres_databases: Databases) -> Cluster:
    return postgres_databases.cluster


@pytest.fixture
async def source(sqlite_url: str) -> AsyncIterator[Database]:
    """An installation with something in every table."""
    database = Database(sqlite_url, SetClock())
    await keep(database, make_environment(), make_account(), make_link(account="anna"), make_link("b" * 16, label=None))
    await sign_in(database, make_session())
    olga = Principal("olga")
    async with database.writing() as work:
        await work.environments.set_findings(KEY, [Finding("slow", "It took 9 s.", "Buy another.")])
        await work.environments.learn_http_only_cookies(KEY, ["session_id"])
        await work.environments.add_refused_calls({KEY: [RefusedCall("res.partner", "write", 3, NOON)]})
        await work.reachabilities.lose(KEY, Unreachable(NOON, "refused"))
        await work.visits.record(
            [
                Activity(LINK_ID, f"visitor{number}", ((NOON, True),), NOON, NOON, Origin("192.0.2.0", "Firefox", None))
                for number in range(VISITORS)
            ]
        )
        await work.refusals.add([REFUSED])
        await work.revoked_tokens.add("one", revoked_at=NOON, expires_at=NOON + timedelta(days=1))
        await work.brandings.put("default", Branding(name="Ærø", logo=LOGO), at=NOON, by="olga")
        later = NOON + timedelta(hours=1)
        await work.dashboard_sessions.invite(b"i" * 32, olga, until=later)
        await work.odoo_sign_outs.add(make_environment().odoo_address, LINK_ID, "carl", b"sealed", NOON)
        session = DashboardSession("session", olga, None, "192.0.2.7", NOON, later)
        await work.dashboard_sessions.add(session, b"s" * 32)
        await work.changes.append(ChangeKind.LINK, LINK_ID)
        assert await work.batches.begin("worker", 7, NOON)
    await DatabaseBudget(database, SetClock(), "3/hour", "test").spend("somebody")
    await write_instance(database, {"key_fingerprint": "00ff"})
    yield database
    await database.close()


def counts_of_file(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in metadata.tables}


def counts_of_database(cluster: Cluster, name: str) -> dict[str, int]:
    with cluster.connect(name) as connection:
        query = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in metadata.tables)
        return dict(connection.execute(query.encode()).fetchall())  # type: ignore[arg-type]


async def test_an_installation_moves_with_everything_it_holds(
    source: Database, sqlite_url: str, tmp_path: Path, cluster: Cluster
) -> None:
    name = "moved"
    cluster.create(name)
    told: dict[str, int] = {}
    copy(sqlite_url, cluster.url(name), copied=told.__setitem__)
    expected = counts_of_file(tmp_path / "guestpass.db")
    assert min(expected.values()) >= 1
    assert expected["visitors"] == VISITORS
    assert told == expected == counts_of_database(cluster, name)
    moved = Database(cluster.url(name), SetClock())
    assert await link_of(moved) == await link_of(source)
    assert await link_of(moved, "b" * 16) == await link_of(source, "b" * 16)
    assert await read_instance(moved) == {"key_fingerprint": "00ff"}
    async with source.reading() as before, moved.reading() as after:
        for work in (before, after):
            branding = await work.brandings.get("default")
            assert branding is not None
            assert branding.logo == LOGO
            assert await work.revoked_tokens.contains("one")
        assert await after.environments.all("default") == await before.environments.all("default")
        assert await after.environments.findings("default") == await before.environments.findings("default")
        assert await after.accounts.all(KEY) == await before.accounts.all(KEY)
        assert await after.odoo_sessions.get(LINK_ID, "bert") == await before.odoo_sessions.get(LINK_ID, "bert")
        assert await history_of(after, LINK_ID) == await history_of(before, LINK_ID)
        assert await after.links.sealed_tokens([LINK_ID]) == await before.links.sealed_tokens([LINK_ID])
        assert await changes_after(after) == await changes_after(before)
        newest = await before.changes.last()
    # What is written from now on goes on behind what was there.
    async with moved.writing() as work:
        await work.visits.record([Activity(LINK_ID, "late", ((NOON, True),), NOON)])
        await work.refusals.add([REFUSED])
        await work.odoo_sign_outs.add(make_environment().odoo_address, LINK_ID, "eva", b"sealed", NOON)
        await work.changes.append(ChangeKind.LINK, LINK_ID)
        assert await work.changes.last() == newest + 1
        assert len(await history_of(work, LINK_ID)) == VISITORS + 1
        assert len(await work.refusals.of_link(LINK_ID)) == 2
    await moved.close()
    cluster.drop(name)


@pytest.mark.usefixtures("source")
async def test_it_can_move_back(sqlite_url: str, tmp_path: Path, postgres_url: str) -> None:
    copy(sqlite_url, postgres_url)
    back = tmp_path / "back.db"
    copy(postgres_url, f"sqlite:///{back}")
    assert counts_of_file(back) == counts_of_file(tmp_path / "guestpass.db")
    with closing(sqlite3.connect(tmp_path / "guestpass.db")) as one, closing(sqlite3.connect(back)) as other:
        for table in metadata.sorted_tables:
            query = f"SELECT * FROM {table.name}"
            assert set(one.execute(query)) == set(other.execute(query))


@pytest.mark.usefixtures("source")
def test_a_target_that_holds_anything_is_refused_and_left_alone(
    sqlite_url: str, postgres_url: str, postgres_database: str, cluster: Cluster
) -> None:
    cluster.execute("INSERT INTO instance VALUES ('key_fingerprint', 'another')", postgres_database)
    with pytest.raises(DatabaseUnusable, match="is not empty: its table instance has rows"):
        copy(sqlite_url, postgres_url)
    assert sum(counts_of_database(cluster, postgres_database).values()) == 2


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("table", "trigger", "said"),
    [
        ("links", "NEW.label := 'Another'; RETURN NEW", "does not give back what was copied into its table links"),
        (
            "visitors",
            "IF NEW.visitor = 'visitor7' THEN RETURN NULL; END IF; RETURN NEW",
            "copied into its table visitors",
        ),
        ("visitors", "RAISE 'disk full'", "can't be used: disk full"),
    ],
)
def test_where_one_row_differs_nothing_is_kept(
    sqlite_url: str, postgres_url: str, postgres_database: str, cluster: Cluster, table: str, trigger: str, said: str
) -> None:
    with cluster.connect(postgres_database) as connection:
        connection.execute(
            f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {trigger}; END $$".encode()
        )
        connection.execute(
            f"CREATE TRIGGER spoil BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION spoil()".encode()
        )
    with pytest.raises(DatabaseUnusable, match=said):
        copy(sqlite_url, postgres_url)
    assert sum(counts_of_database(cluster, postgres_database).values()) == 1, "but for what the migration wrote"


def test_a_source_that_is_missing_or_older_is_refused(tmp_path: Path, postgres_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="There is no database"):
        copy(f"sqlite:///{tmp_path}/absent.db", postgres_url)
    (tmp_path / "older.db").touch()
    with pytest.raises(DatabaseUnusable, match="older than this program"):
        copy(f"sqlite:///{tmp_path}/older.db", postgres_url)


def test_a_file_that_exists_is_no_target(sqlite_url: str, tmp_path: Path) -> None:
    for taken in (sqlite_url, f"sqlite:///{tmp_path / 'taken.db'}"):
        (tmp_path / "taken.db").touch()
        with pytest.raises(DatabaseUnusable, match="name one that doesn't exist"):
            copy(sqlite_url, taken)


def test_a_target_that_can_not_be_reached_is_named_without_its_password(sqlite_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match=r"guest@127\.0\.0\.1:1/share can't be used: .*refused") as caught:
        copy(sqlite_url, "postgresql+psycopg://guest:s3cret@127.0.0.1:1/share")
    assert "s3cret" not in str(caught.value)
