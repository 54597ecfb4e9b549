"""Opening a link: the token leaves the address bar, or a client gets the environment's answer at once."""

from __future__ import annotations

import html
import re

import httpx2
import pytest
from tests.installation import Installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import PASSWORD, share
from tests.links.visitor import FETCH, NAVIGATION

pytestmark = pytest.mark.asyncio(loop_scope="session")
PREFIXES = pytest.mark.parametrize("prefix", ["", "/api"])


def action_of(page: httpx2.Response) -> str:
    """Where the page's form goes."""
    [action] = re.findall(r'<form method="post" action="([^"]+)"', page.text)
    return html.unescape(action)


@PREFIXES
async def test_a_browser_is_led_to_the_start_page_with_its_query(
    server: Installation, sample: str, prefix: str
) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        answer = await visitor.navigate(f"{prefix}{link.path}?a=b&c=%20")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?a=b&c=%20")
        assert answer.content == b""
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert set(visitor.cookies) == {"guestpass"}
        page = await visitor.navigate("/")
        assert page.status_code == 200
        assert "Harbour" in page.text


@pytest.mark.parametrize("asks_for", ["a password", "a place"])
async def test_the_query_outlives_a_page_that_asks_for_something(
    server: Installation, sample: str, asks_for: str
) -> None:
    needs_password = asks_for == "a password"
    link = await share(server, sample, **{"password": PASSWORD} if needs_password else {"maxVisitors": 1})
    query = "?a=b&c=%20&d='"
    async with link.stranger() as visitor:
        own = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": link.opens_origin}
        form = action_of(await visitor.navigate(link.path + query))
        if needs_password:
            wrong = await visitor.send("POST", form, own, data={"password": "not that one"})
            assert (wrong.status_code, action_of(wrong)) == (401, form)
            reloaded = await visitor.navigate(form)
            assert (reloaded.status_code, reloaded.headers["location"]) == (303, link.path + query)
        answer = await visitor.send("POST", form, own, data={"password": PASSWORD})
        if needs_password:
            assert (answer.status_code, answer.headers["location"]) == (303, link.path + query)
            answer = await visitor.navigate(answer.headers["location"])
        assert (answer.status_code, answer.headers["location"]) == (303, "/" + query)


async def test_a_query_is_nothing_but_a_query_in_a_page(server: Installation, sample: str) -> None:
    link = await share(server, sample, password=PASSWORD)
    query = """?"'><script>alert(1)</script>&amp;"""
    async with link.stranger() as visitor:
        target = (link.path + query).encode()
        page = await visitor.send("GET", "/", NAVIGATION, host=link.opens_at, extensions={"target": target})
        assert action_of(page) == f"{link.path}/login{query}"
        assert "<script" not in page.text


