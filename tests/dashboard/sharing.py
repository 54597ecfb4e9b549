"""What tests of links need: an environment, visitors, and what a page shows of one link."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from tests.dashboard.owner import Owner, words
from tests.odoo.visitor import NAVIGATION

PATIENCE = 30.0


async def environment_with(owner: Owner, id: str, url: str, *links: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a web environment; returns the links that were made there."""
    await owner.server.add_environment(id=id, name=f"The {id}", url=url, kind="web")
    return [await owner.server.create_link(id, **fields) for fields in links]


async def link_now(owner: Owner, link: dict[str, Any]) -> dict[str, Any]:
    """The link as the API has it now."""
    answer = await owner.server.client.get(f"/api/environments/{link['environmentId']}/share/{link['id']}")
    assert answer.status_code == 200, answer.text
    now: dict[str, Any] = answer.json()
    return now


def page_of(link: dict[str, Any]) -> str:
    """Where a link's page is."""
    return f"/environments/{link['environmentId']}/links/{link['id']}"


def row_of(page: httpx2.Response, link: dict[str, Any]) -> str:
    """What a table's row says of a link."""
    found = re.search(rf'<tr id="link-{link["id"]}">.*?</tr>', page.text, re.DOTALL)
    assert found is not None, page.text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def card_of(page: httpx2.Response, id: str) -> str:
    """What one card of a page says."""
    found = re.search(rf'<(section|div) id="{id}".*?</\1>', page.text, re.DOTALL)
    assert found is not None, page.text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def value_of(page: httpx2.Response, name: str) -> str:
    """What a field of a page's form holds."""
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', page.text)
    if found is None:
        found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n?([^<]*)</textarea>', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


def field_with_id(page: httpx2.Response, id: str) -> str:
    """What a field that is only read holds."""
    found = re.search(rf'<input id="{id}" value="([^"]*)"', page.text)
    if found is None:
        found = re.search(rf'<textarea id="{id}"[^>]*>\n?([^<]*)</textarea>', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


async def eventually(owner: Owner, path: str, holds: Callable[[httpx2.Response], bool]) -> httpx2.Response:
    """The page, as soon as it shows something that is written within seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        page = await owner.get(path)
        assert page.status_code == 200, words(page)
        if holds(page):
            return page
        assert time.monotonic() < deadline, words(page)
        await asyncio.sleep(0.05)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that comes within seconds."""
    deadline = time.monotonic() + PATIENCE
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@asynccontextmanager
async def visitor() -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that has never been there."""
    async with httpx2.AsyncClient(headers=NAVIGATION, timeout=60) as web:
        yield web
