"""In Chromium: visitors who arrive signed in, and such as may only look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from tests.applications.browser import collect_errors
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.storage.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.double_only("has a client whose state a test can see"),
]
AS_DEMO = {"signInAs": {"login": "demo", "password": "demo"}}


async def shared(server: Installation, odoo: Odoo, folder: Path, **link: Any) -> dict[str, Any]:
    """A link that signs in as demo."""
    environment = await server.add_environment(
        name=folder.name, url=odoo.url, websocketUrl=odoo.websocket_url, kind="odoo"
    )
    return await server.create_link(environment["id"], **AS_DEMO, **link)


async def arrive(browser: Browser, server: Installation, link: dict[str, Any]) -> Page:
    """Open the link in a new browser, go to the web client, and wait until it is idle."""
    page = await (await browser.new_context(accept_downloads=True)).new_page()
    await page.goto(link["url"])
    async with page.expect_response("**/mail/action") as asked:
        await page.goto(f"{server.public_url}/odoo")
    await (await asked.value).finished()
    await page.wait_for_selector("body[data-ready=discuss]")
    await page.wait_for_selector("body[data-bus]")
    return page


async def save(page: Page, name: str) -> None:
    """Give Deco Addict another name, if the client is let."""
    await page.click("text=Contacts")
    await page.click(".o_kanban_record:has-text('Deco Addict')")
    await page.fill("#name_0", name)
    await page.click("text=Save")


async def test_a_visitor_is_signed_in_on_first_sight_works_through_a_restart_and_is_cut_off(
    server: Installation, odoo: Odoo, browser: Browser, tmp_path: Path
) -> None:
    link = await shared(server, odoo, tmp_path)
    page = await arrive(browser, server, link)
    errors = collect_errors(page)
    await expect(page.locator(".o_user_menu")).to_have_text("Marc Demo")
    assert not [each for each in await page.context.cookies() if "session_id" in str(each.get("name"))]

    await save(page, "Deco Addict & Sons")
    await expect(page.locator(".o_form_status_indicator")).to_have_text("Saved: Deco Addict & Sons")
    content = b"some bytes" * 1000
    await page.set_input_files(".o_input_file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": content})
    async with page.expect_download() as begun:
        await page.click(".o-mail-AttachmentCard")
    assert (await (await begun.value).path()).read_bytes() == content
    assert errors == []

    [before] = odoo.sessions("demo")
    await server.stop()
    await server.start()
    await save(page, "Deco Addict & Daughters")
    await expect(page.locator(".o_form_status_indicator")).to_have_text("Saved: Deco Addict & Daughters")
    assert {change["user"] for change in odoo.changes("res.partner")} == {"demo"}
    assert [each["sid"] for each in odoo.sessions("demo")] == [before["sid"]]

    await server.deactivate(link["environmentId"], link["id"])
    await page.click("text=Contacts")
    await expect(page.locator(".modal-body").last).to_contain_text("This share link was switched off.")
    answer = await page.reload()
    assert answer is not None
    assert answer.status == 410
    await until(lambda: odoo.sessions("demo") == [])


async def test_two_visitors_have_two_sessions_and_the_logout_of_one_leaves_the_other(
    server: Installation, odoo: Odoo, browser: Browser, tmp_path: Path
) -> None:
    link = await shared(server, odoo, tmp_path)
    first, second = [await arrive(browser, server, link) for _ in range(2)]
    assert len(odoo.sessions("demo")) == 2
    await first.click(".o_logout")
    await expect(first.locator("body")).to_contain_text("You have left")
    await until(lambda: len(odoo.sessions("demo")) == 1)
    await save(second, "Deco Addict Ltd")
    await expect(second.locator(".o_form_status_indicator")).to_have_text("Saved: Deco Addict Ltd")
    answer = await first.goto(f"{server.public_url}/odoo")
    assert answer is not None
    assert answer.status == 401
    # The link is good for another visit.
    again = await arrive(browser, server, link)
    await expect(again.locator(".o_user_menu")).to_have_text("Marc Demo")
    assert len(odoo.sessions("demo")) == 2


async def test_who_may_only_look_reads_odoos_own_dialog_when_he_saves_and_none_before(
    server: Installation, odoo: Odoo, browser: Browser, tmp_path: Path
) -> None:
    link = await shared(server, odoo, tmp_path, access="readOnly")
    odoo.forget()
    page = await arrive(browser, server, link)
    errors = collect_errors(page)
    odoo.notify("simple_notification", {"title": "Hello", "message": "from Odoo", "sticky": True})
    await expect(page.locator(".o_notification_content").last).to_have_text("from Odoo")
    await page.click("text=Sales")
    await page.click("text=S00001")
    await expect(page.locator("#name_0")).to_have_value("S00001")
    await page.click("text=Contacts")
    await expect(page.locator(".o_kanban_record").first).to_be_visible()
    assert await page.locator(".o_dialog").count() == 0
    assert await page.locator(".o_notification").count() == 1

    await save(page, "Deco Addict & Sons")
    await expect(page.locator(".modal-title")).to_have_text("Invalid Operation")
    await expect(page.locator(".modal-body")).to_contain_text("This link is view-only")
    await page.click(".o_dialog button")
    await expect(page.locator(".o_form_status_indicator")).to_be_empty()
    await page.click("text=Sales")
    await page.click("text=S00001")
    await page.click("button[name=action_confirm]")
    await expect(page.locator(".modal-body")).to_contain_text("This link is view-only")
    assert odoo.changes() == []
    assert errors == []