async def test_the_pass_is_for_scripts_and_other_sites_out_of_reach(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        await visitor.navigate(link.path)
        assert visitor.set_cookies["guestpass"] == {
            "max-age": str(400 * 86400),
            "path": "/",
            "httponly": "",
            "samesite": "Lax",
        }
        assert link.token not in visitor.cookies["guestpass"]


@PREFIXES
async def test_any_other_client_gets_the_environments_own_answer_in_one_response(
    server: Installation, upstream: PlayedUpstream, prefix: str
) -> None:
    link = await share(server, upstream.url)
    upstream.status, upstream.body = "203 Non-Authoritative Information", b"the start page"
    upstream.fields = ["Content-Type: text/x-start", "X-Own: 1", "Cache-Control: public, max-age=60"]
    async with link.stranger() as visitor:
        answer = await visitor.get(f"{prefix}{link.path}?a=b")
        assert (answer.status_code, answer.content) == (203, b"the start page")
        assert answer.headers["content-type"] == "text/x-start"
        assert answer.headers["x-own"] == "1"
        assert answer.headers["cache-control"] == "no-store", "the link may have ended when it is asked for again"
        assert upstream.last.target == "/?a=b"
        assert not upstream.last.all("cookie")
        assert set(visitor.cookies) == {"guestpass"}
        await visitor.get("/next")
        assert upstream.last.target == "/next"


NAVIGATING: list[dict[str, str]] = [
    {"Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "*/*"},
    {"Upgrade-Insecure-Requests": "1"},
    {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
]
NOT_NAVIGATING: list[dict[str, str]] = [
    {},
    {"Accept": "application/json, text/html"},
    {"Accept": "*/*"},
    {"Sec-Fetch-Mode": "cors", "Accept": "text/html", "Upgrade-Insecure-Requests": "1"},
    {"Sec-Fetch-Site": "none", "Accept": "text/html"},
    {"Sec-Fetch-Dest": "document", "Upgrade-Insecure-Requests": "1"},
]


@pytest.mark.parametrize("fields", NAVIGATING)
async def test_who_navigates(server: Installation, sample: str, fields: dict[str, str]) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        assert (await visitor.send("GET", link.path, fields)).status_code == 303
    async with link.stranger() as visitor:
        answer = await visitor.send("GET", "/", fields)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")


@pytest.mark.parametrize("fields", NOT_NAVIGATING)
async def test_who_does_not(server: Installation, sample: str, fields: dict[str, str]) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        assert (await visitor.send("GET", link.path, fields)).status_code == 200
    async with link.stranger() as visitor:
        answer = await visitor.send("GET", "/", fields)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.json()["code"] == "pass_missing"


@pytest.mark.parametrize("destination", ["empty", "image", "script"])
async def test_what_a_page_embeds_gets_content_but_no_pass(server: Installation, sample: str, destination: str) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        answer = await visitor.get(link.path, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest=destination)
        assert (answer.status_code, visitor.cookies) == (200, {})


async def test_a_frame_gets_no_pass(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        answer = await visitor.navigate(link.path, Sec_Fetch_Dest="iframe", Sec_Fetch_Site="cross-site")
        assert (answer.status_code, visitor.cookies) == (403, {})


async def test_whoever_opens_again_keeps_the_pass(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        kept = visitor.cookies["guestpass"]
        assert (await visitor.navigate(link.path)).status_code == 303
        assert (await visitor.get(link.path)).status_code == 200
        assert visitor.cookies["guestpass"] == kept


async def test_head_asks_for_what_get_would_bring_and_sets_nothing(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.stranger() as visitor:
        for fields in ({}, {"Sec-Fetch-Mode": "navigate"}):
            answer = await visitor.send("HEAD", link.path, fields)
            assert (answer.status_code, answer.content, visitor.cookies) == (200, b"", {})
            assert upstream.asked == []
    async with link.visitor() as visitor:
        asked = len(upstream.asked)
        answer = await visitor.send("HEAD", link.path)
        assert (answer.status_code, answer.content, len(upstream.asked)) == (200, b"", asked + 1)
        assert (upstream.last.method, upstream.last.target) == ("HEAD", "/")
        answer = await visitor.send("HEAD", link.path, {"Sec-Fetch-Mode": "navigate"})
        assert answer.status_code == 303


@PREFIXES
async def test_unknown_and_mistyped_tokens(server: Installation, sample: str, prefix: str) -> None:
    link = await share(server, sample)
    removed = await link.sibling()
    await removed.remove()
    mistyped = link.token[:-1] + ("0" if link.token[-1] != "0" else "1")
    async with link.stranger() as visitor:
        for token in (removed.token, mistyped, link.token[:-1], link.token + "x", "x", "", "%67" + link.token[1:]):
            page = await visitor.navigate(f"{prefix}/share/{token}")
            assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
            problem = await visitor.get(f"{prefix}/share/{token}")
            assert (problem.status_code, problem.json()["code"]) == (404, "unknown_link")
            login = await visitor.send("POST", f"{prefix}/share/{token}/login", json={"password": PASSWORD})
            assert login.status_code == 404
        assert visitor.cookies == {}


@PREFIXES
async def test_a_deactivated_link_is_gone_for_everybody(server: Installation, sample: str, prefix: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor, link.stranger() as stranger:
        await link.deactivate()
        for who in (visitor, stranger):
            page = await who.navigate(f"{prefix}{link.path}")
            assert (page.status_code, page.headers["content-type"]) == (410, "text/html; charset=utf-8")
            problem = await who.get(f"{prefix}{link.path}")
            assert (problem.status_code, problem.json()["code"]) == (410, "link_deactivated")
        login = await stranger.send("POST", f"{prefix}{link.path}/login", json={"password": PASSWORD})
        assert login.status_code == 410


async def test_our_pages_are_neither_stored_nor_framed_nor_telling_where_one_came_from(
    server: Installation, sample: str
) -> None:
    link = await share(server, sample, password=PASSWORD)
    async with link.stranger() as visitor:
        pages = [
            await visitor.navigate(link.path),
            await visitor.navigate("/"),
            await visitor.navigate("/share/gp_x"),
            await visitor.send("POST", f"{link.path}/login", {"Accept": "text/html"}, data={"password": "wrong wrong"}),
            await visitor.navigate("/", Host="evil.test"),
        ]
        assert [page.status_code for page in pages] == [401, 401, 404, 401, 421]
        for page in pages:
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert page.headers["referrer-policy"] == "same-origin"
            assert page.headers["cache-control"] == "no-store"
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_maintenance_shows_the_owners_message_and_keeps_links(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    protected = await link.sibling(password=PASSWORD)
    async with link.visitor() as visitor, link.stranger() as stranger:
        await link.change_environment(maintenance={"message": "Back at <noon>"})
        for path in ("/", "/headers", link.path):
            page = await visitor.navigate(path)
            assert page.status_code == 503
            assert "Back at &lt;noon&gt;" in page.text
            problem = await visitor.get(path)
            assert (problem.status_code, problem.json()["code"]) == (503, "maintenance")
            assert problem.json()["detail"] == "Back at <noon>"
        assert (await stranger.navigate(link.path)).status_code == 503
        assert stranger.cookies == {}
        async with protected.stranger() as other:
            assert (await other.navigate(protected.path)).status_code == 401
        assert (await link.listed())["status"] == "active"
        await link.change_environment(maintenance=None)
        assert (await visitor.navigate("/")).status_code == 200
        assert (await stranger.navigate(link.path)).status_code == 303


async def test_the_application_is_not_told_the_token_by_a_referer(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        for path in (link.path, f"/api{link.path}", f"{link.path}/login", "/s-proxy/x", "/api/s-proxy/x"):
            referer = f"{link.origin}{path}?q"
            assert "referer" not in await visitor.headers(Referer=referer), path
        own = f"{link.origin}/page?from=/share/"
        assert (await visitor.headers(Referer=own))["referer"] == [own]


async def test_a_fetch_by_the_applications_own_page_does_not_open_another_visit(
    server: Installation, sample: str
) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        kept, remembered = dict(visitor.cookies), dict(visitor.remembered)
        answer = await visitor.send("GET", link.path, FETCH)
        if link.host == link.opens_at:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "embedded")
        assert (visitor.cookies, visitor.remembered) == (kept, remembered)
