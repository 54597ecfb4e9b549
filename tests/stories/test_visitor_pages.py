"""Every page that visitors are shown, as they see it: on a phone and a desk, by day and by night, without scripts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, Route
from tests.applications.axe import OF_COLOURS, find_barriers
from tests.applications.browser import collect_errors

from guestpass.app.notices import Notice, RenderedNotice
from guestpass.domain.branding import Branding, Logo
from guestpass.domain.reasons import Reason
from guestpass.web.notices import Notices

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOKEN = "gp_" + "A1b2C3d" * 7
PHONE, DESK = (360, 740), (1280, 900)
# One transparent pixel.
PIXEL = base64.b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvAAAAAAfQ//73v/+BiOh/AAA=")
# Each is hard to read on one ground or the other, or leaves a button's letters no choice.
COLOURS = ("#ffd400", "#000000", "#ffffff", "#777777", "#0000ff", "#1b2029")
RENDERER = Notices()


def notices(languages: str, branding: Branding | None = None) -> Iterator[Notice]:
    """Each reason with everything that can stand on its page."""
    for reason in Reason:
        yield Notice(
            reason=reason,
            page=True,
            request_id="01K3V8M2XQ7Z",
            token=TOKEN,
            detail="Back at five.\nSorry!" if reason is Reason.MAINTENANCE else None,
            languages=languages,
            branding=branding,
            ended_at=datetime(2026, 3, 4, 15, 6, tzinfo=UTC) if reason is Reason.LINK_EXPIRED else None,
            repeatable=True,
        )
    yield Notice(
        reason=Reason.BAD_REQUEST,
        page=True,
        request_id="01K3V8M2XQ7Z",
        detail="The path holds a backslash.",
        languages=languages,
        branding=branding,
    )


async def show(page: Page, rendered: RenderedNotice) -> None:
    """Load a page as the gateway would send it, its own repeating aside."""

    async def answer(route: Route) -> None:
        fields = {name: value for name, value in rendered.fields if name != "Refresh"}
        # Chromium writes the status of a failed page to the console, which is none of the page's errors.
        await route.fulfill(status=200, headers=fields, body=rendered.body)

    await page.unroute_all()
    await page.route("**/*", answer)
    await page.goto("https://share.example.com/web")


async def inspect(page: Page, notice: Notice) -> list[str]:
    """What is wrong with one page on a phone and on a desk, in both colour schemes."""
    await show(page, RENDERER.render(notice))
    found = []
    for width, height in (PHONE, DESK):
        await page.set_viewport_size({"width": width, "height": height})
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"wider than {width} pixels")
        await page.emulate_media(color_scheme="light")
        day = await find_barriers(page)
        await page.emulate_media(color_scheme="dark")
        night = await find_barriers(page, OF_COLOURS)
        found += [f"light, {width} pixels: {barrier}" for barrier in day]
        found += [f"dark, {width} pixels: {barrier}" for barrier in night]
    return [f"{notice.reason}: {each}" for each in found]


async def test_nothing_keeps_anybody_from_using_a_page(browser: Browser) -> None:
    # In the language with the longest words; brandings are tried in English.
    page = await browser.new_page()
    errors = collect_errors(page)

    found = [each for notice in notices("de") for each in await inspect(page, notice)]

    assert found == []
    assert errors == [], "no page breaks its own policy"


@pytest.mark.parametrize("colour", COLOURS)
async def test_no_branding_makes_a_page_hard_to_read(browser: Browser, colour: str) -> None:
    page = await browser.new_page()
    errors = collect_errors(page)
    branding = Branding(
        name="Hafen & Söhne", logo=Logo("image/webp", PIXEL), colour=colour, contact="mailto:it@hafen.example"
    )
    shown = {Reason.PASSWORD_WRONG, Reason.UPSTREAM_UNREACHABLE, Reason.PREVIEW}

    found = [each for notice in notices("", branding) if notice.reason in shown for each in await inspect(page, notice)]

    assert found == []
    assert errors == []
    assert await page.evaluate("document.querySelector('.brand img').naturalWidth") == 1, "the logo is there"
