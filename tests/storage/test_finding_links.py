"""Lists over all of an organisation's environments: what is found, in which order, and by which index."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.storage.samples import NOON, keep, make_environment, make_link

from guestpass.app.ports import LinkFilter, LinkSort, SortKey
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import ShareType, Status
from guestpass.storage.database import Database
from guestpass.storage.location import PostgresDatabase

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
SHOP, WIKI = EnvironmentKey("default", "shop"), EnvironmentKey("default", "wiki")
THEIRS = EnvironmentKey("acme", "shop")
ALL = LinkFilter(org="default", now=NOON)
LINKS = [
    make_link("a", environment=SHOP, label="Éclair", visits=3, last_opened_at=NOON - HOUR),
    make_link("b", environment=SHOP, label="eclipse", visits=3, created_at=NOON - TICK, note="Für die PRÜFUNG"),
    make_link("c", environment=WIKI, label=None, visits=11, expires_at=NOON + HOUR, last_opened_at=NOON),
    make_link("d", environment=WIKI, label="Zebra 100%", share_type=ShareType.TOKEN, created_by="otto"),
    make_link("e", environment=WIKI, label="audit_1", deactivated_at=NOON, expires_at=NOON + 2 * HOUR),
    make_link("f", environment=SHOP, label="ABC", expires_at=NOON, last_opened_at=NOON - 2 * HOUR),
]


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(
        database,
        make_environment(SHOP, name="Großhandel"),
        make_environment(WIKI, name="Wiki"),
        make_environment(THEIRS, name="Großhandel"),
        *LINKS,
        make_link("theirs", environment=THEIRS, label="audit"),
    )
    return database


async def ids(database: Database, wanted: LinkFilter = ALL, **given: Any) -> str:
    options: dict[str, Any] = {"sort": LinkSort.CREATED, "descending": False, "after": None, "limit": 100} | given
    async with database.reading() as work:
        return "".join(link.id for link in await work.links.find(wanted, **options))


@pytest.mark.parametrize(
    ("sort", "ascending", "descending"),
    [
        (LinkSort.CREATED, "bacdef", "fedcab"),
        (LinkSort.EXPIRES, "fceabd", "dbaecf"),
        (LinkSort.VISITS, "defabc", "cbafed"),
        # Those that were never opened come last either way.
        (LinkSort.LAST_OPENED, "facbde", "cafedb"),
        # As people sort, whatever the case; those without a label are behind all others.
        (LinkSort.LABEL, "febdac", "cadbef"),
    ],
)
async def test_links_are_sorted_and_given_page_by_page(
    database: Database, sort: LinkSort, ascending: str, descending: str
) -> None:
    for backwards, whole in ((False, ascending), (True, descending)):
        assert await ids(database, sort=sort, descending=backwards) == whole
        for size in (1, 2, 4):
            pages, after = "", None
            while page := await ids(database, sort=sort, descending=backwards, after=after, limit=size):
                pages += page
                after = place_of(page[-1], sort)
            assert pages == whole


def place_of(id: str, sort: LinkSort) -> SortKey:
    link = next(link for link in LINKS if link.id == id)
    keys: dict[LinkSort, datetime | str | int | None] = {
        LinkSort.CREATED: link.created_at,
        LinkSort.EXPIRES: link.expires_at,
        LinkSort.LAST_OPENED: link.last_opened_at,
        LinkSort.LABEL: link.label_key,
        LinkSort.VISITS: link.visits,
    }
    return keys[sort], id


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "bacdef"),
        ({"environment_id": "shop"}, "baf"),
        ({"environment_id": "absent"}, ""),
        ({"status": Status.ACTIVE}, "bacd"),
        ({"status": Status.DEACTIVATED}, "e"),
        ({"status": Status.EXPIRED}, "f"),
        ({"share_type": ShareType.TOKEN}, "d"),
        ({"created_by": "otto"}, "d"),
        ({"created_by": "ott"}, ""),
        ({"expires_before": NOON + HOUR}, ""),
        ({"expires_before": NOON + HOUR + TICK}, "c"),
        # What is deactivated does not expire any more.
        ({"expires_before": NOON + 3 * HOUR}, "c"),
        ({"text": "prüfung"}, "b"),
        # Whatever marks its letters have, and whatever was typed.
        ({"text": "prufung"}, "b"),
        ({"text": "ecl"}, "ba"),
        ({"text": "écl"}, "ba"),
        # Each word, wherever it stands.
        ({"text": "PRÜFUNG eclipse"}, "b"),
        ({"text": " gross  eclair "}, "a"),
        ({"text": "eclipse eclair"}, ""),
        ({"text": "100%"}, "d"),
        ({"text": "%"}, "d"),
        ({"text": "t_1"}, "e"),
        ({"text": "t.1"}, ""),
        # A folded name: ß is ss.
        ({"text": "grosshandel"}, "baf"),
        ({"text": "wiki", "status": Status.ACTIVE}, "cd"),
        ({"text": "nothing"}, ""),
        # A label does not run into the note.
        ({"text": "eclipsefür"}, ""),
    ],
)
async def test_links_are_found(database: Database, given: dict[str, Any], found: str) -> None:
    wanted = replace(ALL, **given)
    assert await ids(database, wanted) == found
    async with database.reading() as work:
        assert await work.links.count(wanted) == len(found)


async def test_a_search_follows_what_changes(database: Database) -> None:
    async with database.writing() as work:
        await work.links.update(replace(LINKS[0], label="Omega", note="Nur für Anna"))
    assert await ids(database, replace(ALL, text="omega")) == "a"
    assert await ids(database, replace(ALL, text="anna")) == "a"
    assert await ids(database, replace(ALL, text="éclair")) == ""
    assert await ids(database, sort=LinkSort.LABEL) == "febadc"


async def test_what_visitors_did_survives_a_change(database: Database) -> None:
    async with database.writing() as work:
        assert await work.links.update(replace(LINKS[0], label="Omega", visits=99, visitors=99, last_opened_at=NOON))
        assert not await work.links.update(make_link("absent"))
    async with database.reading() as work:
        link = await work.links.get("a")
    assert link == replace(LINKS[0], label="Omega")


async def test_active_links_are_counted_by_environment(database: Database) -> None:
    async with database.reading() as work:
        assert await work.links.count_active("default", NOON) == {"shop": 2, "wiki": 2}
        assert await work.links.count_active("default", NOON + HOUR) == {"shop": 2, "wiki": 1}
        assert await work.links.count_active("nobody", NOON) == {}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", list(LinkSort))
async def test_a_page_is_read_along_an_index_and_never_sorted(
    database: Database, sort: LinkSort, *, descending: bool
) -> None:
    after = place_of("a", sort)
    for place in (None, after):
        plan = await plan_of(database, sort=sort, descending=descending, after=place, limit=50)
        index = f"ix_links_org_{INDEXED[sort]}_id"
        if not is_postgres(database):
            assert f"USING INDEX {index}" in plan
            # Nulls that come last where they would come first take SQLite two walks along the index, and no sorting.
            assert "TEMP B-TREE" not in plan
        elif (sort, descending) != (LinkSort.LAST_OPENED, True):
            # For nulls that come last where they would come first PostgreSQL has to sort.
            assert f" using {index} on links" in plan
            assert "Sort" not in plan


INDEXED = {
    LinkSort.CREATED: "created_at",
    LinkSort.EXPIRES: "expires_at",
    LinkSort.LAST_OPENED: "last_opened_at",
    LinkSort.LABEL: "label_key",
    LinkSort.VISITS: "visits",
}


async def plan_of(database: Database, **options: Any) -> str:
    """What the database says of how it runs the query for a page."""
    statements: list[tuple[str, Any]] = []
    engine = database._readers.sync_engine

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: object) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        async with database.reading() as work:
            await work.links.find(ALL, **options)
            [(statement, parameters)] = [each for each in statements if each[0].startswith("SELECT links")]
            explain = "EXPLAIN QUERY PLAN"
            if is_postgres(database):
                # A table of three rows is read and sorted faster than any index.
                explain = "EXPLAIN"
                await work.connection.execute(text("SET LOCAL enable_seqscan = off"))
                await work.connection.execute(text("SET LOCAL enable_sort = off"))
            rows = await work.connection.exec_driver_sql(f"{explain} {statement}", parameters)
            return "\n".join(str(row) for row in rows)
    finally:
        event.remove(engine, "before_cursor_execute", note)


def is_postgres(database: Database) -> bool:
    return isinstance(database.location, PostgresDatabase)
