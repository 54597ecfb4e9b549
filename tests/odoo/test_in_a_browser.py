"""A client opens a link to an Odoo in Chromium, works there, and sees its end."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.applications.browser import collect_errors
from tests.doubles.odoo.assets import bundles
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation, installation
from tests.links.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.double_only("has a client whose state a test can see"),
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def own_origins() -> AsyncIterator[Installation]:
    async with installation(link_domain="localhost") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> Page:
    return await (await browser.new_context(accept_downloads=True)).new_page()


async def _shared(server: Installation, odoo: Odoo, name: str) -> dict[str, Any]:
    """A link to the Odoo."""
    environment = await server.add_environment(name=name, url=odoo.url, websocketUrl=odoo.websocket_url, kind="odoo")
    return await server.create_link(environment["id"])


async def _log_in(page: Page, link: dict[str, Any]) -> str:
    """Open the link, log in by Odoo's form, wait for the client; returns the origin."""
    await page.goto(link["url"])
    origin = page.url.removesuffix("/")
    await page.goto(f"{origin}/web/login")
    await page.fill("#login", "demo")
    await page.fill("#password", "demo")
    # The client shows its first view while it still asks for this; only then has it nothing under way.
    async with page.expect_response("**/mail/action") as asked:
        await page.click("button[type=submit]")
    await (await asked.value).finished()
    await page.wait_for_selector("body[data-ready=discuss]")
    return str(origin)


async def test_a_client_opens_the_link_and_works(
    own_origins: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    errors = collect_errors(page)
    link = await _shared(own_origins, odoo, tmp_path.name)
    origin = await _log_in(page, link)
    assert page.url.startswith(origin)
    await page.wait_for_selector("body[data-bus=notification]")

    await page.click("text=Contacts")
    await page.click("text=Deco Addict")
    await page.fill("#name_0", "Deco Addict & Sons")
    await page.click("text=Save")
    await expect(page.locator(".o_form_status_indicator")).to_have_text("Saved: Deco Addict & Sons")
    content = b"some bytes" * 1000
    await page.set_input_files(".o_input_file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": content})
    async with page.expect_download() as begun:
        await page.click(".o-mail-AttachmentCard")
    assert (await (await begun.value).path()).read_bytes() == content
    assert errors == []


