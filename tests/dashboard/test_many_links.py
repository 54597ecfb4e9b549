"""Ten thousand links in two hundred environments: lists are paged, and ask the database no more than short ones."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event, insert, select
from tests.api.face import Silence
from tests.dashboard.owner import Owner, signed_in, words
from tests.installation import Installation

from guestpass.app.links import LinkSearch
from guestpass.app.ports import LinkSort
from guestpass.domain.access import Principal
from guestpass.domain.link import Status, folded, searchable
from guestpass.settings import load
from guestpass.storage.tables import environments, link_tokens, links
from guestpass.wiring import Core, build_core

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENVIRONMENTS, LINKS = 200, 10_000
PAGES = [
    "/links",
    "/links?sort=expires&state=active",
    "/links?sort=lastOpened",
    "/links?sort=label&q=link+077",
    "/links?q=shop+1",
    "/links?soon=24h&sort=visits",
    "/links?owner=eva&environment=shop-007",
    "/environments/shop-007",
    "/environments",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def core(server: Installation) -> AsyncIterator[Core]:
    """The use cases in this process, over the server's own database."""
    built = build_core(load(server.environ).settings, Silence())
    yield built
    await built.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def eva(server: Installation, core: Core) -> AsyncIterator[Owner]:
    """The owner of an organisation that has all of them."""
    await _fill(core, "crowd", ENVIRONMENTS, LINKS)
    await _fill(core, "handful", 2, 60)
    async with signed_in(server, "--sub", "eva", "--org", "crowd") as someone:
        yield someone


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_short(eva: Owner, path: str) -> None:
    page = await eva.get(path)
    assert page.status_code == 200, words(page)
    assert 1 <= len(re.findall(r"<tr id=", page.text)) <= 50


async def test_the_last_page_is_as_near_as_the_first(eva: Owner) -> None:
    page, seen = await eva.get("/links?environment=shop-007&sort=label"), 0
    assert "50 links found" in words(page)
    page = await eva.get("/links?sort=label")
    assert "10,000 links" in words(page)
    for _ in range(4):
        seen += len(re.findall(r"<tr id=", page.text))
        following = re.search(r'href="([^"]+)" rel="next"', page.text)
        assert following is not None
        page = await eva.get(following[1].replace("&amp;", "&"))
    assert seen == 200
    assert "Link 00200" in words(page)


async def test_a_search_asks_the_database_as_often_for_many_as_for_few(eva: Owner, core: Core) -> None:
    del eva  # It filled the database.
    for search in (
        LinkSearch(),
        LinkSearch(text="link", sort=LinkSort.EXPIRES, status=Status.ACTIVE),
        LinkSearch(environment_id="shop-001", sort=LinkSort.LABEL),
        LinkSearch(expiring_within=timedelta(days=30), sort=LinkSort.VISITS),
    ):
        asked = {}
        for org in ("handful", "crowd"):
            with _statements() as statements:
                page = await core.links.find(Principal("eva", org), search)
            assert page.items
            asked[org] = len(statements)
        assert asked["crowd"] == asked["handful"]
        assert asked["crowd"] < 20


@contextmanager
def _statements() -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def _fill(core: Core, org: str, shops: int, number: int) -> None:
    """Environments and links as the API would have made them over months, written at once."""
    now = core.clock.now()
    template = {"kind": "web", "tls_verify": True, "body_limit": 1, "response_timeout": timedelta(seconds=9)}
    async with core.database.writing() as work:
        known = (await work.connection.execute(select(environments.c.id).where(environments.c.org == org))).first()
        assert known is None
        await work.connection.execute(
            insert(environments),
            [
                {
                    "org": org,
                    "id": f"shop-{shop:03}",
                    "name": f"Shop {shop}",
                    "url": f"http://10.0.0.{shop}:8069",
                    "revision": 1,
                    "created_at": now,
                    "created_by": "eva",
                    **template,
                }
                for shop in range(shops)
            ],
        )
        rows, tokens = [], []
        for index in range(number):
            id, token = f"{org[:3]}{index:013}", core.vault.new()
            created = now - timedelta(minutes=index)
            label = f"Link {index:05}"
            rows.append(
                {
                    "id": id,
                    "org": org,
                    "environment_id": f"shop-{index % shops:03}",
                    "share_type": "token",
                    "label": label,
                    "version": 1,
                    "created_at": created,
                    "created_by": "eva",
                    "expires_at": now + timedelta(hours=index % 900 - 20),
                    "deactivated_at": now if index % 11 == 0 else None,
                    "last_opened_at": now - timedelta(minutes=index) if index % 3 else None,
                    "visits": index % 17,
                    "visitors": index % 17,
                    "access": "full",
                    "label_key": folded(label),
                    "searched": searchable(f"{label}\n\n{id}"),
                }
            )
            tokens.append(
                {
                    "token_hash": core.vault.hash(token),
                    "link_id": id,
                    "sealed": core.vault.seal(token, id),
                    "created_at": created,
                }
            )
        await work.connection.execute(insert(links), rows)
        await work.connection.execute(insert(link_tokens), tokens)
