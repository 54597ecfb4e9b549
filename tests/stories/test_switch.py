"""One-origin mode has room for one link in a browser: another one asks before it takes the place."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, expect
from tests.installation import installation
from tests.stories.visitor import open_link

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_another_link_asks_and_then_leaves_nothing_of_the_first(
    visitor: BrowserContext, harbour: str, mountain: str
) -> None:
    async with installation() as server:
        links = []
        for name, url in (("Harbour", harbour), ("Mountain", mountain)):
            environment = await server.add_environment(name=name, url=url, kind="web")
            links.append(await server.create_link(environment["id"]))
        page = await visitor.new_page()
        await open_link(page, links[0])
        await page.get_by_role("link", name="Log in").click()
        await page.get_by_label("Name").fill("demo")
        await page.get_by_label("Password").fill("demo")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.locator("#greeting")).to_have_text("Good to see you, demo.")
        live = await visitor.new_page()
        await live.goto(f"{server.public_url}/ticks")
        await expect(live.locator("#socket-state")).to_have_text("open")

        other = await visitor.new_page()
        await other.goto(links[1]["url"])
        await expect(other.get_by_role("heading")).to_have_text("Switch to this link?")
        # Asking alone changes nothing.
        await page.reload()
        await expect(page.locator("#greeting")).to_have_text("Good to see you, demo.")
        await expect(live.locator("#socket-state")).to_have_text("open")

        await other.get_by_role("button").click()
        await expect(other.get_by_role("heading")).to_have_text("Mountain Outfitters")
        await expect(other.get_by_role("link", name="Log in")).to_be_visible()
        await expect(live.locator("#socket-state")).to_have_text("closed")
        assert "/share/" not in other.url
        assert [cookie["name"] for cookie in await visitor.cookies()] == ["guestpass"]
        await page.reload()
        await expect(page.get_by_role("heading")).to_have_text("Mountain Outfitters")
