"""Links at the dashboard in Chromium: sharing, what moves by itself, and every page on a phone and a desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect
from tests.applications.browser import collect_errors
from tests.dashboard.sharing import page_of, until
from tests.dashboard.test_in_a_browser import PATIENCE, flawless, inspect, signed_in
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation, installation

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, server: Installation) -> BrowserContext:
    """An owner's browser, signed in."""
    return await signed_in(browser, server)


async def arrive(browser: Browser, url: str) -> Page:
    """A visitor in a browser of their own."""
    context = await browser.new_context(viewport={"width": 390, "height": 844}, locale="de-DE")
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto(url)
    return page


async def test_printing_and_exporting_are_asked_for_where_a_link_is_view_only(
    desk: BrowserContext, server: Installation, odoo: Odoo
) -> None:
    await server.add_environment(id="printed", name="Printed", url=odoo.url, kind="odoo")
    async with flawless(desk) as page:
        await page.goto(f"{server.admin_url}/environments/printed/share")
        await expect(page.get_by_label("May print")).not_to_be_visible()
        await page.get_by_label("View-only").check()
        await page.get_by_label("May print").check()
        await expect(page.get_by_label("May export")).not_to_be_checked()
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.get_by_label("URL", exact=True)).to_be_visible()
        [link] = await server.links("printed")
        assert (link["access"], link["allowReports"], link["allowExports"]) == ("readOnly", True, False)


async def test_an_owner_shares_with_a_password_and_a_visitor_comes_in(
    browser: Browser, desk: BrowserContext, server: Installation, sample: str
) -> None:
    await server.add_environment(id="shared", name="Shared shop", url=sample, kind="web")
    await desk.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.admin_url)
    async with flawless(desk) as page:
        await page.goto(f"{server.admin_url}/environments/shared")
        await page.get_by_role("link", name="Share…").click()
        dialog = page.get_by_role("dialog", name="Share Shared shop")
        await expect(dialog).to_be_visible()
        await expect(dialog.get_by_label("Password", exact=True)).not_to_be_visible()
        await dialog.get_by_label("With a password too").check()
        password = await dialog.get_by_label("Password", exact=True).input_value()
        await dialog.get_by_label("30 days").check(force=True)
        await dialog.get_by_text("Label, landing page, limits").click()
        await dialog.get_by_label("Label").fill("For Anna")
        await dialog.get_by_role("button", name="Make the link").click()
        made = page.get_by_role("dialog", name="The link is made")
        await expect(made.get_by_role("heading", name="The link is made")).to_be_in_viewport()
        await made.get_by_role("button", name="Copy URL").click()
        await expect(made.get_by_role("button", name="Copy URL")).to_contain_text("Copied")
        url = await page.evaluate("navigator.clipboard.readText()")
        assert url == await made.get_by_role("textbox", name="URL").input_value()
        message = made.get_by_label("The message", exact=True)
        await made.get_by_label("Language of the message").select_option("de")
        await expect(message).to_have_value(re.compile("Guten Tag"))
        assert password not in await message.input_value()
        await made.get_by_label("Put the password into it").check()
        await expect(message).to_have_value(re.compile(password))
        await made.get_by_role("button", name="Done").click()
        await expect(made).not_to_be_visible()
        await expect(page.get_by_role("link", name="For Anna", exact=True)).to_be_visible()
        visitor = await arrive(browser, url)
        await visitor.locator("input[type=password]").fill(password)
        await visitor.keyboard.press("Enter")
        await expect(visitor).to_have_url(f"{server.public_url}/")
        row = page.get_by_role("row").filter(has_text="For Anna")
        await expect(row).to_contain_text("1 now", timeout=PATIENCE)


async def test_a_mistake_in_the_dialog_is_told_in_the_dialog(
    desk: BrowserContext, server: Installation, sample: str
) -> None:
    await server.add_environment(id="mistaken", name="Mistaken shop", url=sample, kind="web")
    page = await desk.new_page()
    errors = collect_errors(page)
    await page.goto(f"{server.admin_url}/environments/mistaken")
    await page.get_by_role("link", name="Share…").press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Until a date").check(force=True)
    await dialog.get_by_label("Date and time").fill("2099-01-01T10:00")
    await dialog.get_by_role("button", name="Make the link").press("Enter")
    await expect(dialog.get_by_role("alert").first).to_be_visible()
    await expect(dialog.get_by_label("Date and time")).to_have_value("2099-01-01T10:00")
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()
    # Chromium itself writes down that the form was refused.
    assert [error for error in errors if "422" not in error] == []


async def test_the_page_of_a_link_follows_its_visitors(
    browser: Browser, desk: BrowserContext, server: Installation, sample: str
) -> None:
    await server.add_environment(id="live", name="Live shop", url=sample, kind="web")
    link = await server.create_link("live", label="Watched")
    async with flawless(desk) as page:
        await page.goto(f"{server.admin_url}{page_of(link)}")
        await page.evaluate("window.neverReloaded = true")
        await expect(page.get_by_text("Nobody yet")).to_be_visible()
        # What is being written stays, whatever news come.
        await page.get_by_role("link", name="Edit the label").press("Enter")
        await expect(page.get_by_label("Label")).to_be_focused()
        await page.get_by_label("Label").fill("Watched closely")
        visitor = await arrive(browser, link["url"])
        visitors = page.locator("#link-visitors")
        await expect(visitors).to_contain_text("Visitor 1", timeout=PATIENCE)
        await expect(visitors).to_contain_text("live")
        await expect(page.locator("#link-visits")).to_contain_text("1 visit", timeout=PATIENCE)
        await expect(page.get_by_label("Label")).to_have_value("Watched closely")
        await page.get_by_role("button", name="Save").press("Enter")
        await expect(page.get_by_role("link", name="Edit the label")).to_be_focused()
        await expect(page.get_by_role("heading", name="Watched closely")).to_be_visible(timeout=PATIENCE)
        await expect(page.locator("#link-history")).to_contain_text("changed the label", timeout=PATIENCE)
        await page.get_by_role("link", name="End visit of visitor 1").click()
        dialog = page.get_by_role("dialog", name="End this visit?")
        await expect(dialog).to_contain_text("can open it again")
        await dialog.get_by_role("button", name="End the visit").click()
        await expect(visitors).to_contain_text("ended", timeout=PATIENCE)
        await expect(page.locator("#messages")).to_contain_text("The visit is over")
        await visitor.goto(f"{server.public_url}/page")
        assert await visitor.title() != "Watched closely"
        await page.get_by_role("button", name="Pause Watched closely").click()
        await expect(page.locator("#link-head")).to_contain_text("Paused", timeout=PATIENCE)
        assert await page.evaluate("window.neverReloaded") is True


