"""A visitor who reads German, on a phone, without scripts: the pages that they see, and that these work."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from io import BytesIO

import pytest
from PIL import Image
from playwright.async_api import Browser, BrowserContext, expect
from tests.installation import installation
from tests.ports import reserve_ports
from tests.stories.conftest import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = "Hafen & Söhne"


def logo() -> str:
    target = BytesIO()
    Image.new("RGB", (300, 90), "#c2185b").save(target, "PNG")
    return f"data:image/png;base64,{b64encode(target.getvalue()).decode()}"


async def german_phone(browser: Browser) -> BrowserContext:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, locale="de-DE", color_scheme="dark", java_script_enabled=False
    )
    context.set_default_timeout(PATIENCE)
    return context


async def test_from_the_password_to_the_end_of_the_link(browser: Browser, harbour: str) -> None:
    async with installation() as server:
        branding = {"name": NAME, "logo": logo(), "colour": "#ffd400", "contact": "mailto:it@hafen.example"}
        assert (await server.client.put("/api/branding", json=branding)).status_code == 200
        environment = await server.add_environment(name="Harbour", url=harbour, kind="web")
        link = await server.create_link(environment["id"], password="richtig rum")
        page = await (await german_phone(browser)).new_page()

        await page.goto(link["url"])
        assert await page.locator("html").get_attribute("lang") == "de"
        await expect(page.get_by_role("banner")).to_have_text(NAME)
        await expect(page.get_by_role("link", name="it@hafen.example")).to_be_visible()
        await page.get_by_label("Passwort").fill("falsch herum")
        await page.get_by_role("button", name="Öffnen").click()
        await expect(page.get_by_role("alert")).to_contain_text("Das Passwort stimmt nicht")
        await expect(page.get_by_role("banner")).to_have_text(NAME)
        await page.get_by_label("Passwort").fill("richtig rum")
        await page.get_by_role("button", name="Öffnen").click()
        await expect(page.get_by_role("heading")).to_have_text("Harbour Supplies")

        await server.deactivate(environment["id"], link["id"])
        await page.reload()
        await expect(page.get_by_role("heading")).to_have_text("Dieser Link wurde abgeschaltet")
        await expect(page.get_by_text(re.compile(r"Er endete am \d+\. \w+ \d{4} um \d\d:\d\d\sUTC"))).to_be_visible()
        await expect(page.get_by_role("banner")).to_have_text(NAME)

        # A new name is there on the next page.
        assert (await server.client.put("/api/branding", json={"name": "Hafen"})).status_code == 200
        await page.reload()
        await expect(page.get_by_role("banner")).to_have_text("Hafen")
        assert (await server.client.delete("/api/branding")).status_code == 204
        await page.reload()
        await expect(page.get_by_role("banner")).to_have_count(0)


async def test_an_environment_that_comes_back_is_shown_by_itself(browser: Browser) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><title>Hafen</title><h1>Wieder da</h1>"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await writer.drain()
        writer.close()

    async with installation() as server:
        [port] = reserve_ports(1)
        environment = await server.add_environment(name="Harbour", url=f"http://127.0.0.1:{port}", kind="web")
        link = await server.create_link(environment["id"])
        page = await (await german_phone(browser)).new_page()

        response = await page.goto(link["url"])
        assert response is not None
        assert response.status == 502
        await expect(
            page.get_by_text("Diese Seite versucht es alle 10 Sekunden von selbst noch einmal.")
        ).to_be_visible()
        async with await asyncio.start_server(answer, "127.0.0.1", port):
            await expect(page.get_by_role("heading")).to_have_text("Wieder da")
