"""The dashboard in Chromium: every page on a phone and a desk, by day and by night; and what moves by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from tests.applications.axe import OF_COLOURS, find_barriers
from tests.applications.browser import collect_errors
from tests.installation import Installation, installation
from tests.odoo.visitor import NAVIGATION
from tests.ports import reserve_ports

pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE, DESK = (390, 844), (1280, 800)
# Bounds for what never comes, on machines that run everything else at the same time.
PATIENCE = 60_000


async def signed_in(browser: Browser, server: Installation) -> BrowserContext:
    """A browser whose owner followed the address that `guestpass open` printed."""
    context = await browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto((await server.command("open", "--print")).strip())
    await page.get_by_role("button", name="Open the dashboard").click()
    await expect(page.get_by_role("heading", name="Environments", exact=True)).to_be_visible()
    await page.close()
    return context


@asynccontextmanager
async def flawless(context: BrowserContext) -> AsyncIterator[Page]:
    """A page on which no script fails and no policy is violated."""
    page = await context.new_page()
    errors = collect_errors(page)
    await page.add_init_script(
        "addEventListener('securitypolicyviolation', event => console.error(`policy: ${event.violatedDirective}`))"
    )
    yield page
    assert errors == []


async def inspect(page: Page) -> list[str]:
    """What is wrong with a page in each size and colour scheme."""
    found = []
    for width, height in (PHONE, DESK):
        await page.set_viewport_size({"width": width, "height": height})
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{page.url} is wider than {width} pixels")
        await page.emulate_media(color_scheme="light")
        day = await find_barriers(page)
        await page.emulate_media(color_scheme="dark")
        night = await find_barriers(page, OF_COLOURS)
        found += [f"{page.url}, light, {width} pixels: {each}" for each in day]
        found += [f"{page.url}, dark, {width} pixels: {each}" for each in night]
    return found


async def test_nothing_keeps_anybody_from_using_a_page(browser: Browser, sample: str) -> None:
    async with installation() as server:
        context = await browser.new_context()
        async with flawless(context) as page:
            await page.goto(f"{server.admin_url}/sign-in")
            assert await inspect(page) == []
            await page.goto((await server.command("open", "--print")).strip())
            assert await inspect(page) == []
        context = await signed_in(browser, server)
        async with flawless(context) as page:
            await page.goto(f"{server.admin_url}/environments")
            assert await inspect(page) == []  # empty, so that it teaches
            buttons = page.get_by_role("link", name="Add")
            above, within = [await buttons.nth(each).evaluate("each => each.offsetHeight") for each in range(2)]
            assert above == within, "what it teaches to click looks like the same button elsewhere"
            gone = f"http://127.0.0.1:{reserve_ports(1)[0]}"
            await server.add_environment(id="shop", name="Harbour shop", url=sample, kind="web")
            await server.add_environment(id="gone", name="Old production", url=gone, kind="odoo")
            await server.create_link("shop", label="Press")
            maintenance = {"maintenance": {"message": "Back at five."}}
            await server.client.patch("/api/environments/gone", json=maintenance)
            await server.client.put("/api/branding", json={"name": "Harbour", "colour": "#f2e85c"})
            for path in (
                "/environments",
                "/environments?q=nothing",
                "/add-environment",
                "/branding",
                *(f"/environments/shop{each}" for each in ("", "/settings", "/maintenance", "/remove")),
                *(f"/environments/gone{each}" for each in ("", "/settings", "/accounts", "/view-only")),
            ):
                await page.goto(f"{server.admin_url}{path}")
                assert await inspect(page) == []


async def test_a_visitor_who_arrives_is_seen_without_a_reload(browser: Browser, sample: str) -> None:
    async with installation() as server:
        await server.add_environment(id="shop", name="Harbour shop", url=sample, kind="web")
        link = await server.create_link("shop")
        context = await signed_in(browser, server)
        async with flawless(context) as page, flawless(context) as other:
            await page.goto(f"{server.admin_url}/environments")
            await other.goto(f"{server.admin_url}/environments/shop")
            for each in (page, other):
                await each.evaluate("window.neverReloaded = true")
            visitors = page.locator("#environment-shop td[data-label='Visitors now']")
            await expect(visitors).to_have_text("0")
            await expect(page.locator("#environment-shop td[data-label='Links open']")).to_have_text("1")
            async with httpx2.AsyncClient(headers=NAVIGATION) as visitor:
                assert (await visitor.get(link["url"])).status_code == 303
            await expect(visitors).to_have_text("1", timeout=PATIENCE)
            await expect(other.locator("#environment-head dl")).to_contain_text("Visitors now1", timeout=PATIENCE)
            await server.client.patch("/api/environments/shop", json={"maintenance": {"message": "Back at five."}})
            await expect(page.locator("#environment-shop")).to_contain_text("Maintenance", timeout=PATIENCE)
            await expect(other.get_by_text("Back at five.")).to_be_visible(timeout=PATIENCE)
            await server.deactivate("shop", link["id"])
            await expect(page.locator("#environment-shop td[data-label='Links open']")).to_have_text(
                "0", timeout=PATIENCE
            )
            # Another environment joins the list by itself.
            await server.add_environment(id="second", name="Second shop", url=sample, kind="web")
            await expect(page.get_by_role("link", name="Second shop")).to_be_visible(timeout=PATIENCE)
            for each in (page, other):
                assert await each.evaluate("window.neverReloaded") is True


async def test_an_address_is_checked_while_the_form_is_filled_in(browser: Browser, sample: str) -> None:
    async with installation() as server:
        context = await signed_in(browser, server)
        async with flawless(context) as page:
            await page.goto(f"{server.admin_url}/environments")
            await page.get_by_role("link", name="Add your first environment").click()
            await page.get_by_label("Name", exact=True).fill("Shop")
            await page.get_by_label("Another web application").check()
            await page.get_by_label("Address", exact=True).fill(f"http://127.0.0.1:{reserve_ports(1)[0]}")
            await page.keyboard.press("Tab")
            await expect(page.locator("#check")).to_contain_text("can't be used")
            await page.get_by_label("Address", exact=True).fill(sample)
            await page.get_by_role("button", name="Check the address").click()
            await expect(page.locator("#check")).to_contain_text(f"{sample} can be reached.")
            await page.get_by_role("button", name="Add environment").click()
            await expect(page.get_by_text("Shop is added.")).to_be_visible()
            await page.get_by_role("button", name="Check now").click()
            await expect(page.locator("#environment-head")).to_contain_text("Reachable")


async def test_everything_is_within_reach_of_the_keyboard(browser: Browser, sample: str) -> None:
    async with installation() as server:
        await server.add_environment(id="shop", name="Harbour shop", url=sample, kind="web")
        context = await signed_in(browser, server)
        async with flawless(context) as page:
            await page.goto(f"{server.admin_url}/environments")
            await page.keyboard.press("Tab")
            skip = page.get_by_role("link", name="Skip to the content")
            await expect(skip).to_be_focused()
            await expect(skip).to_be_in_viewport()
            await page.keyboard.press("Enter")
            await expect(page.locator("main")).to_be_focused()
            shop = page.get_by_role("link", name="Harbour shop")
            for _ in range(12):
                await page.keyboard.press("Tab")
                if await shop.evaluate("element => element === document.activeElement"):
                    break
            await expect(shop).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("heading", name="Harbour shop")).to_be_visible()


async def test_a_long_name_leaves_the_bar_of_a_phone_as_it_is(browser: Browser) -> None:
    async with installation() as server:
        page = await browser.new_page(viewport={"width": PHONE[0], "height": PHONE[1]})
        await page.goto(f"{server.admin_url}/sign-in")
        await page.get_by_label("Bearer token").fill(
            (await server.command("token", "--sub", "owner@example.com")).strip()
        )
        await page.get_by_role("button", name="Sign in").click()
        who, brand = page.get_by_role("button", name="Sign out"), page.get_by_role("link", name="Guestpass")
        await expect(who).to_be_in_viewport()
        middles = [
            await each.evaluate("each => each.getBoundingClientRect().top + each.offsetHeight / 2")
            for each in (brand, who)
        ]
        assert abs(middles[0] - middles[1]) < 5, "both stand in one row"


async def test_without_scripts_the_same_pages_do_the_same(browser: Browser, sample: str) -> None:
    async with installation() as server:
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto((await server.command("open", "--print")).strip())
        await page.get_by_role("button", name="Open the dashboard").click()
        await page.get_by_role("link", name="Add your first environment").click()
        await page.get_by_label("Name", exact=True).fill("Shop")
        await page.get_by_label("Address", exact=True).fill(sample)
        await page.get_by_label("Another web application").check()
        await page.get_by_role("button", name="Add environment").click()
        await expect(page.get_by_text("Shop is added.")).to_be_visible()
        await page.get_by_role("button", name="Check now").click()
        await expect(page.get_by_text("Checked just now.")).to_be_visible()
        await page.get_by_role("link", name="Settings").click()
        await page.get_by_role("link", name="Remove…").click()
        await page.get_by_label("Type shop to confirm").fill("shop")
        await page.get_by_role("button", name="Remove for good").click()
        await expect(page.get_by_text("and its links are removed")).to_be_visible()
