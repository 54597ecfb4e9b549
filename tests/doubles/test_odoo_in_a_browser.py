"""What a user sees of the double's web client, in Chromium: the same as of Odoo's own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from tests.applications.browser import collect_errors
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.wire import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
LOST = "Connection lost. Trying to reconnect..."


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    """A threaded double, so that the page's own address answers the bus too."""
    with running_odoo(workers=0) as running:
        yield running
        assert "Traceback" not in running.log


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> Page:
    """A page of a browser with an empty profile."""
    return await (await browser.new_context(accept_downloads=True)).new_page()


async def log_in(page: Page, odoo: Odoo, login: str = "admin") -> None:
    """Through the form, to the client's first view."""
    await page.goto(f"{odoo.url}/web/login")
    await page.fill("#login", login)
    await page.fill("#password", login)
    await page.click("button[type=submit]")
    await page.wait_for_selector("body[data-ready=discuss]")


async def test_a_visit_to_the_website(odoo: Odoo, page: Page) -> None:
    errors = collect_errors(page)
    await page.goto(odoo.url, wait_until="networkidle")
    assert await page.title() == "Home | My Website"
    await page.click("text=Shop")
    await page.wait_for_load_state("networkidle")
    pictures = page.locator("img.product")
    assert await pictures.count() == 20
    assert await pictures.evaluate_all("all => all.every((one) => one.naturalWidth > 0)")
    await page.click("text=Office Lamp")
    await page.click("text=Add to cart")
    assert await page.locator("li.line").count() == 1
    assert errors == []


async def test_a_cold_web_client(odoo: Odoo, page: Page) -> None:
    errors = collect_errors(page)
    await page.goto(f"{odoo.url}/web/login", wait_until="networkidle")
    odoo.forget()
    await log_in(page, odoo)
    await page.wait_for_selector("body[data-bus=notification]")
    assert await page.text_content(".o_user_menu") == "Mitchell Admin"
    wanted = {
        "/odoo",
        "/bus/websocket_worker_bundle",
        "/websocket",
        "/web/service-worker.js",
        "/odoo/offline",
        "/web/action/load",
        "/mail/action",
        "/mail/data",
        "/mail/inbox/messages",
    }
    until(lambda: wanted <= {each["target"].partition("?")[0] for each in odoo.requests() if each["sent"]})
    until(lambda: all(each["sent"] for each in odoo.requests()))
    assert errors == []
    assert {each["name"] for each in await page.context.cookies()} >= {"session_id", "cids", "tz"}


