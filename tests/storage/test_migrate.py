from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unicodedata import normalize

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from tests.storage.samples import KEY, NOON, SetClock, history_of, keep, link_of, make_environment, make_link

from guestpass.app.ports import Activity, LinkFilter, LinkSort
from guestpass.domain.errors import GuestpassError
from guestpass.domain.finding import Finding
from guestpass.domain.link import Access, EventKind
from guestpass.storage import migrate
from guestpass.storage.connecting import writing
from guestpass.storage.database import Database
from guestpass.storage.location import DatabaseUnusable, SQLiteFile, locate
from guestpass.storage.migrate import DatabaseState
from guestpass.storage.tables import metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guestpass.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def run_sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_a_fresh_database_has_exactly_the_tables_that_the_program_uses(url: str, path: Path) -> None:
    migrate.upgrade(url)
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_comparison_would_notice(url: str, path: Path) -> None:
    migrate.upgrade(url)
    run_sql(path, "ALTER TABLE links ADD COLUMN remark VARCHAR")
    run_sql(path, "DROP INDEX ix_link_events_link_id_at")
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert {difference[0] for difference in found} == {"remove_column", "add_index"}


def test_foreign_keys_cascade_and_change_numbers_are_never_reused(url: str, path: Path) -> None:
    """What the comparison does not look at."""
    migrate.upgrade(url)
    cascading = {
        table: {str(row[6]) for row in run_sql(path, f"PRAGMA foreign_key_list({table})")}
        for table in (
            *("links", "http_only_cookies", "environment_findings", "refused_calls", "accounts", "odoo_sessions"),
            "unreachable_environments",
            *("link_tokens", "visitors", "link_events", "visit_hours", "refusals"),
        )
    }
    assert cascading == {table: {"CASCADE"} for table in cascading}
    [(sql,)] = run_sql(path, "SELECT sql FROM sqlite_master WHERE name = 'changes'")
    assert "AUTOINCREMENT" in str(sql)


def test_the_file_is_its_owners_alone_and_keeps_a_write_ahead_log(url: str, path: Path) -> None:
    migrate.upgrade(url)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("DELETE FROM changes")
        companions = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
        assert [stat.S_IMODE(file.stat().st_mode) for file in companions] == [0o600, 0o600]


async def test_upgrading_twice_changes_nothing(url: str, path: Path) -> None:
    migrate.upgrade(url)
    database = Database(url, SetClock())
    await keep(database, make_environment(), make_link())
    schema = run_sql(path, "SELECT sql FROM sqlite_master")
    await asyncio.to_thread(migrate.upgrade, url)
    assert run_sql(path, "SELECT sql FROM sqlite_master") == schema
    assert await link_of(database) == make_link()
    await database.close()


def at_revision(url: str, revision: str) -> None:
    """Make a database as a program of that revision did."""
    location = locate(url)
    if isinstance(location, SQLiteFile):
        location.path.touch()
    with writing(location) as connection:
        command.upgrade(migrate._config(connection), revision)


async def test_what_the_first_tables_held_is_there_after_the_upgrade(url: str, path: Path) -> None:
    await asyncio.to_thread(at_revision, url, "0001")
    assert migrate.database_state(url) is DatabaseState.OLDER
    run_sql(
        path,
        """INSERT INTO environments VALUES ('default', 'staging', 'Staging', 'http://10.0.0.5:8069', NULL, 'odoo',
           'Ask Eva', 1, 2147483648, 720000000, NULL, 3, '2026-03-01 12:00:00.123456', 'olga')""",
    )
    run_sql(
        path,
        """INSERT INTO links VALUES ('aaaaaaaaaaaaaaaa', 'default', 'staging', 'token', NULL, NULL, 1,
           '2026-03-01 12:00:00.123456', 'olga', '2026-03-08 12:00:00.123456', NULL, NULL, 7, 2)""",
    )
    await asyncio.to_thread(migrate.upgrade, url)
    # What still runs with the former program, and names no column that it doesn't know, must not fail meanwhile.
    run_sql(
        path,
        """INSERT INTO environments (org, id, name, url, kind, tls_verify, body_limit, response_timeout, revision,
           created_at, created_by) VALUES ('default', 'late', 'Late', 'http://10.0.0.6', 'web', 1, 1, 1000000, 1,
           '2026-03-01 12:00:00.000000', 'olga')""",
    )
    database = Database(url, SetClock())
    async with database.reading() as work:
        late, kept = await work.environments.all("default")
        assert await work.environments.findings("default") == {}
    assert (kept.name, kept.body_limit, kept.revision, kept.description) == ("Staging", 2**31, 3, "Ask Eva")
    for environment in (kept, late):
        assert (environment.public_url, environment.database, environment.checked_at) == (None, None, None)
        assert (environment.allow_paths, environment.max_concurrent) == ((), 8)
        assert (environment.odoo_version, environment.websocket_upstream) == (None, None)
    assert (await link_of(database)).visits == 7
    await database.close()


