"""What a person meets in the sample application."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx2
import pytest

REFERENCE = re.compile(r'(?:href|src)="([^"]*)"')


@pytest.fixture
async def visitor(sample: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=sample) as client:
        yield client


async def test_every_reference_of_every_page_leads_somewhere(sample: str, visitor: httpx2.AsyncClient) -> None:
    seen: set[str] = set()
    open_addresses = [f"{sample}/"]
    while open_addresses:
        address = open_addresses.pop()
        if address in seen:
            continue
        seen.add(address)
        response = await visitor.get(address, follow_redirects=True)
        assert response.status_code == 200, address
        if response.headers["content-type"].startswith("text/html"):
            found = REFERENCE.findall(response.text)
            assert found, address
            open_addresses += [urljoin(str(response.url), reference) for reference in found]
    assert {f"{sample}/page", f"{sample}/guide/second", f"{sample}/static/harbour.svg"} <= seen


async def test_start_page_links_in_every_form(sample: str, visitor: httpx2.AsyncClient) -> None:
    references = REFERENCE.findall((await visitor.get("/")).text)
    assert {"page", "/page", f"{sample}/page"} <= set(references)


async def test_absolute_addresses_follow_the_host_that_was_asked(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.get("/", headers={"Host": "guest.example", "X-Forwarded-Proto": "https"})
    assert 'href="https://guest.example/page"' in response.text


async def test_guest_book_shows_what_was_sent_after_a_redirect(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post("/form", data={"name": "Ada", "message": "<b>Fair winds</b>"})
    assert (response.status_code, response.headers["location"]) == (303, "/form")
    page = (await visitor.get("/form")).text
    assert "<strong>Ada</strong> &lt;b&gt;Fair winds&lt;/b&gt;" in page


async def test_guest_book_refuses_an_empty_message(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post("/form", data={"name": "Ada", "message": "  "})
    assert response.status_code == 422
    assert "Please write something." in response.text


async def test_guest_book_refuses_a_form_that_is_too_large(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post("/form", data={"message": "x" * 17_000})
    assert response.status_code == 413


async def test_login_sets_a_cookie_that_scripts_cannot_read_and_one_that_they_can(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post("/login", data={"name": "demo", "password": "demo"})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    session, theme = sorted(response.headers.get_list("set-cookie"))
    assert session.startswith("sample_session=")
    assert "httponly" in session.lower()
    assert theme.startswith("sample_theme=light;")
    assert "httponly" not in theme.lower()
    assert "Good to see you, demo." in (await visitor.get("/")).text


async def test_logout_ends_the_session_itself(visitor: httpx2.AsyncClient) -> None:
    await visitor.post("/login", data={"name": "demo", "password": "demo"})
    session = visitor.cookies["sample_session"]
    await visitor.post("/logout")
    assert "sample_session" not in visitor.cookies
    response = await visitor.get("/", headers={"Cookie": f"sample_session={session}"})
    assert "Good to see you" not in response.text


async def test_wrong_password_is_refused(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post("/login", data={"name": "demo", "password": "guess"})
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
    assert "do not fit" in response.text


async def test_theme_is_remembered(visitor: httpx2.AsyncClient) -> None:
    await visitor.post("/theme", data={"theme": "dark"})
    assert 'data-theme="dark"' in (await visitor.get("/")).text
    assert (await visitor.post("/theme", data={"theme": "<script>"})).status_code == 422


@pytest.mark.parametrize(("form", "location"), [("relative", "../page"), ("root", "/page"), ("absolute", "{url}/page")])
async def test_redirects_have_the_form_that_was_asked(
    sample: str, visitor: httpx2.AsyncClient, form: str, location: str
) -> None:
    response = await visitor.get(f"/redirect/{form}")
    assert (response.status_code, response.headers["location"]) == (302, location.format(url=sample))


async def test_static_files_may_be_kept_and_are_confirmed_by_their_tag(visitor: httpx2.AsyncClient) -> None:
    first = await visitor.get("/static/style.css")
    assert first.headers["cache-control"] == "public, max-age=3600"
    again = await visitor.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "public, max-age=3600"


async def test_service_worker_may_rule_the_whole_origin(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.get("/worker.js")
    assert response.headers["service-worker-allowed"] == "/"
    assert response.headers["content-type"].startswith("text/javascript")


async def test_unknown_address_is_a_page(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.get("/nowhere")
    assert response.status_code == 404
    assert "There is no such page" in response.text