async def test_a_notification_of_odoo_arrives_live(
    own_origins: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    await _log_in(page, await _shared(own_origins, odoo, tmp_path.name))
    await page.wait_for_selector("body[data-bus=notification]")
    odoo.notify("simple_notification", {"title": "Hello", "message": "from Odoo", "sticky": True})
    await expect(page.locator(".o_notification_content").last).to_have_text("from Odoo")


async def test_the_end_is_a_dialog_in_plain_words_and_then_our_page(
    own_origins: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    link = await _shared(own_origins, odoo, tmp_path.name)
    await _log_in(page, link)
    await own_origins.deactivate(link["environmentId"], link["id"])
    await page.click("text=Contacts")
    await expect(page.locator(".modal-body")).to_contain_text("This share link was switched off.")
    answer = await page.reload()
    assert answer is not None
    assert answer.status == 410


async def test_two_odoos_are_open_in_one_browser_and_keep_apart(
    own_origins: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    links = [await _shared(own_origins, odoo, f"{tmp_path.name}-{number}") for number in (1, 2)]
    other = await page.context.new_page()
    await _log_in(page, links[0])
    await _log_in(other, links[1])
    for each in (page, other):
        await each.reload()
        await each.wait_for_selector("body[data-ready=discuss]")
    await own_origins.deactivate(links[0]["environmentId"], links[0]["id"])
    assert (await page.reload()).status == 410  # type: ignore[union-attr]
    await other.click("text=Contacts")
    await expect(other.locator("text=Deco Addict").first).to_be_visible()


async def test_on_one_address_the_client_misses_its_service_worker_without_a_word(
    server: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    errors = collect_errors(page)
    await _log_in(page, await _shared(server, odoo, tmp_path.name))
    await page.wait_for_function("navigator.serviceWorker.getRegistrations().then((found) => found.length === 0)")
    assert errors == []
    assert odoo.requests("/web/service-worker.js") == []


async def test_one_after_the_other_on_one_address(server: Installation, odoo: Odoo, page: Page, tmp_path: Path) -> None:
    links = [await _shared(server, odoo, f"{tmp_path.name}-{number}") for number in (1, 2)]
    await _log_in(page, links[0])
    await page.goto(links[1]["url"])
    await page.get_by_role("button", name="Switch to this link").click()
    await page.wait_for_url(f"{server.public_url}/")
    await _log_in(page, links[1])
    await page.click("text=Contacts")
    await expect(page.locator("text=Deco Addict").first).to_be_visible()


# Where the clients of Odoo 18 and 19 keep menus, answers and pages.
_KEEP = """async () => {
    localStorage.setItem("webclient_menus", "those of the first");
    sessionStorage.setItem("current_action", "{}");
    await (await caches.open("odoo-sw-cache")).put("/odoo", new Response("page of the first"));
    await new Promise((resolve, reject) => {
        const opening = indexedDB.open("rpc", 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore("menus").put("those of the first", "key");
        opening.onsuccess = () => resolve(opening.result.close());
        opening.onerror = reject;
    });
}"""
_KEPT = """async () => ({
    local: Object.keys(localStorage).filter((key) => key === "webclient_menus"),
    caches: await caches.keys(),
    databases: (await indexedDB.databases()).map((each) => each.name),
})"""


async def test_what_the_client_keeps_in_the_browser_is_gone_after_a_switch(
    server: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    links = [await _shared(server, odoo, f"{tmp_path.name}-{number}") for number in (1, 2)]
    await _log_in(page, links[0])
    await page.evaluate(_KEEP)
    kept = {"local": ["webclient_menus"], "caches": ["odoo-sw-cache"], "databases": ["rpc"]}
    assert await page.evaluate(_KEPT) == kept
    await page.goto(links[1]["url"])
    await page.get_by_role("button", name="Switch to this link").click()
    await page.wait_for_url(f"{server.public_url}/")
    assert await page.evaluate(_KEPT) == {"local": [], "caches": [], "databases": []}


async def test_menus_are_asked_for_again_and_kept_by_no_cache_between(
    own_origins: Installation, server: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    for number, (installed, said) in enumerate(
        [(own_origins, "private, max-age=31536000"), (server, "private, no-cache")]
    ):
        link = await _shared(installed, odoo, f"{tmp_path.name}-{number}")
        async with page.expect_response("**/web/webclient/load_menus/**") as asked:
            await _log_in(page, link)
        assert (await (await asked.value).header_value("cache-control")) == said


async def test_after_a_redeploy_a_browser_fetches_what_changed(
    own_origins: Installation, odoo: Odoo, page: Page, tmp_path: Path
) -> None:
    errors = collect_errors(page)
    link = await _shared(own_origins, odoo, tmp_path.name)
    await page.goto(link["url"])
    cookies = "; ".join(f"{each.get('name')}={each.get('value')}" for each in await page.context.cookies())
    web = httpx2.AsyncClient(
        # Only browsers know where names below localhost are.
        base_url=f"http://127.0.0.1:{own_origins.public_port}",
        headers={"Host": urlsplit(page.url).netloc, "Cookie": cookies, "Accept-Encoding": "identity"},
        timeout=30,
    )
    async with web:
        # However slow the machine is: each bundle is kept before the browser asks for it.
        before = {name: await _kept(web, bundles()[name].path) for name in _OF_THE_CLIENT}
        await _log_in(page, link)
        odoo.redeploy(new_hashes=True)
        for name, body in before.items():
            unknown = re.sub(r"/[0-9a-f]{7}/", "/0000000/", bundles()[name].path)
            moved = (await web.get(unknown)).headers["location"]
            await _kept(web, urlsplit(moved).path, body)
    await page.reload()
    await page.wait_for_selector("body[data-ready=discuss]")
    entries = await page.evaluate("""performance.getEntriesByType("resource")
        .map(each => [each.name, each.contentEncoding, each.transferSize, each.decodedBodySize])""")
    found = {url.rpartition("/")[2]: (coding, sent, length) for url, coding, sent, length in entries}
    for name, body in before.items():
        coding, sent, length = found[name]
        assert (coding, length) == ("dcz", len(body)), name
        # In brotli it would be more than a tenth.
        assert 0 < sent < len(body) / 50, name
    await page.click("text=Contacts")
    await expect(page.locator("text=Deco Addict").first).to_be_visible()
    assert errors == []


_OF_THE_CLIENT = ("web.assets_web.min.js", "web.assets_web.min.css")


async def _kept(web: httpx2.AsyncClient, path: str, before: bytes | None = None) -> bytes:
    """The body of a bundle; waits until it is kept, and with `before` until it is compressed with that."""
    fields = {}
    if before is not None:
        digest = base64.b64encode(hashlib.sha256(before).digest()).decode()
        fields = {"Accept-Encoding": "dcz", "Available-Dictionary": f":{digest}:"}

    async def is_kept() -> bool:
        answer = await web.head(path, headers=fields)
        # What comes from Odoo itself says no such thing.
        return "use-as-dictionary" in answer.headers and (before is None or "content-encoding" in answer.headers)

    await until(is_kept)
    return (await web.get(path)).content
