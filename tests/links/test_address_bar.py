"""A share URL is a secret, so an environment's scripts find it nowhere in the browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page
from tests.installation import Installation
from tests.links.share import PASSWORD, share

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def assert_nowhere(page: Page, token: str) -> None:
    """The environment's start page is shown, and its scripts can't find the token."""
    await page.wait_for_url("**/")
    seen = await page.evaluate(
        "[location.href, document.referrer, document.cookie, ...performance.getEntries().map(entry => entry.name)]"
    )
    assert any(url.endswith("/static/style.css") for url in seen)
    assert token not in " ".join(seen)


async def test_after_a_password_the_token_is_nowhere(server: Installation, sample: str, browser: Browser) -> None:
    link = await share(server, sample, password=PASSWORD)
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.goto(link.link["url"])
        await page.fill("input[type=password]", "not that one")
        await page.click("button")
        await page.wait_for_url("**/login")
        await page.fill("input[type=password]", PASSWORD)
        await page.click("button")
        await assert_nowhere(page, link.token)


async def test_after_a_switch_the_token_is_nowhere(
    one_origin: Installation, sample: str, other_sample: str, browser: Browser
) -> None:
    link, other = await share(one_origin, sample), await share(one_origin, other_sample)
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.goto(link.link["url"])
        await assert_nowhere(page, link.token)
        await page.goto(other.link["url"])
        await page.click("button")
        await assert_nowhere(page, other.token)
        assert "Mill" in await page.content()
