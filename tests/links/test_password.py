"""Links with a password: the page, the login, and what it is worth."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import pytest
from tests.installation import Installation
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import FETCH, NAVIGATION, visiting

pytestmark = pytest.mark.asyncio(loop_scope="session")
PREFIXES = pytest.mark.parametrize("prefix", ["", "/api"])
FORM_FIELDS = {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}
PLAIN_FORM_FIELDS = {"Accept": "text/html,*/*;q=0.8", "Upgrade-Insecure-Requests": "1"}
"""What a browser says on plain http, where it sends no Fetch Metadata."""


async def protected(server: Installation, sample: str, password: str = PASSWORD) -> Share:
    return await share(server, sample, password=password)


@PREFIXES
async def test_without_the_password_there_is_a_page_that_asks_for_it(
    server: Installation, sample: str, prefix: str
) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        page = await visitor.navigate(f"{prefix}{link.path}")
        assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert f'action="{link.path}/login"' in page.text
        assert 'name="password"' in page.text
        problem = await visitor.get(f"{prefix}{link.path}")
        assert (problem.status_code, problem.json()["code"]) == (401, "password_needed")
        assert (await visitor.send("HEAD", f"{prefix}{link.path}")).status_code == 200
        assert visitor.cookies == {}


async def test_a_password_opens_whichever_way_its_letters_are_written(server: Installation, sample: str) -> None:
    """As one character each, or as a letter and its mark, which a Mac may send."""
    composed, decomposed = (normalize(form, "Größe des Cafés") for form in ("NFC", "NFD"))
    for given, typed in ((composed, decomposed), (decomposed, composed)):
        link = await protected(server, sample, given)
        async with link.stranger() as visitor:
            answer = await visitor.send("POST", f"{link.path}/login", FORM_FIELDS, data={"password": typed})
            assert (answer.status_code, answer.headers["location"]) == (303, link.path)


BODIES: list[dict[str, Any]] = [
    {"json": {"password": PASSWORD}},
    {"data": {"password": PASSWORD}},
    {"data": {"username": "link-x", "password": PASSWORD}},
    {"files": {"password": (None, PASSWORD)}},
]


@PREFIXES
@pytest.mark.parametrize("body", BODIES, ids=["json", "form", "form with a name", "multipart"])
async def test_the_right_password_opens(server: Installation, sample: str, prefix: str, body: dict[str, Any]) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        answer = await visitor.send("POST", f"{prefix}{link.path}/login", **body)
        assert (answer.status_code, answer.headers["location"]) == (303, link.path)
        assert set(visitor.cookies) == {"guestpass"}
        assert visitor.set_cookies["guestpass"]["httponly"] == ""
        assert visitor.set_cookies["guestpass"]["samesite"] == "Lax"
        answer = await visitor.navigate(link.path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "Harbour" in (await visitor.navigate("/")).text


@pytest.mark.parametrize("fields", [FORM_FIELDS, PLAIN_FORM_FIELDS], ids=["with fetch metadata", "plain http"])
async def test_a_browsers_form_opens(server: Installation, sample: str, fields: dict[str, str]) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        own = {**fields, "Origin": link.opens_origin}
        wrong = await visitor.send("POST", f"{link.path}/login", own, data={"password": "not that one"})
        assert (wrong.status_code, wrong.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert 'name="password"' in wrong.text
        assert "not that one" not in wrong.text
        assert visitor.cookies == {}
        # Reloading what a wrong password left in the address bar leads back to the page.
        reloaded = await visitor.navigate(f"{link.path}/login")
        assert (reloaded.status_code, reloaded.headers["location"]) == (303, link.path)
        right = await visitor.send("POST", f"{link.path}/login", own, data={"password": PASSWORD})
        assert right.status_code == 303
        assert (await visitor.navigate(link.path)).status_code == 303


async def test_other_clients_get_the_content_with_the_pass_of_a_login(server: Installation, sample: str) -> None:
    link = await protected(server, sample)
    async with link.stranger() as client:
        await client.send("POST", f"/api{link.path}/login", json={"password": PASSWORD})
        answer = await client.get(f"/api{link.path}")
        assert answer.status_code == 200
        assert "Harbour" in answer.text


async def test_each_login_makes_a_new_pass(server: Installation, sample: str) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        passes = set()
        for _ in range(3):
            await visitor.send("POST", f"{link.path}/login", json={"password": PASSWORD})
            passes.add(visitor.cookies["guestpass"])
        assert len(passes) == 3


@PREFIXES
@pytest.mark.parametrize("password", ["wrong wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 2000])
async def test_a_wrong_password_opens_nothing(server: Installation, sample: str, prefix: str, password: str) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        for body in ({"json": {"password": password}}, {"data": {"password": password}}):
            answer = await visitor.send("POST", f"{prefix}{link.path}/login", **body)  # type: ignore[arg-type]
            assert answer.status_code in {401, 422}
            assert answer.headers["content-type"] == "application/problem+json"
            assert password not in answer.text
        assert visitor.cookies == {}
        assert (await visitor.get(link.path)).status_code == 401
    assert password not in server.log


async def test_a_password_may_hold_any_characters(server: Installation, sample: str) -> None:
    password = 'Grüße & "Küsse" + % \u2603'
    link = await protected(server, sample, password)
    for body in ({"json": {"password": password}}, {"data": {"password": password}}):
        async with link.stranger() as visitor:
            answer = await visitor.send("POST", f"{link.path}/login", **body)  # type: ignore[arg-type]
            assert answer.status_code == 303


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.test"},
    {"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    {"Origin": "null"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "{own}", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://{host}"},
    {"Origin": "{own}.evil.test"},
    {"Origin": "{own}/"},
]


@PREFIXES
@pytest.mark.parametrize("fields", FOREIGN)
async def test_other_sites_can_not_log_their_visitors_in(
    server: Installation, sample: str, prefix: str, fields: dict[str, str]
) -> None:
    link = await protected(server, sample)
    written = {name: value.format(own=link.opens_origin, host=link.opens_at) for name, value in fields.items()}
    async with link.stranger() as visitor:
        answer = await visitor.send("POST", f"{prefix}{link.path}/login", written, data={"password": PASSWORD})
        assert answer.status_code == 403
        assert visitor.cookies == {}


OWN: list[dict[str, str]] = [
    {"Origin": "{own}"},
    {"Origin": "{own}", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("fields", OWN)
async def test_our_own_page_may(server: Installation, sample: str, fields: dict[str, str]) -> None:
    link = await protected(server, sample)
    written = {name: value.format(own=link.opens_origin) for name, value in fields.items()}
    async with link.stranger() as visitor:
        answer = await visitor.send("POST", f"{link.path}/login", written, data={"password": PASSWORD})
        assert answer.status_code == 303


async def test_another_links_page_is_another_origin(own_origins: Installation, sample: str) -> None:
    link, neighbour = await protected(own_origins, sample), await protected(own_origins, sample)
    fields = {"Origin": neighbour.origin, "Sec-Fetch-Site": "same-site"}
    async with link.stranger() as visitor:
        answer = await visitor.send("POST", f"{link.path}/login", fields, data={"password": PASSWORD})
        assert answer.status_code == 403


LIMIT = 64 * 1024


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_login_is_64_kib_at_most(server: Installation, sample: str, *, chunked: bool) -> None:
    link = await protected(server, sample)
    start = f"password={PASSWORD.replace(' ', '+')}&x=".encode()

    async def pieces(content: bytes) -> Any:
        for position in range(0, len(content), 10_000):
            yield content[position : position + 10_000]

    async with link.stranger() as visitor:
        for size, statuses in ((LIMIT, {303}), (LIMIT + 1, {413}), (3 * LIMIT, {413})):
            body = start + b"a" * (size - len(start))
            fields = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await visitor.send("POST", f"{link.path}/login", fields, content=pieces(body) if chunked else body)
            assert answer.status_code in statuses, size


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"json": {}}, 422),
        ({"json": {"password": None}}, 422),
        ({"json": {"password": 7}}, 422),
        ({"json": {"password": PASSWORD, "more": 1}}, 422),
        ({"content": b"{", "fields": {"Content-Type": "application/json"}}, 400),
        ({"data": {"username": "x"}}, 422),
        ({"content": b""}, 422),
        ({"content": b"x", "fields": {"Content-Type": "text/plain"}}, 415),
    ],
)
async def test_a_login_that_says_nothing_sensible(
    one_origin: Installation, sample: str, body: dict[str, Any], status: int
) -> None:
    link = await protected(one_origin, sample)
    async with link.stranger() as visitor:
        answer = await visitor.send("POST", f"{link.path}/login", **body)
        assert answer.status_code == status
        assert visitor.cookies == {}


async def test_only_post_logs_in(server: Installation, sample: str) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        for method in ("PUT", "PATCH", "DELETE"):
            answer = await visitor.send(method, f"{link.path}/login", json={"password": PASSWORD})
            assert answer.status_code == 405
            assert "POST" in answer.headers["allow"]


async def test_a_login_at_the_links_own_host_goes_on_at_the_public_one(own_origins: Installation, sample: str) -> None:
    link = await protected(own_origins, sample)
    async with visiting(own_origins, link.host) as client:
        answer = await client.send("POST", f"/api{link.path}/login", json={"password": PASSWORD})
        assert (answer.status_code, client.cookies) == (308, {})
        assert answer.headers["location"] == f"{link.link['url']}/login"
        # A browser has the page of another day open, and gets today's.
        form = {**FORM_FIELDS, "Origin": link.origin}
        answer = await client.send("POST", f"{link.path}/login?a=b", form, data={"password": PASSWORD})
        assert (answer.status_code, client.cookies) == (303, {})
        assert answer.headers["location"] == f"{link.link['url']}?a=b"


async def test_a_script_of_the_page_may_log_in_too(server: Installation, sample: str) -> None:
    link = await protected(server, sample)
    async with link.stranger() as visitor:
        fields = {**FETCH, "Origin": link.opens_origin}
        wrong = await visitor.send("POST", f"{link.path}/login", fields, json={"password": "wrong wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "password_wrong")
        right = await visitor.send("POST", f"{link.path}/login", fields, json={"password": PASSWORD})
        assert right.status_code == 303