async def test_records_files_and_notes(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    await page.click("text=Contacts")
    await page.click("text=Deco Addict")
    await page.fill("#name_0", "Deco Addict & Sons")
    await page.click("text=Save")
    await expect(page.locator(".o_form_status_indicator")).to_have_text("Saved: Deco Addict & Sons")
    content = b"some bytes" * 100
    await page.set_input_files(
        ".o_input_file", {"name": "notes of today.txt", "mimeType": "text/plain", "buffer": content}
    )
    async with page.expect_download() as begun:
        await page.click(".o-mail-AttachmentCard")
    download = await begun.value
    assert download.suggested_filename == "notes of today.txt"
    assert (await download.path()).read_bytes() == content
    await page.fill(".o-mail-Composer-input", "a note")
    await page.click(".o-mail-Composer-send")
    await expect(page.locator(".o-mail-Message")).to_have_text("a note")
    assert [each["body"] for each in odoo.records("mail.message")] == ["a note"]


async def test_a_notification_over_the_bus(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    until(lambda: [each for each in odoo.sockets() if each["channels"]])
    odoo.notify("simple_notification", {"title": "Shared demo", "message": "Five minutes left.", "sticky": True})
    await expect(page.locator(".o_notification_title")).to_have_text("Shared demo")
    await expect(page.locator(".o_notification_content")).to_have_text("Five minutes left.")


async def test_a_page_load_closes_the_socket_and_opens_another(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    until(lambda: len(odoo.sockets()) == 1)
    before = odoo.sockets()[0]["sid"]
    await page.reload()
    until(lambda: len(odoo.requests("/websocket")) >= 2 and len(odoo.sockets()) == 1)
    assert odoo.sockets()[0]["sid"] == before


async def test_a_user_error_is_a_dialog(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    data = {"name": "odoo.exceptions.UserError", "message": "This share link has expired."}
    error = {"code": 200, "message": "Odoo Server Error", "data": data}
    odoo.trouble("/web/action/load", status=200, body=json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}))
    await page.click("text=CRM")
    await expect(page.locator(".modal-title")).to_have_text("Invalid Operation")
    await expect(page.locator(".modal-body")).to_have_text("This share link has expired.")
    await page.click(".modal-footer button")
    await expect(page.locator(".o_dialog")).to_have_count(0)
    assert page.url.endswith("/odoo/crm")


async def test_an_expired_session_is_a_dialog_that_reloads(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    odoo.expire_sessions()
    await page.click("text=CRM")
    await expect(page.locator(".modal-title").first).to_have_text("Odoo Session Expired")
    await page.click(".modal-footer button >> nth=0")
    await page.wait_for_url("**/web/login?redirect=**")


@pytest.mark.parametrize("status", [403, 502])
async def test_what_is_no_json_is_a_lost_connection(odoo: Odoo, page: Page, status: int) -> None:
    await log_in(page, odoo)
    odoo.trouble("/web/(action/load|webclient/version_info)", status=status, body="<html>no</html>")
    await page.click("text=CRM")
    lost = page.locator(".o_notification_content", has_text=LOST)
    await expect(lost).to_be_visible()
    until(lambda: odoo.requests("/web/webclient/version_info"))
    await expect(lost).to_be_visible()
    odoo.release()
    await expect(lost).to_have_count(0, timeout=20_000)


async def test_prefork_workers_leave_the_client_without_updates_and_without_a_word(page: Page) -> None:
    with running_odoo() as odoo:
        await log_in(page, odoo)
        until(lambda: len(odoo.requests("/websocket")) >= 2)
        assert {each["status"] for each in odoo.requests("/websocket")} == {500}
        await expect(page.locator(".o_notification")).to_have_count(0)


async def test_an_outdated_version_is_never_tried_again(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    until(lambda: len(odoo.sockets()) == 1)
    odoo.order("drop_sockets", code=1000, reason="OUTDATED_VERSION")
    await expect(page.locator(".o_notification_content", has_text="out of date")).to_be_visible()
    assert len(odoo.requests("/websocket")) == 1


async def test_offline_navigation_shows_the_offline_page(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    odoo.order("close")
    await page.goto(f"{odoo.url}/odoo/contacts")
    await expect(page.locator("h1")).to_have_text("You are offline")


async def test_nothing_is_asked_of_another_origin(odoo: Odoo, page: Page) -> None:
    foreign: list[str] = []

    async def look(route: Route) -> None:
        if not route.request.url.startswith(odoo.url):
            foreign.append(route.request.url)
        await route.continue_()

    await page.route("**/*", look)
    await log_in(page, odoo)
    assert foreign == []


async def test_a_mistake_while_saving_is_a_dialog_and_nothing_is_written(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo)
    await page.click("text=Contacts")
    await page.click("text=Deco Addict")
    await page.fill("#name_0", "")
    await page.click("text=Save")
    await expect(page.locator(".modal-title")).to_have_text("Invalid Operation")
    await expect(page.locator(".modal-body")).to_have_text("Missing required value for the field 'Name' (name)")
    assert odoo.changes("res.partner") == []


async def test_who_may_not_write_is_told_so(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo, "reader")
    await expect(page.locator(".o_user_menu")).to_have_text("Rita Reader")
    await page.click("text=Contacts")
    await page.click("text=Deco Addict")
    await page.click("text=Save")
    await expect(page.locator(".modal-title")).to_have_text("Access Error")
    await expect(page.locator(".modal-body")).to_contain_text("You are not allowed to modify 'res.partner'")
    assert odoo.changes("res.partner") == []


async def test_what_the_client_writes_by_itself(odoo: Odoo, page: Page) -> None:
    odoo.say("Good morning")
    await log_in(page, odoo, "demo")
    until(lambda: [each["user"] for each in odoo.changes("bus.presence")] == ["demo"])
    await page.click("text=general")
    await expect(page.locator(".o-mail-Message")).to_have_text("Good morning")
    read = until(lambda: odoo.changes("discuss.channel.member"))
    assert [(each["route"], each["values"]["seen_message_id"]) for each in read] == [
        ("/discuss/channel/mark_as_read", odoo.records("mail.message")[0]["id"])
    ]
    # One that arrives while the channel is on show is read at once too.
    until(odoo.sockets)
    odoo.say("And a good day")
    await expect(page.locator(".o-mail-Message").last).to_have_text("And a good day")
    until(lambda: len(odoo.changes("discuss.channel.member")) == 2)


async def test_what_a_person_does_in_a_channel(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo, "demo")
    await page.click("text=general")
    await page.fill(".o-mail-Composer-input", "hello")
    until(lambda: [each for each in odoo.changes() if each["operation"] == "notify_typing"])
    await page.click(".o-mail-Composer-send")
    await expect(page.locator(".o-mail-Message")).to_have_text("hello")
    assert [(each["user"], each["values"]["body"]) for each in odoo.changes("mail.message")] == [("demo", "hello")]
    await page.click(".o-mail-DiscussSidebarCategory")
    (folded,) = until(lambda: odoo.changes("res.users.settings"))
    assert folded["values"] == {"is_discuss_sidebar_category_channel_open": False}


async def test_logging_out(odoo: Odoo, page: Page) -> None:
    await log_in(page, odoo, "demo")
    assert len(odoo.sessions("demo")) == 1
    await page.click(".o_logout")
    await page.wait_for_url("**/web/login?redirect=**")
    assert odoo.sessions("demo") == []
    assert [each["how"] for each in odoo.ended_sessions("demo")] == ["logout"]
