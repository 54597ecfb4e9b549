"""What a script of one environment can do to the cookies of the origin that all links share, and what it can't."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect
from tests.installation import Installation, installation
from tests.operate.certificates import trusting, write_pair
from tests.stories.conftest import PATIENCE
from tests.stories.visitor import open_link

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASS = "__Host-Http-guestpass"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Installation]:
    write_pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with installation(
        trust=trusting(tmp_path / "cert.pem"),
        tls_cert=str(tmp_path / "cert.pem"),
        tls_key=str(tmp_path / "key.pem"),
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> BrowserContext:
    context = await browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)
    return context


async def link_to(server: Installation, name: str, url: str) -> dict[str, str]:
    environment = await server.add_environment(name=name, url=url, kind="web")
    return await server.create_link(environment["id"])


async def passes(visitor: BrowserContext) -> dict[str, str]:
    return {each["name"]: each["value"] for each in await visitor.cookies() if "guestpass" in each["name"]}


async def evict(page: Page) -> None:
    """Set so many cookies that the browser drops older ones."""
    await page.evaluate("for (let n = 0; n < 600; n++) document.cookie = `x${n}=1; Path=/; Secure; SameSite=None`")
    await page.evaluate("for (let n = 0; n < 600; n++) document.cookie = `x${n}=; Path=/; Secure; Max-Age=0`")


async def test_no_script_plants_a_pass(
    server: Installation, visitor: BrowserContext, browser: Browser, harbour: str, mountain: str
) -> None:
    links = [await link_to(server, "Harbour", harbour), await link_to(server, "Mountain", mountain)]
    attacker = await browser.new_context(ignore_https_errors=True)
    await open_link(await attacker.new_page(), links[1])
    [(name, planted)] = (await passes(attacker)).items()
    assert name == PASS
    page = await visitor.new_page()
    await open_link(page, links[0])
    for _ in range(2):
        for line in (
            f"{PASS}={planted}; Path=/; Secure",
            f"__host-http-guestpass={planted}; Path=/; Secure",
            f"={PASS}={planted}; Path=/; Secure",
            f"__Host-guestpass={planted}; Path=/; Secure",
            f"guestpass={planted}; Path=/",
        ):
            await page.evaluate("line => { document.cookie = line }", line)
        assert (await passes(visitor)).get(PASS) != planted
        await evict(page)
    response = await page.goto(server.public_url)
    assert response is not None
    assert "Mountain" not in await response.text()


async def test_a_switch_is_not_skipped_where_a_script_has_evicted_the_pass(
    server: Installation, visitor: BrowserContext, harbour: str, mountain: str
) -> None:
    links = [await link_to(server, "Harbour", harbour), await link_to(server, "Mountain", mountain)]
    page = await visitor.new_page()
    await open_link(page, links[0])
    await page.evaluate("localStorage.setItem('left', 'behind')")
    for line in (
        "left=behind; Path=/; Secure",
        "parted=1; Path=/; Secure; SameSite=None; Partitioned",
        "narrow=1; Path=/share",
        "narrower=1; Path=/share/",
    ):
        await page.evaluate("line => { document.cookie = line }", line)
    await visitor.clear_cookies(name=PASS)
    await open_link(page, links[1])
    await expect(page.get_by_role("heading")).to_have_text("Mountain Outfitters")
    assert [each["name"] for each in await visitor.cookies()] == [PASS]
    assert await page.evaluate("localStorage.length") == 0


async def test_a_switch_takes_partitioned_cookies_and_those_of_narrower_paths(
    server: Installation, visitor: BrowserContext, harbour: str, mountain: str
) -> None:
    links = [await link_to(server, "Harbour", harbour), await link_to(server, "Mountain", mountain)]
    page = await visitor.new_page()
    await open_link(page, links[0])
    for line in ("parted=1; Path=/; Secure; SameSite=None; Partitioned", "narrow=1; Path=/share"):
        await page.evaluate("line => { document.cookie = line }", line)
    await page.goto(links[1]["url"])
    await page.get_by_role("button").click()
    await expect(page.get_by_role("heading")).to_have_text("Mountain Outfitters")
    assert [each["name"] for each in await visitor.cookies()] == [PASS]


async def test_a_browser_full_of_cookies_finds_its_way_out(
    server: Installation, visitor: BrowserContext, harbour: str
) -> None:
    link = await link_to(server, "Harbour", harbour)
    page = await visitor.new_page()
    await open_link(page, link)
    await page.evaluate("for (let n = 0; n < 180; n++) document.cookie = `x${n}=${'v'.repeat(4000)}; Path=/`")
    assert await page.evaluate("fetch('/').then(answer => answer.status)") == 431
    response = await page.goto(server.public_url)
    assert response is not None
    assert response.status == 200
    await expect(page.get_by_role("heading")).to_have_text("Harbour Supplies")
    assert PASS in await passes(visitor)
