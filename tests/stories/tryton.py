"""What a visitor does in Tryton's web client."""

from __future__ import annotations

import contextlib
import re

from playwright.async_api import Page, expect
from tests.applications.tryton import Tryton


async def log_in(page: Page, tryton: Tryton) -> None:
    """Sign in on the login page that is open, and wait for the menu."""
    await page.locator("input#login").fill(tryton.user)
    await page.get_by_role("button", name="Login").click()
    question = page.locator(".ask-dialog")
    await question.locator("input[type=password]").fill(tryton.password)
    await question.get_by_role("button", name="OK").click()
    await expect(page.locator("#menu tbody tr", has_text="Parties").first).to_be_visible()


async def create_party(page: Page, name: str) -> None:
    """Make a party, wait until the server has given it a code, and close its tab."""
    await _open_parties(page)
    form = page.locator("#tabs .tab-pane.active")
    await form.get_by_role("button", name="New", exact=True).first.click()
    # The server's defaults come after the form and would overwrite what was typed before them.
    await expect(form.locator("input[name=active]").first).to_be_checked()
    field = form.locator("input[name=name]").first
    await field.fill(name)
    await field.press("Tab")
    await form.get_by_role("button", name="Save", exact=True).first.click()
    await expect(form.locator("input[name=code]").first).to_have_value(re.compile(r"\d+"))
    await expect(field).to_have_value(name)
    await page.locator("#tablist li.active").get_by_role("button", name="Close").click()
    await expect(form).to_have_count(0)


async def find_party(page: Page, name: str) -> None:
    """Search for a party by its name; fails when the list does not show it."""
    await _open_parties(page)
    form = page.locator("#tabs .tab-pane.active")
    search = form.locator("input[placeholder=Search]:visible").first
    await search.fill(name)
    await search.press("Enter")
    await expect(form.locator("table.tree tbody tr")).to_contain_text([name])


async def _open_parties(page: Page) -> None:
    """Open the list by the menu: the folder "Parties" holds an entry of the same name."""
    folder = page.locator("#menu tbody tr", has_text="Parties").first
    entry = page.locator("#menu").get_by_title("Parties", exact=True).nth(1)
    await expect(folder).to_be_visible()
    # The menu is drawn again once its icons have come, and then the first click may be lost.
    for _ in range(5):
        if await entry.is_visible():
            break
        await folder.locator(".expander").click()
        with contextlib.suppress(AssertionError):
            await expect(entry).to_be_visible(timeout=3000)
    await entry.dblclick()
    await expect(page.locator("#tabs .tab-pane.active .toolbar .title")).to_have_text("Parties")