async def test_links_that_were_there_before_view_only_links_stay_what_they_were(url: str, path: Path) -> None:
    await asyncio.to_thread(at_revision, url, "0002")
    run_sql(
        path,
        """INSERT INTO environments VALUES ('default', 'staging', 'Staging', 'http://10.0.0.5:8069', NULL, 'odoo',
           'Ask Eva', 1, 2147483648, 720000000, NULL, 3, '2026-03-01 12:00:00.123456', 'olga',
           'https://odoo.example.com', 'staging', '/jsonrpc', 12, '18.0', NULL, 'same', NULL,
           '2026-03-01 12:01:00.000000')""",
    )
    run_sql(path, "INSERT INTO environment_findings VALUES ('default', 'staging', 0, 'code', 'Detail', 'Remedy')")
    insert_link = """INSERT INTO links (id, org, environment_id, share_type, label, version, created_at, created_by,
        expires_at, visits, visitors) VALUES ('{}', 'default', 'staging', 'token', 'Kept', 2,
        '2026-03-01 12:00:00.123456', 'olga', '2026-03-08 12:00:00.123456', 7, 2)"""
    run_sql(path, insert_link.format("before"))
    await asyncio.to_thread(migrate.upgrade, url)
    # What still runs with the former program must not fail meanwhile.
    run_sql(path, insert_link.format("after"))
    database = Database(url, SetClock())
    async with database.reading() as work:
        [environment] = await work.environments.all("default")
        assert await work.environments.findings("default") == {KEY: (Finding("code", "Detail", "Remedy"),)}
        assert await work.accounts.all(KEY) == []
        assert await work.environments.refused_calls(KEY) == []
    assert (environment.database, environment.allow_paths, environment.max_concurrent) == ("staging", ("/jsonrpc",), 12)
    assert environment.read_only_allow == ()
    for id in ("before", "after"):
        link = await link_of(database, id)
        assert (link.access, link.account) == (Access.FULL, None)
        assert (link.label, link.version, link.visits, link.visitors) == ("Kept", 2, 7, 2)
    await database.close()


