"""Tryton's own web client through a link: document-relative URLs, JSON-RPC and a session in the browser's storage."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import BrowserContext
from tests.applications.tryton import Tryton
from tests.installation import installation
from tests.stories import tryton as client
from tests.stories.visitor import open_link

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("link_domain", "password"),
    [(None, "a password to open"), ("localhost", None)],
    ids=["one-origin-password", "own-origin-token"],
)
async def test_party_is_there_after_a_reload(
    visitor: BrowserContext, tryton: Tryton, link_domain: str | None, password: str | None
) -> None:
    async with installation(link_domain=link_domain) as server:
        environment = await server.add_environment(name="Tryton", url=tryton.url, kind="web")
        fields: dict[str, Any] = {} if password is None else {"password": password}
        link = await server.create_link(environment["id"], **fields)
        name = f"Nautilus {link['id']}"
        page = await visitor.new_page()
        await open_link(page, link, password)
        await client.log_in(page, tryton)
        await client.create_party(page, name)
        await page.reload()
        await client.find_party(page, name)
