"""What the planners of both databases make of every statement: none may read a growing table as a whole.

Statements are heard where they are sent, and each method of each repository has to be called, so that a new one can't
be forgotten.
"""

from __future__ import annotations

import inspect
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from itertools import product
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from tests.storage.crowded import DAY, ENVIRONMENT_ID, LINK_ID, ORG, Crowd, token_hash
from tests.storage.hearing import Heard, hearing
from tests.storage.samples import NOON, SetClock, make_account, make_environment, make_link, make_session

from guestpass.app.counters import Charge, Limit, charge
from guestpass.app.ports import (
    Activity,
    ChangeKind,
    DashboardSession,
    LinkFilter,
    LinkSort,
    Origin,
    RefusedCall,
    SlotResult,
    UnitOfWork,
    Unreachable,
)
from guestpass.app.visitor_sessions import SCANNED_AT_ONCE
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import SignInRefusal
from guestpass.domain.branding import Branding
from guestpass.domain.environment import EnvironmentKey, OdooAddress
from guestpass.domain.finding import Finding
from guestpass.domain.link import EventKind, LinkEvent, ShareType, Status
from guestpass.domain.visit import OPENINGS_KEPT, OTHERS, Refusal
from guestpass.storage import migrate
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database, SQLUnitOfWork
from guestpass.storage.feed import open_feed
from guestpass.storage.location import PostgresDatabase, SQLiteFile
from guestpass.storage.pruning import Pruning
from guestpass.storage.retention import VisitRetention
from guestpass.storage.tables import metadata

KEY = EnvironmentKey(ORG, ENVIRONMENT_ID)
WHO = Principal("olga", ORG, frozenset({Scope.SHARES_READ}))
STAYS_SMALL = {"branding", "instance", "worker_batches"}
GROWING = set(metadata.tables) - STAYS_SMALL

# Statements that may read a table as a whole, by a piece of each, and why.
READ_WHOLE = {
    'WHERE (rate_counters."key" LIKE': (
        "an owner lets passwords in again by hand; counters that are over are gone, and texts sort differently anywhere"
    ),
    "SELECT count(*) AS count_1 FROM (SELECT environments.id AS id FROM environments LIMIT": (
        "it stops after the first few"
    ),
}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Notes the repositories' methods that are called."""
    names: set[str] = set()

    def noting(name: str, method: Any) -> Any:
        @wraps(method)
        async def note(*arguments: Any, **named: Any) -> Any:
            names.add(name)
            return await method(*arguments, **named)

        return note

    for name, method in _methods():
        repository, _, attribute = name.partition(".")
        monkeypatch.setattr(_REPOSITORIES[repository], attribute, noting(name, method))
    return names


_REPOSITORIES = {
    type(each).__name__: type(each)
    for each in vars(SQLUnitOfWork(cast("Any", None), SetClock())).values()  # Nothing is asked of it.
    if type(each).__module__.startswith("guestpass.")
}


def _methods() -> Iterator[tuple[str, Any]]:
    for repository, kind in _REPOSITORIES.items():
        for name, method in vars(kind).items():
            if inspect.iscoroutinefunction(method) and not name.startswith("_"):
                yield f"{repository}.{name}", method


@pytest.fixture
async def on_sqlite(tmp_path: Path, clock: SetClock) -> AsyncIterator[Database]:
    """SQLite's planner counts nothing unless told to, so that a few rows do."""
    url = f"sqlite:///{tmp_path / 'guestpass.db'}"
    migrate.upgrade(url)
    Crowd(300).fill(url)
    database = Database(url, clock)
    yield database
    await database.close()


@pytest.fixture
async def on_postgres(postgres_url: str, clock: SetClock) -> AsyncIterator[Database]:
    Crowd(4000).fill(postgres_url)
    database = Database(postgres_url, clock)
    yield database
    await database.close()


async def test_sqlite_reads_no_growing_table_as_a_whole(on_sqlite: Database, clock: SetClock, called: set[str]) -> None:
    with hearing() as statements:
        await use(on_sqlite, clock)
    assert {name for name, _ in _methods()} - called == set()
    # Rows go as one parameter (`storage.batch`); of a statement for each of them the driver would make a pipeline.
    assert [statement.text for statement in statements if statement.for_each_row] == []
    found = _scanning_in_sqlite(on_sqlite, statements)
    assert "\n".join(found) == ""
    assert len(_scanning_in_sqlite(on_sqlite, [NOTICED])) == 1


