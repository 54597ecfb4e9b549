"""The bundled sample in a browser: what real applications above do not use."""

from __future__ import annotations

import hashlib
import os

import pytest
from playwright.async_api import BrowserContext, Page, expect
from tests.applications.browser import collect_errors
from tests.installation import Installation, installation
from tests.stories.visitor import expect_ended, open_link

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _share(server: Installation, url: str) -> dict[str, str]:
    environment = await server.add_environment(name="Sample", url=url, kind="web")
    return await server.create_link(environment["id"])


async def _walk(page: Page) -> None:
    """Follow links of every form from the start page and come back."""
    for name in ("A page", "The same page", "And once more"):
        await page.get_by_role("link", name=name, exact=True).click()
        await expect(page.get_by_role("heading")).to_have_text("A page")
        await page.get_by_role("link", name="Back to the start").click()
    await page.get_by_role("link", name="A redirect").click()
    await expect(page.get_by_role("heading")).to_have_text("A page")
    await page.get_by_role("link", name="Back to the start").click()
    await page.get_by_role("link", name="The guide").click()
    await page.get_by_role("link", name="The second chapter").click()
    await expect(page.get_by_role("heading")).to_have_text("Guide: the second chapter")
    await page.get_by_role("link", name="The start").click()
    await expect(page.locator("#greeting")).to_be_visible()


async def test_visitor_walks_signs_and_uploads(visitor: BrowserContext, harbour: str) -> None:
    async with installation(workers=1, link_domain="localhost") as server:
        page = await visitor.new_page()
        errors = collect_errors(page)
        await open_link(page, await _share(server, harbour))
        start = page.url
        await _walk(page)
        assert page.url == start

        await page.get_by_role("link", name="Guest book", exact=True).click()
        await page.get_by_label("Your name").fill("Grace")
        await page.get_by_label("Message").fill(f"Calm seas from {start}")
        await page.get_by_role("button", name="Sign").click()
        await expect(page.locator("#entries li").first).to_have_text(f"Grace Calm seas from {start}")

        body = os.urandom(3_000_000)
        await page.get_by_role("link", name="Upload").click()
        await page.locator("#file").set_input_files(
            {"name": "a.bin", "mimeType": "application/octet-stream", "buffer": body}
        )
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#result")).to_have_text(
            f"3000000 bytes arrived, SHA-256 {hashlib.sha256(body).hexdigest()}"
        )
        assert errors == []


async def test_login_survives_a_reload_and_scripts_cannot_read_it(visitor: BrowserContext, harbour: str) -> None:
    async with installation(workers=1) as server:
        page = await visitor.new_page()
        await open_link(page, await _share(server, harbour))
        await page.get_by_role("link", name="Log in").click()
        await page.get_by_label("Name").fill("demo")
        await page.get_by_label("Password").fill("demo")
        await page.get_by_role("button", name="Log in").click()
        await page.reload()
        await expect(page.locator("#greeting")).to_have_text("Good to see you, demo.")
        assert await page.evaluate("document.cookie") == "sample_theme=light"
        await page.get_by_role("button", name="Dark").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.get_by_role("button", name="Log out demo").click()
        await expect(page.get_by_role("link", name="Log in")).to_be_visible()


@pytest.mark.parametrize("link_domain", [None, "localhost"], ids=["one-origin", "own-origin"])
async def test_live_page_ends_with_its_link(visitor: BrowserContext, harbour: str, link_domain: str | None) -> None:
    async with installation(workers=1, link_domain=link_domain) as server:
        link = await _share(server, harbour)
        page = await visitor.new_page()
        await open_link(page, link)
        await page.get_by_role("link", name="Live", exact=True).click()
        await expect(page.locator("#tick")).to_have_text("2")
        await expect(page.locator("#event")).not_to_have_text("0")
        await server.deactivate(link["environmentId"], link["id"])
        await expect(page.locator("#socket-state")).to_have_text("closed")
        # The browser tries the event stream again and is refused for good.
        await expect(page.locator("#event-state")).to_have_text("closed")
        await expect_ended(page)


@pytest.mark.parametrize(
    ("link_domain", "state", "answer"),
    [(None, "refused", "nobody yet"), ("localhost", "active", "the service worker")],
    ids=["one-origin", "own-origin"],
)
async def test_service_workers_live_only_on_an_origin_of_their_own(
    visitor: BrowserContext, harbour: str, link_domain: str | None, state: str, answer: str
) -> None:
    async with installation(workers=1, link_domain=link_domain) as server:
        page = await visitor.new_page()
        await open_link(page, await _share(server, harbour))
        await page.get_by_role("link", name="A service worker").click()
        await expect(page.locator("#worker-state")).to_have_text(state)
        await expect(page.locator("#worker-answer")).to_have_text(answer)
