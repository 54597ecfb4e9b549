"""The visitor pages in a real browser, under their own policy."""

from __future__ import annotations

import httpx2
import pytest
from playwright.async_api import Route, expect
from tests.api.face import REQUEST_ID, Face
from tests.applications.browser import chromium

from guestpass.app.notices import Notice
from guestpass.domain.reasons import Reason
from guestpass.web.texts import WRONG_PASSWORD


@pytest.mark.usefixtures("environment")
async def test_a_visitor_types_a_wrong_password_and_then_the_right_one(face: Face, owner: httpx2.AsyncClient) -> None:
    link = (await owner.post("/api/environments/staging/share", json={"password": "correct hörse"})).json()
    token = link["url"].rpartition("/")[2]
    share_url = f"{face.url}/share/{token}"
    notice = Notice(reason=Reason.PASSWORD_NEEDED, page=True, request_id="first", token=token)
    complaints: list[str] = []

    async def open_as_the_gateway_does(route: Route) -> None:
        rendered = face.services.notices.render(notice)
        await route.fulfill(status=rendered.status, headers=dict(rendered.fields), body=rendered.body)

    async with chromium() as browser:
        context = await browser.new_context(
            extra_http_headers={"x-guestpass-page": "1", "x-guestpass-request-id": REQUEST_ID}
        )
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))

        await page.route(share_url, open_as_the_gateway_does)
        await page.goto(share_url)
        field = page.get_by_label("Password")
        await expect(field).to_be_focused()
        assert await page.evaluate("getComputedStyle(document.querySelector('main')).borderTopLeftRadius") == "16px"

        await field.fill("wrong horse")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text(WRONG_PASSWORD)
        await expect(page.get_by_text(REQUEST_ID)).to_be_visible()
        await expect(field).to_have_accessible_description(WRONG_PASSWORD)
        await expect(field).to_be_empty()
        assert await context.cookies() == []

        await field.fill("correct hörse")
        await page.get_by_role("button", name="Open").click()
        # Behind the gateway the environment is here; the face itself knows no such page.
        await expect(page).to_have_url(share_url)
        [cookie] = await context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("__Host-Http-guestpass", True, "Lax")

    assert [text for text in complaints if "Content Security Policy" in text] == []
