from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event
from tests.storage.samples import NOON, SetClock, keep, make_environment, make_link

from guestpass.app.findings import Findings
from guestpass.app.overview import Overview
from guestpass.app.ports import Activity, Unreachable
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.errors import Forbidden, NotFound
from guestpass.storage.database import Database

ANNA = Principal("anna")
LATER = NOON + timedelta(days=7)


@pytest.fixture
def overview(database: Database, clock: SetClock) -> Overview:
    return Overview(database, Findings(database, PublicUrls("https://share.example.com", "links.example.com")), clock)


async def fill(database: Database, count: int, *, first: int = 0) -> None:
    for number in range(first, count):
        key = EnvironmentKey("default", f"shop-{number:03}")
        environment = replace(make_environment(key), name=f"Shop {number:03}")
        await keep(database, environment, make_link(id=f"{number:016}", environment=key, expires_at=LATER))


async def test_each_environment_is_shown_with_what_goes_on_there(overview: Overview, database: Database) -> None:
    await fill(database, 2)
    key = EnvironmentKey("default", "shop-001")
    await keep(
        database,
        make_link(id="e" * 16, environment=key, expires_at=NOON),
        make_link(id="o" * 16, environment=key, expires_at=LATER),
        make_link(id="d" * 16, environment=key, expires_at=LATER, deactivated_at=NOON),
    )
    async with database.writing() as work:
        seen = [("now", NOON - timedelta(seconds=30)), ("before", NOON - timedelta(minutes=5))]
        activities = [Activity("o" * 16, visitor, ((at, True),), at, at) for visitor, at in seen]
        await work.visits.record(activities)
        await work.reachabilities.lose(EnvironmentKey("default", "shop-000"), Unreachable(NOON, "it is off"))
    page = await overview.page(ANNA)
    first, second = page.summaries
    assert (first.environment.id, first.links_open, first.visitors_now) == ("shop-000", 1, 0)
    assert first.unreachable == Unreachable(NOON, "it is off")
    assert (second.environment.id, second.links_open, second.visitors_now) == ("shop-001", 2, 1)
    assert second.unreachable is None
    assert (page.total, page.now) == (2, NOON)
    assert (await overview.one(ANNA, "shop-001"))[0] == second


async def test_a_search_looks_into_names_ids_and_addresses(overview: Overview, database: Database) -> None:
    await fill(database, 3)
    for search, found in (("SHOP 001", 1), ("shop-00", 3), ("10.0.0.5", 3), (" 002 ", 1), ("nothing", 0), ("%", 0)):
        assert (await overview.page(ANNA, search=search)).total == found, search


async def test_the_number_of_queries_does_not_grow_with_the_environments(
    overview: Overview, database: Database
) -> None:
    statements: list[str] = []
    event.listen(
        database._readers.sync_engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2])
    )
    await fill(database, 1)
    assert len((await overview.page(ANNA)).summaries) == 1
    few = len(statements)
    await fill(database, 40, first=1)
    statements.clear()
    assert len((await overview.page(ANNA)).summaries) == 40
    assert len(statements) == few


async def test_pages_follow_one_another(overview: Overview, database: Database) -> None:
    await fill(database, 5)
    pages = [await overview.page(ANNA, offset=offset, limit=2) for offset in (0, 2, 4, 6)]
    assert [[summary.environment.id[-1] for summary in page.summaries] for page in pages] == [
        ["0", "1"], ["2", "3"], ["4"], [],
    ]  # fmt: skip
    assert {page.total for page in pages} == {5}


async def test_another_organisation_and_another_scope_see_nothing(overview: Overview, database: Database) -> None:
    await fill(database, 1)
    assert (await overview.page(Principal("eva", "acme"))).total == 0
    with pytest.raises(NotFound):
        await overview.one(Principal("eva", "acme"), "shop-000")
    nobody = Principal("eva", scopes=frozenset({Scope.SHARES_READ}))
    with pytest.raises(Forbidden):
        await overview.page(nobody)
    with pytest.raises(Forbidden):
        await overview.one(nobody, "shop-000")