async def test_postgresql_reads_no_growing_table_as_a_whole(on_postgres: Database, clock: SetClock) -> None:
    with hearing() as statements:
        await use(on_postgres, clock)
    found = _scanning_in_postgres(on_postgres, statements)
    assert "\n".join(found) == ""
    assert len(_scanning_in_postgres(on_postgres, [NOTICED])) == 1


async def test_a_page_of_a_list_is_not_made_by_sorting_the_whole(on_sqlite: Database) -> None:
    with hearing() as statements:
        async with on_sqlite.reading() as work:
            for sort, descending in product(LinkSort, (True, False)):
                wanted = LinkFilter(org=ORG, now=NOON)
                await work.links.find(wanted, sort=sort, descending=descending, after=None, limit=51)
            await work.visits.visitors(LINK_ID, after=None, limit=51)
            await work.visits.newest_events(LINK_ID, kinds=[EventKind.OPENED], before=None, limit=51)
            await work.reachabilities.candidates(after=KEY, limit=100)
    assert isinstance(on_sqlite.location, SQLiteFile)
    with closing(sqlite3.connect(on_sqlite.location.path)) as connection:
        sorting = [each.text for each in statements if any("ORDER BY" in step for step in _steps(connection, each))]
    assert len(statements) > len(LinkSort)
    assert sorting == []


@pytest.mark.parametrize("table", sorted(GROWING))
def test_what_a_removal_takes_with_it_is_found_by_an_index(table: str) -> None:
    indexed = [[column.name for column in index.columns] for index in metadata.tables[table].indexes]
    indexed.append([column.name for column in metadata.tables[table].primary_key.columns])
    for key in metadata.tables[table].foreign_key_constraints:
        wanted = [column.name for column in key.columns]
        assert any(columns[: len(wanted)] == wanted for columns in indexed), wanted


NOTICED = Heard("SELECT links.id FROM links WHERE links.visits > 3990", ())


def _scanning_in_sqlite(database: Database, statements: list[Heard]) -> list[str]:
    assert isinstance(database.location, SQLiteFile)
    found = []
    with closing(sqlite3.connect(database.location.path)) as connection:
        for statement in statements:
            for step in _steps(connection, statement):
                # An index over all rows is read as a whole, too; "SEARCH" goes to a part.
                scanned = re.match(r"SCAN (\w+?)(_\d+)?( USING .*)?$", step)
                if scanned is not None and scanned[1] in GROWING:
                    found.append(statement.text)
                    break
    return _unexpected(found)


def _unexpected(texts: list[str]) -> list[str]:
    lines = [" ".join(text.split()) for text in texts]
    return [line for line in lines if not any(piece in line or piece.replace('"', "") in line for piece in READ_WHOLE)]


def _steps(connection: sqlite3.Connection, statement: Heard) -> list[str]:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.values)
    return [row[3] for row in rows]


def _scanning_in_postgres(database: Database, statements: list[Heard]) -> list[str]:
    assert isinstance(database.location, PostgresDatabase)
    found = []
    url = database.location.url
    with psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=url.database,
        cursor_factory=psycopg.ClientCursor,
    ) as connection:
        for statement in statements:
            row = connection.execute(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.values).fetchone()
            assert row is not None
            if not GROWING.isdisjoint(_sequential(row[0][0]["Plan"])):
                found.append(statement.text)
    return _unexpected(found)