async def test_what_was_known_of_links_and_visitors_is_counted_sorted_and_searched(url: str, path: Path) -> None:
    await asyncio.to_thread(at_revision, url, "0003")
    run_sql(
        path,
        """INSERT INTO environments (org, id, name, url, kind, tls_verify, body_limit, response_timeout, revision,
           created_at, created_by) VALUES ('default', 'staging', 'Staging', 'http://10.0.0.5', 'web', 1, 1, 1000000, 1,
           '2026-03-01 12:00:00.000000', 'olga')""",
    )
    insert_link = """INSERT INTO links (id, org, environment_id, share_type, label, version, created_at, created_by,
        expires_at, visits, visitors) VALUES ('{}', 'default', 'staging', 'token', {}, 2,
        '2026-03-01 12:00:00.123456', 'olga', '2026-03-08 12:00:00.123456', 3, 2)"""
    run_sql(path, insert_link.format("plain", "NULL"))
    run_sql(path, insert_link.format("named", "'For MØLLER'"))
    for visitor, first, last in (("anna", "12:01:00", "12:05:00"), ("bert", "12:00:30", "13:00:00")):
        run_sql(
            path,
            f"""INSERT INTO visitors VALUES ('named', '{visitor}', '2026-03-01 {first}.000000',
                '2026-03-01 {last}.000000', 1, '2026-03-01 {first}.000000', 1)""",
        )
    for at, actor in (("12:00:30", "bert"), ("12:59:59", "anna"), ("13:00:00", "bert")):
        run_sql(
            path, f"INSERT INTO link_events VALUES (NULL, 'named', '2026-03-01 {at}.500000', 'opened', '{actor}', NULL)"
        )
    for number in range(60):
        run_sql(
            path,
            f"""INSERT INTO link_events VALUES (NULL, 'named', '2026-03-01 14:00:{number:02}.000000', 'refused',
                '192.0.2.{number}', 'password_wrong')""",
        )
    await asyncio.to_thread(migrate.upgrade, url)
    # What still runs with the former program must not fail meanwhile, nor fail the present one.
    run_sql(path, insert_link.format("late", "'Late'"))
    run_sql(
        path,
        """INSERT INTO visitors (link_id, visitor, first_seen, last_seen, visits, visit_started_at, visit_opened)
           VALUES ('late', 'eva', '2026-03-01 12:00:00.000000', '2026-03-01 12:07:00.000000', 1,
           '2026-03-01 12:00:00.000000', 1)""",
    )
    run_sql(
        path,
        """INSERT INTO link_events (link_id, at, kind, actor, detail)
           VALUES ('late', '2026-03-01 12:00:00.000000', 'refused', '192.0.2.7', 'password_wrong')""",
    )
    database = Database(url, SetClock())
    async with database.reading() as work:
        wanted = LinkFilter(org="default", now=NOON)
        found = await work.links.find(wanted, sort=LinkSort.LABEL, descending=False, after=None, limit=10)
        assert [link.id for link in found if link.id != "late"] == ["named", "plain"]
        assert await work.links.count(replace(wanted, text="moller")) == 1
        assert await work.links.count(replace(wanted, text="plain")) == 1
        visitors = await work.visits.visitors("named", after=None, limit=10)
        assert [(each.id, each.number) for each in visitors] == [("bert", 1), ("anna", 2)]
        assert [each.last_seen.strftime("%H:%M") for each in visitors] == ["13:00", "12:05"]
        hours = await work.visits.hours("named", NOON - timedelta(days=1))
        assert {at.hour: visits for at, visits in hours.items()} == {12: 2, 13: 1}
        refusals = await work.refusals.of_link("named")
        assert [refusal.address for refusal in refusals] == [f"192.0.2.{number}" for number in range(59, 9, -1)]
        assert {(refusal.reason, refusal.request_id) for refusal in refusals} == {("password_wrong", None)}
        assert [event.kind for event in await history_of(work, "named")] == [EventKind.OPENED] * 3
        assert await history_of(work, "late") == []
        [late] = await work.visits.visitors("late", after=None, limit=10)
        assert late.last_seen.strftime("%H:%M") == "12:07"
    link = await link_of(database, "named")
    assert (link.note, link.start_path, link.max_visitors, link.allowed_ips) == (None, None, None, ())
    async with database.writing() as work:
        await work.visits.record([Activity("named", "eva", ((NOON, True),), NOON)])
        newcomer = await work.visits.visitor("named", "eva")
        assert newcomer is not None
        assert newcomer.number == 3
    await database.close()


def test_the_revisions_are_those_that_alembic_finds(url: str) -> None:
    migrate.upgrade(url)
    with writing(locate(url)) as connection:
        scripts = ScriptDirectory.from_config(migrate._config(connection))
    assert list(migrate.known_revisions()) == [each.revision for each in scripts.walk_revisions()][::-1]


def test_the_state_of_a_database_is_told(url: str, path: Path) -> None:
    assert migrate.database_state(url) is DatabaseState.MISSING
    assert migrate.current_revision(url) is None
    path.touch()
    assert migrate.database_state(url) is DatabaseState.OLDER
    migrate.upgrade(url)
    assert migrate.database_state(url) is DatabaseState.CURRENT
    assert migrate.current_revision(url) == migrate.head_revision()
    migrate.require_current(url)


def test_a_missing_database_is_named_with_the_remedy_and_not_made(url: str, path: Path) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        migrate.require_current(url)
    assert str(path) in str(caught.value)
    assert "guestpass db upgrade" in str(caught.value)
    assert isinstance(caught.value, GuestpassError)
    assert list(path.parent.iterdir()) == []