async def test_many_links_are_chosen_paused_and_resumed(
    desk: BrowserContext, server: Installation, sample: str
) -> None:
    await server.add_environment(id="chosen", name="Chosen shop", url=sample, kind="web")
    links = [await server.create_link("chosen", label=f"Choice {number}") for number in range(3)]
    async with flawless(desk) as page:
        await page.goto(f"{server.admin_url}/links")
        await page.get_by_label("Search links").fill("choice")
        await expect(page.get_by_role("status")).to_have_text("3 links found")
        await expect(page).to_have_url(f"{server.admin_url}/links?q=choice")
        await expect(page.get_by_role("button", name="Pause the chosen…")).to_be_disabled()
        await page.get_by_label("All on this page").check()
        await page.get_by_label("Choose Choice 1").uncheck()
        await page.get_by_role("button", name="Pause 2…").click()
        dialog = page.get_by_role("dialog", name="Pause 2 links?")
        await dialog.get_by_role("button", name="Pause 2 links").click()
        await expect(page.locator("#messages")).to_contain_text("2 links are paused.")
        await expect(page.get_by_role("row").filter(has_text="Paused")).to_have_count(2, timeout=PATIENCE)

        async def two_are_paused() -> bool:
            return [each["status"] for each in await server.links("chosen")].count("deactivated") == 2

        await until(two_are_paused)
        assert len(links) == 3
        # Whoever paused too many has them open again in the same way.
        await page.get_by_label("All on this page").check()
        await page.get_by_role("button", name="Resume 3…").click()
        dialog = page.get_by_role("dialog", name="Resume 3 links?")
        await dialog.get_by_role("button", name="Resume 3 links").click()
        await expect(page.locator("#messages")).to_contain_text("2 links open again. 1 was open before.")
        await expect(page.get_by_role("row").filter(has_text="Paused")).to_have_count(0, timeout=PATIENCE)
        assert [each["status"] for each in await server.links("chosen")] == ["active"] * 3


async def test_nothing_keeps_anybody_from_using_a_page_of_links(
    browser: Browser, desk: BrowserContext, server: Installation, sample: str
) -> None:
    await server.add_environment(id="inspected", name="Inspected shop", url=sample, kind="web")
    await server.add_environment(id="untouched", name="Untouched shop", url=sample, kind="web")
    link = await server.create_link("inspected", label="Inspected", expiresIn="5h", maxVisitors=3)
    unused = await server.create_link("inspected", note="Not sent yet", password="correct horse")
    paused = await server.create_link("inspected", label="Paused")
    await server.deactivate("inspected", paused["id"])
    visitor = await arrive(browser, link["url"])
    await visitor.get_by_role("button").click()
    await expect(visitor).to_have_url(f"{server.public_url}/")
    await visitor.close()
    at, other = page_of(link), page_of(unused)
    async with flawless(desk) as page:
        for path in (
            *("/links", "/links?q=nothing+of+the+kind", "/environments/inspected", "/environments/untouched"),
            *(
                "/environments/inspected/share",
                f"/links/pause?ids={link['id']}",
                f"/links/resume?ids={link['id']}",
                at,
                other,
                f"{at}/edit/label",
            ),
            *(f"{at}/{each}" for each in ("send", "extend", "password", "rotate", "remove", "visitors/v/end")),
            *(f"{at}?openings=true&period=day", f"{page_of(paused)}/extend", f"{other}/send?language=de"),
        ):
            await page.goto(f"{server.admin_url}{path}")
            assert await inspect(page) == []
        await page.goto(f"{server.admin_url}/environments/inspected")
        for opener in ("Share…", "Extend… Inspected"):
            await page.get_by_role("link", name=opener).click()
            await expect(page.get_by_role("dialog")).to_be_visible()
            assert await inspect(page) == []
            await page.keyboard.press("Escape")
        await page.get_by_role("button", name="More about Inspected").click()
        await expect(page.get_by_role("link", name="Give it a new URL…").first).to_be_visible()
        assert await inspect(page) == []


async def test_without_scripts_a_link_is_made_and_paused(browser: Browser, server: Installation, sample: str) -> None:
    await server.add_environment(id="scriptless", name="Scriptless shop", url=sample, kind="web")
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto((await server.command("open", "--print")).strip())
    await page.get_by_role("button", name="Open the dashboard").click()
    await page.goto(f"{server.admin_url}/environments/scriptless")
    await page.get_by_role("link", name="Share…").click()
    await page.get_by_role("button", name="Make the link").click()
    await expect(page.get_by_label("URL", exact=True)).to_have_value(re.compile(re.escape(server.public_url)))
    await page.get_by_role("link", name="Done").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("The link is paused")).to_be_visible()
    [link] = await server.links("scriptless")
    assert link["status"] == "deactivated"
