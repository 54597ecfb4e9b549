"""The pictures in the guide, taken of the real thing before the double of Odoo: `python -m tests.docs.pictures`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import Page
from tests.applications.browser import chromium
from tests.doubles.odoo.handle import running_odoo
from tests.installation import installation

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guide" / "pictures"


async def take_all() -> None:
    """Write all of them anew."""
    FOLDER.mkdir(exist_ok=True)
    with running_odoo() as odoo:
        async with installation() as server, chromium() as browser:
            environment = await server.add_environment(
                name="Client staging", url=odoo.url, websocketUrl=odoo.websocket_url, kind="odoo"
            )
            as_demo = {"login": "demo", "password": "demo"}
            link = await server.create_link(environment["id"], access="readOnly", signInAs=as_demo)
            page = await browser.new_page(viewport={"width": 800, "height": 280})
            await page.goto(link["url"])
            await page.goto(f"{server.public_url}/odoo/contacts")
            await page.wait_for_selector("body[data-ready=contacts]")
            await _take(page, "signed-in")
            await page.click(".o_kanban_record:has-text('Deco Addict')")
            await page.fill("#name_0", "Deco Addict & Sons")
            await page.click("text=Save")
            await page.wait_for_selector(".o_dialog")
            await _take(page, "view-only")


async def _take(page: Page, name: str) -> None:
    await page.wait_for_function("[...document.images].every((each) => each.complete)")
    await page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    asyncio.run(take_all())
