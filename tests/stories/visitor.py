"""What a visitor does with a link."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, expect


async def open_link(page: Page, link: dict[str, Any], password: str | None = None) -> None:
    """Follow a link, type its password if it has one, and arrive at the application with a clean address."""
    response = await page.goto(link["url"])
    assert response is not None
    if password is not None:
        assert response.status == 401
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Open").click()
        await page.wait_for_url(lambda url: "/share/" not in url)
    assert urlsplit(page.url).hostname in {urlsplit(link["url"]).hostname, f"{link['id']}.localhost"}
    assert "/share/" not in page.url


async def expect_ended(page: Page) -> None:
    """Load the page anew and find that its link was switched off."""
    response = await page.reload()
    assert response is not None
    assert response.status == 410
    await expect(page.get_by_role("heading")).to_have_text("This link was switched off")