def _sequential(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from their beginning to their end."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _sequential(part)


async def use(database: Database, clock: SetClock) -> None:
    """Do all that is done to the database while serving."""
    await _look(database)
    await _write(database)
    await _keep_house(database, clock)


async def _look(database: Database) -> None:
    async with database.reading() as work:
        await work.links.by_token_hash(token_hash(5))
        await work.links.get(LINK_ID)
        await work.links.sealed_tokens([LINK_ID, "link7"])
        for status in (None, *Status):
            await work.links.by_environment(KEY, now=NOON, status=status)
        await work.links.count_active(ORG, NOON)
        await _look_for_links(work)
        await work.environments.get(KEY)
        await work.environments.all(ORG)
        await work.environments.count(up_to=2)
        await work.environments.count_of(ORG)
        for behind in (None, ("Environment 40", "environment40")):
            await work.environments.page(ORG, after=behind, limit=51)
        await work.environments.findings(ORG)
        await work.environments.findings(ORG, id=ENVIRONMENT_ID)
        await work.environments.http_only_cookies(KEY)
        await work.environments.refused_calls(KEY)
        await work.accounts.get(KEY, "anna")
        await work.accounts.all(KEY)
        await work.accounts.of_org(ORG)
        await work.accounts.links_using(KEY, "anna", now=NOON)
        await work.places.ended(LINK_ID)
        await work.places.ended_of(LINK_ID, ["visitor1", "other"])
        await work.places.places_taken([LINK_ID, "link7"], NOON)
        await work.visits.visitor(LINK_ID, "visitor0")
        for after in (None, (NOON, 5)):
            await work.visits.visitors(LINK_ID, after=after, limit=51)
            for kinds in (list(EventKind), [EventKind.OPENED]):
                await work.visits.newest_events(LINK_ID, kinds=kinds, before=after, limit=51)
        await work.visits.count_visitors(LINK_ID)
        await work.visits.live([LINK_ID, "link7"], NOON - timedelta(minutes=1))
        await work.visits.live_by_environment(ORG, NOON - timedelta(minutes=1))
        await work.visits.hours(LINK_ID, NOON - DAY)
        await work.refusals.of_link(LINK_ID)
        await work.brandings.get(ORG)
        await work.odoo_sessions.get(LINK_ID, "visitor0")
        for place in (("", ""), ("link7", "visitor7")):
            await work.odoo_sessions.scan(NOON, after=place, count=SCANNED_AT_ONCE)
        await work.odoo_sessions.ended_of_links([LINK_ID, "link7"], NOON, limit=50)
        await work.odoo_sessions.ended_by_time(NOON - timedelta(seconds=2), NOON, limit=50)
        await work.odoo_sign_outs.due(NOON, limit=50)
        await work.revoked_tokens.contains("j7")
        await work.dashboard_sessions.is_invited(token_hash(5), now=NOON)
        await work.dashboard_sessions.find(token_hash(5), now=NOON)
        await work.dashboard_sessions.all(now=NOON + DAY)
        await work.reachabilities.of_org(ORG)
        await work.reachabilities.get(KEY)
        for last in (None, KEY):
            await work.reachabilities.candidates(after=last, limit=100)
        await work.changes.last()
        await work.changes.since(3990)


async def _look_for_links(work: SQLUnitOfWork) -> None:
    wanted = LinkFilter(org=ORG, now=NOON)
    filters = [
        wanted,
        replace(wanted, text="label 80"),
        replace(wanted, environment_id=ENVIRONMENT_ID),
        *(replace(wanted, status=status) for status in Status),
        replace(wanted, share_type=ShareType.PASSWORD),
        replace(wanted, created_by="owner3"),
        replace(wanted, expires_before=NOON + timedelta(hours=1)),
    ]
    places: dict[LinkSort, Any] = dict.fromkeys(LinkSort, NOON) | {LinkSort.LABEL: "label", LinkSort.VISITS: 9}
    for each, sort, descending in product(filters, LinkSort, (True, False)):
        for after in (None, (places[sort], LINK_ID), *([(None, LINK_ID)] if sort is LinkSort.LAST_OPENED else [])):
            await work.links.find(each, sort=sort, descending=descending, after=after, limit=51)
    for each in filters:
        await work.links.count(each)


async def _write(database: Database) -> None:
    link, environment = make_link("new", environment=KEY), make_environment(KEY)
    account, session = make_account(environment=KEY), make_session("link1", "new", environment=KEY)
    async with database.writing() as work:
        await work.environments.update(environment)
        await work.environments.add(replace(environment, key=EnvironmentKey(ORG, "new")))
        await work.environments.set_findings(KEY, [Finding("code", "detail", "remedy")])
        await work.environments.add_finding(environment, Finding("other", "detail", "remedy"))
        await work.environments.learn_http_only_cookies(KEY, ["other"])
        await work.environments.add_refused_calls({KEY: [RefusedCall("m", "g", 1, NOON)]})
        await work.environments.remove(EnvironmentKey(ORG, "new"))
        await work.accounts.put(account)
        await work.accounts.refuse(KEY, "anna", 2, NOON, SignInRefusal.CREDENTIALS)
        await work.accounts.claim_retry(KEY, "anna", now=NOON, before=NOON)
        await work.accounts.accept(KEY, "anna", 2)
        await work.accounts.remove(KEY, "anna")
        await work.links.add(link, token_hash(987654), b"sealed")
        await work.links.update(link)
        await work.links.replace_token("new", token_hash(987655), b"sealed", NOON)
        await work.links.deactivate("new", NOON)
        await work.links.deactivate_many(ORG, ["new", "link2"], NOON)
        await work.links.remove("new")
        origin = Origin("192.0.2.0", "Firefox", "Linux")
        await work.visits.record(
            [
                Activity("link1", "new", ((NOON, True), (NOON + DAY, False)), NOON, NOON, origin),
                Activity("link2", "visitor2", ((NOON, True),), NOON, NOON, origin),
                Activity("link3", OTHERS, (), NOON, further=((NOON, OPENINGS_KEPT + 1),), newcomers=7),
            ]
        )
        await _take_places(work)
        await work.places.give_place_back("link1", "nobody", reserved_until=NOON)
        await work.places.end("link1", "other", NOON)
        await work.visits.add_events([LinkEvent("link1", NOON, EventKind.CHANGED, "olga", "label")])
        await work.refusals.add([Refusal("link1", NOON, "ended", None, None, None, None)])
        await work.odoo_sessions.claim(replace(session, revision=0), claim="c", now=NOON, until=NOON + DAY)
        await work.odoo_sessions.complete(session, claim="c", now=NOON)
        await work.odoo_sessions.rotate("link1", "new", revision=1, sealed=b"other")
        await work.odoo_sessions.release("link1", "new", claim="c")
        await work.odoo_sessions.end("link1", "new", NOON)
        await work.odoo_sessions.end_finished([("link1", "visitor1"), ("link7", "visitor7")], NOON)
        await work.odoo_sessions.end_all(KEY, NOON)
        await _sign_out(work, environment.odoo_address)
        await work.brandings.put(ORG, Branding(name="Agency"), at=NOON, by="olga")
        await work.brandings.remove(ORG)
        await work.revoked_tokens.add("new", revoked_at=NOON, expires_at=NOON + DAY)
        await work.dashboard_sessions.invite(token_hash(987654), WHO, until=NOON + DAY)
        await work.dashboard_sessions.accept(token_hash(987654), now=NOON)
        signed_in = DashboardSession("new", WHO, None, "192.0.2.1", NOON, NOON + DAY)
        await work.dashboard_sessions.add(signed_in, token_hash(987654))
        await work.dashboard_sessions.remove("new")
        await work.reachabilities.regain(KEY)
        await work.reachabilities.lose(KEY, Unreachable(NOON, "refused"))
        await work.changes.append(ChangeKind.LINK, "link1")


async def _sign_out(work: SQLUnitOfWork, at: OdooAddress) -> None:
    await work.odoo_sign_outs.add(at, "link1", "new", b"sealed", NOON)
    await work.odoo_sign_outs.claim(at, now=NOON, until=NOON + DAY, limit=5)
    await work.odoo_sign_outs.most_tries(at)
    await work.odoo_sign_outs.put_off_all(at, NOON + DAY)
    await work.odoo_sign_outs.put_off(7, NOON + DAY, tries=1)
    await work.odoo_sign_outs.remove([7, 8])
    await work.odoo_sign_outs.give_up(at, before=NOON, keep=100)


async def _take_places(work: UnitOfWork) -> None:
    for visitor in ("other", "third"):
        await work.places.take_place("link1", visitor, 1, NOON - DAY, reserved_until=NOON)
    await work.places.free_place("link1", "other", NOON)
    await work.links.update(replace(make_link("link1", environment=KEY), version=1, max_visitors=3))
    place = await work.places.take_place("link1", "fourth", 1, NOON, reserved_until=NOON + DAY)
    assert place is SlotResult.RECLAIMED
    await work.places.leave("link1", "fifth", 1, NOON)
    await work.places.leave("link1", "sixth", 1, NOON, distinguished=False)


async def _keep_house(database: Database, clock: SetClock) -> None:
    await DatabaseBudget(database, clock, "3/minute", "any").spend("one", "two")
    limit = Limit("3/minute", "other")
    counters = [limit.counter("one", "two"), limit.counter("one", "three")]
    charged = await charge(database, clock, [counters], pending=True)
    assert isinstance(charged, Charge)
    async with database.writing() as work:
        await work.counters.settle(charged.counters, clock.now(), refund=True)
        await work.counters.shorten(counters, clock.now())
        await work.counters.clear_below([limit.below("one"), limit.below("two")])

    async def nothing(*_: object) -> None:
        pass

    feed = open_feed(database, nothing, nothing)
    await feed.start()
    await feed.announce()
    async with database.writing() as work:
        await work.links.deactivate("link3", NOON - 100 * DAY)
        await work.refusals.add([Refusal("link3", NOON - 100 * DAY, "ended", None, None, None, None)])
    assert await VisitRetention(database, clock, 90 * DAY).remove() > 0
    clock.advance(timedelta(hours=1))
    assert await Pruning(database, clock).prune() > 0
    async with database.writing() as work:
        assert await work.batches.begin("worker", 1, clock.now())