def test_an_older_database_is_named_with_the_remedy(url: str, path: Path) -> None:
    path.touch()
    with pytest.raises(DatabaseUnusable, match="older than this program; run `guestpass db upgrade`"):
        migrate.require_current(url)
    assert path.stat().st_size == 0


def test_a_newer_database_is_refused_and_left_alone(url: str, path: Path) -> None:
    migrate.upgrade(url)
    run_sql(path, "UPDATE alembic_version SET version_num = '9999'")
    run_sql(path, "UPDATE instance SET value = '9998' WHERE key = 'works_with'")
    assert migrate.database_state(url) is DatabaseState.NEWER
    for call in (migrate.upgrade, migrate.require_current):
        with pytest.raises(DatabaseUnusable, match="made by a newer Guestpass"):
            call(url)
    assert migrate.current_revision(url) == "9999"


def test_a_database_of_something_else_is_refused_and_left_alone(url: str, path: Path) -> None:
    run_sql(path, "CREATE TABLE recipes (name TEXT)")
    with pytest.raises(DatabaseUnusable, match="is a database of something else"):
        migrate.upgrade(url)
    assert run_sql(path, "SELECT name FROM sqlite_master") == [("recipes",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(url: str, path: Path) -> None:
    path.write_text("Dear diary, " * 100)
    with pytest.raises(DatabaseUnusable, match="file is not a database"):
        migrate.upgrade(url)
    assert path.read_text().startswith("Dear diary")


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"directory .*/absent for the database does not exist"):
        migrate.upgrade(f"sqlite:///{tmp_path}/absent/guestpass.db")


def test_an_upgrade_that_fails_half_way_leaves_nothing(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("the second index")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.operations.base.Operations.create_index", fail, raising=False)
        with pytest.raises(KeyError):
            migrate.upgrade(url)
    assert run_sql(path, "SELECT name FROM sqlite_master") == []
    migrate.upgrade(url)
    assert migrate.database_state(url) is DatabaseState.CURRENT


def test_processes_that_upgrade_at_once_wait_for_each_other(url: str, path: Path, tmp_path: Path) -> None:
    """They run where no source tree is, and find the migrations in the package."""
    program = "import sys; from guestpass.storage import migrate; input(); migrate.upgrade(sys.argv[1]); print('done')"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert said == ["done\n"] * 4
    assert migrate.database_state(url) is DatabaseState.CURRENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_links_are_found_and_sorted_however_their_letters_were_written(url: str, path: Path) -> None:
    """Labels of before the revision that writes letters in one way."""
    await asyncio.to_thread(at_revision, url, "0011")
    run_sql(
        path,
        """INSERT INTO environments (org, id, name, url, kind, tls_verify, body_limit, response_timeout, revision,
           created_at, created_by) VALUES ('default', 'staging', 'Staging', 'http://10.0.0.5', 'web', 1, 1, 1000000, 1,
           '2026-03-01 12:00:00.000000', 'olga')""",
    )
    for id, label in (("composed", "Zoë"), ("decomposed", normalize("NFD", "ZOË")), ("plain", "Zoe"), ("none", None)):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                """INSERT INTO links (id, org, environment_id, share_type, label, note, version, created_at, created_by,
                   expires_at, visits, visitors, label_key, searched) VALUES (?, 'default', 'staging', 'token', ?, ?, 1,
                   '2026-03-01 12:00:00.000000', 'olga', '2026-03-08 12:00:00.000000', 0, 0, ?, ?)""",
                (id, label, "Note", (label or "\U0010ffff").casefold(), f"{label or ''}\nNote\n{id}".casefold()),
            )
    await asyncio.to_thread(migrate.upgrade, url)
    database = Database(url, SetClock())
    async with database.reading() as work:
        wanted = LinkFilter(org="default", now=NOON)
        found = await work.links.find(wanted, sort=LinkSort.LABEL, descending=False, after=None, limit=10)
        assert [link.id for link in found] == ["plain", "composed", "decomposed", "none"]
        for text, number in (("zoe", 3), ("note", 4), ("note plain", 1)):
            assert await work.links.count(replace(wanted, text=text)) == number
    await database.close()
