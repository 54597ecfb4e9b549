"""The pictures in the documentation, taken of the product as it is: `make screenshots` writes them anew.

A server with sample data is asked through its own API, visited as visitors do, and looked at in Chromium. Odoo is
played by the double that the tests use.
"""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
from PIL import Image
from playwright.async_api import Browser, Page, Route
from sqlalchemy import create_engine, update
from tests.applications.browser import chromium
from tests.applications.processes import running_sample
from tests.doubles.odoo.handle import running_odoo
from tests.installation import Installation, installation
from tests.ports import reserve_ports

from guestpass.app.ports import Activity, Origin
from guestpass.storage import tables
from guestpass.storage.database import Database
from guestpass.system import SystemClock

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MOST_BYTES = 150_000
DESK, PHONE = (1280, 800), (390, 780)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PUBLIC_URL = "https://share.example.com"
PASSWORD = "lantern-otter-copper-42"
BROWSERS = {
    "203.0.113.18": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "198.51.100.7": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1",
}


async def take_all() -> None:
    """Write all of them anew."""
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as applications:
        folder = Path(applications.enter_context(TemporaryDirectory(prefix="guestpass-pictures-")))
        odoo = applications.enter_context(running_odoo())
        shop = applications.enter_context(running_sample(folder))
        training = applications.enter_context(running_sample(folder, name="Mountain Outfitters"))
        async with chromium() as browser:
            async with installation() as server:
                environment = await server.add_environment(
                    name="Client staging", url=odoo.url, websocketUrl=odoo.websocket_url, kind="odoo"
                )
                await _take_view_only(browser, server, environment["id"])
            async with installation(
                link_domain="links.example.com",
                public_url=PUBLIC_URL,
                trusted_proxies="127.0.0.1",
                visitor_addresses="full",
            ) as server:
                link = await _fill(server, odoo.url, odoo.websocket_url, shop, training)
                await _take_dashboard(browser, server, link)
                await _take_visitor_pages(browser, server, link)


async def _fill(server: Installation, odoo: str, websocket: str, shop: str, training: str) -> dict[str, Any]:
    """Environments, links and a week of visits; returns the link that is looked at closely."""
    gone = f"http://127.0.0.1:{reserve_ports(1)[0]}"
    await server.add_environment(
        id="client-staging", name="Client staging", url=odoo, websocketUrl=websocket, kind="odoo"
    )
    await server.add_environment(id="shop", name="Harbour Supplies shop", url=shop, kind="web")
    await server.add_environment(id="training", name="Training, group 2", url=training, kind="web")
    await server.add_environment(id="production", name="Old production", url=gone, kind="odoo")
    await server.client.patch("/api/environments/training", json={"maintenance": {"message": "Back at noon."}})

    looked_at = await server.create_link(
        "client-staging", label="Steering group", password=PASSWORD, expiresIn="7d", note="Invoices and stock only."
    )
    accountant = await server.create_link("client-staging", label="Accountant", expiresIn="30d", access="readOnly")
    press = await server.create_link("client-staging", label="Demo at the fair", expiresIn="20h", maxVisitors=5)
    ended = await server.create_link("client-staging", label="First look", expiresIn="7d")
    await server.deactivate("client-staging", ended["id"])
    await server.create_link("shop", label="Press preview", expiresIn="24h")
    await server.create_link("training", label="Participants", expiresIn="14d")

    await _remember_visits(server, looked_at, accountant, press)
    for address, agent in BROWSERS.items():
        await _visit(server, looked_at, address, agent)
    return looked_at


async def _remember_visits(server: Installation, *links: dict[str, Any]) -> None:
    """A week of visits, which the product itself would need a week for."""
    url = f"sqlite:///{server.environ['GUESTPASS_DATA_DIR']}/guestpass.db"
    database = Database(url, SystemClock())
    now = SystemClock().now()
    try:
        async with database.writing() as work:
            for number, link in enumerate(links):
                for visitor in range(4 - number):
                    origin = Origin(
                        f"203.0.113.{40 + visitor}",
                        ("Chrome 139", "Firefox 142", "Safari 18", "Edge 139")[visitor],
                        ("Windows", "Linux", "macOS", "Android")[visitor],
                    )
                    moments = tuple(_moments(now, visitor + number))
                    starts = tuple((at, True) for at in moments)
                    await work.visits.record(
                        [Activity(link["id"], f"visitor_{number}{visitor}", starts, moments[-1], origin=origin)]
                    )
    finally:
        await database.close()
    # The product draws what came after a link was made, which here was a moment ago.
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(tables.links).values(created_at=now - timedelta(days=8)))
    engine.dispose()


def _moments(now: datetime, seed: int) -> list[datetime]:
    """When somebody came within a week: more often in the middle of it, and never at the same hour."""
    return [
        now - timedelta(days=day, hours=1 + (day * 5 + seed * 3) % 9)
        for day in range(6, -1, -1)
        for _ in range(round(2 + 2 * math.sin(day + seed)))
    ] or [now - timedelta(days=1)]


async def _visit(server: Installation, link: dict[str, Any], address: str, agent: str) -> None:
    """Open the link with its password, as a browser behind a reverse proxy does, and mistype it first."""
    parts = urlsplit(link["url"])
    fields = {
        "Host": parts.netloc,
        "Origin": f"https://{parts.netloc}",
        "User-Agent": agent,
        "X-Forwarded-For": address,
        "X-Forwarded-Proto": "https",
        "Accept": "text/html",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{server.public_port}", headers=fields, trust_env=False
    ) as visitor:
        for password, expected in (("lantern-otter", 401), (PASSWORD, 303)):
            answer = await visitor.post(f"{parts.path}/login", data={"password": password})
            assert answer.status_code == expected, answer.text
        host, target = parts.netloc, parts.path
        while answer.status_code == 303:
            cookies = "; ".join(each.partition(";")[0] for each in answer.headers.get_list("set-cookie"))
            answer = await visitor.get(target, headers={"Host": host, "Cookie": cookies})
            if way := answer.headers.get("location"):
                host, target = urlsplit(way).netloc or host, urlsplit(way)._replace(scheme="", netloc="").geturl()
        assert answer.status_code == 200, answer.text


async def _take_dashboard(browser: Browser, server: Installation, link: dict[str, Any]) -> None:
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{server.admin_url}/sign-in")
    await page.get_by_label("Bearer token").fill((await server.command("token", "--sub", "owner@example.com")).strip())
    await page.get_by_role("button", name="Sign in").click()
    at = f"{server.admin_url}/environments"
    await page.wait_for_url(at)
    for name, path in {
        "environments": "",
        "environment": "/client-staging",
        "link": f"/client-staging/links/{link['id']}",
    }.items():
        await page.goto(f"{at}{path}", wait_until="load")
        await _take_in_both(page, name, (1280, 1100) if name == "link" else DESK)
    await page.goto(at)
    await _take_in_both(page, "environments-phone", PHONE)

    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    await page.goto(f"{at}/client-staging")
    await page.get_by_role("link", name="Share", exact=False).first.click()
    await page.wait_for_selector("dialog[open]")
    await _take_in_both(page, "share", DESK)
    await page.get_by_text("With a password too").click()
    await page.get_by_role("button", name="Make the link").click()
    await page.wait_for_selector("dialog[open] svg.qr", state="attached")
    await _take_in_both(page, "send", (1280, 900))
    await context.close()


async def _take_visitor_pages(browser: Browser, server: Installation, link: dict[str, Any]) -> None:
    for name, language in (("password", "en-GB"), ("password-german", "de-DE")):
        context = await browser.new_context(locale=language, has_touch=True, is_mobile=True, device_scale_factor=2)
        page = await context.new_page()
        async with _through_the_proxy(page, server):
            await page.goto(link["url"])
            await page.wait_for_selector("input[type=password]")
            await _take_in_both(page, name, (390, 560))
        await context.close()


@asynccontextmanager
async def _through_the_proxy(page: Page, server: Installation) -> AsyncIterator[None]:
    """Ask the server for what is on public names, as the reverse proxy in front of it would."""
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def answer(route: Route) -> None:
            parts = urlsplit(route.request.url)
            fields = {**await route.request.all_headers(), "Host": parts.netloc, "X-Forwarded-Proto": "https"}
            got = await client.get(
                f"http://127.0.0.1:{server.public_port}{parts.path}",
                headers={name: value for name, value in fields.items() if not name.startswith(":")},
            )
            # What the client has decoded already is sent on without its coding.
            kept = {
                name: value for name, value in got.headers.items() if not name.startswith(("content-enc", "content-le"))
            }
            await route.fulfill(status=got.status_code, headers=kept, body=got.content)

        await page.route("**/*", answer)
        yield


async def _take_view_only(browser: Browser, server: Installation, environment: str) -> None:
    """What signed-in and view-only visitors of an Odoo see."""
    as_demo = {"login": "demo", "password": "demo"}
    link = await server.create_link(environment, access="readOnly", signInAs=as_demo)
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


async def _take_in_both(page: Page, name: str, size: tuple[int, int]) -> None:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        await _take(page, f"{name}-{scheme}")


async def _take(page: Page, name: str) -> None:
    await page.wait_for_function("[...document.images].every((each) => each.complete)")
    picture = Image.open(io.BytesIO(await page.screenshot(animations="disabled", caret="hide")))
    file = FOLDER / f"{name}.webp"
    picture.convert("RGB").save(file, "WEBP", quality=84, method=6)
    assert file.stat().st_size <= MOST_BYTES, f"{file.name} is larger than {MOST_BYTES} bytes"


if __name__ == "__main__":
    asyncio.run(take_all())
