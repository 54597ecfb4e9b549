"""Where links share one origin: what must not be shared, and how a browser goes from one link to another."""

from __future__ import annotations

import pytest
from tests.installation import Installation, installation
from tests.links.opened import Opened, opening
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import FETCH, NAVIGATION, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_service_workers_are_not_served(one_origin: Installation, sample: str) -> None:
    link = await share(one_origin, sample)
    async with link.visitor() as visitor:
        for path in ("/worker.js", "/s-proxy/worker.js", link.path):
            answer = await visitor.get(path, Service_Worker="script", Sec_Fetch_Dest="serviceworker")
            assert answer.status_code == 404
        plain = await visitor.get("/worker.js")
        assert plain.status_code == 200
        assert "service-worker-allowed" not in plain.headers


async def test_with_an_origin_of_its_own_a_link_may_have_service_workers(
    own_origins: Installation, sample: str
) -> None:
    link = await share(own_origins, sample)
    async with link.visitor() as visitor:
        answer = await visitor.get("/worker.js", Service_Worker="script")
        assert (answer.status_code, answer.headers["service-worker-allowed"]) == (200, "/")


CACHEABLE = ["Cache-Control: public, max-age=3600, immutable", "Expires: Fri, 31 Dec 2027 23:59:59 GMT", 'ETag: "x"']


async def test_nothing_is_used_from_a_cache_without_asking(one_origin: Installation, upstream: PlayedUpstream) -> None:
    link = await share(one_origin, upstream.url)
    async with link.visitor() as visitor:
        for fields, expected in (
            (CACHEABLE, "private, no-cache"),
            ([], "private, no-cache"),
            (["Cache-Control: no-store"], "no-store"),
        ):
            upstream.fields = fields
            answer = await visitor.get("/a.css")
            assert answer.headers.get_list("cache-control") == [expected]
            assert "expires" not in answer.headers
        upstream.fields, upstream.status = CACHEABLE, "304 Not Modified"
        upstream.body = b""
        answer = await visitor.get("/a.css", If_None_Match='"x"')
        assert (answer.status_code, answer.headers["etag"]) == (304, '"x"')
        assert upstream.last.all("if-none-match") == ['"x"']


async def test_with_an_origin_of_its_own_a_link_may_use_caches(
    own_origins: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(own_origins, upstream.url)
    upstream.fields = CACHEABLE
    async with link.visitor() as visitor:
        answer = await visitor.get("/a.css")
        assert answer.headers["cache-control"] == "public, max-age=3600, immutable"
        assert answer.headers["expires"] == "Fri, 31 Dec 2027 23:59:59 GMT"


# Switching


async def go(visitor: Visitor, link: Share) -> int:
    return (await visitor.navigate(link.path)).status_code


async def switch(visitor: Visitor, link: Share, **fields: str) -> tuple[int, str, list[str]]:
    """Press the button; returns status, location and Clear-Site-Data."""
    headers = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{visitor.host}"}
    answer = await visitor.send("POST", link.path, {**headers, **fields})
    return answer.status_code, answer.headers.get("location", ""), answer.headers.get_list("clear-site-data")


async def test_a_browser_is_asked_before_it_leaves_a_live_link(
    one_origin: Installation, sample: str, other_sample: str
) -> None:
    link = await share(one_origin, sample)
    for other in (await share(one_origin, other_sample), await link.sibling(), await link.sibling(password=PASSWORD)):
        async with link.visitor() as visitor:
            kept = dict(visitor.cookies)
            page = await visitor.navigate(other.path)
            assert (page.status_code, page.headers["content-type"]) == (409, "text/html; charset=utf-8")
            assert page.text.count("<form") == page.text.count("<button") == 1
            assert f'<form method="post" action="{other.path}">' in page.text
            asked = await visitor.navigate(f"{other.path}?a=b")
            assert f'<form method="post" action="{other.path}?a=b">' in asked.text
            assert visitor.cookies == kept
            assert "Harbour" in (await visitor.navigate("/")).text, "until then the first one stays open"


async def test_switching_takes_everything_of_the_old_link_from_the_browser(
    one_origin: Installation, upstream: PlayedUpstream, other_sample: str
) -> None:
    link, other = await share(one_origin, upstream.url), await share(one_origin, other_sample)
    async with link.visitor() as visitor:
        upstream.fields = ["Set-Cookie: theme=dark; Path=/", "Set-Cookie: sid=secret; HttpOnly; Path=/"]
        await visitor.get("/")
        visitor.cookies["set_by_a_script"] = "1"
        sent = set(visitor.cookies)
        assert len(sent) == 4
        assert await switch(visitor, other) == (303, other.path, ['"cache", "storage"'])
        assert visitor.cookies == {}
        for name in sent:
            assert visitor.set_cookies[name]["max-age"] == "0"
            assert visitor.set_cookies[name]["path"] == "/"
            assert "domain" not in visitor.set_cookies[name]
        assert await go(visitor, other) == 303
        assert "Mill" in (await visitor.navigate("/")).text


async def test_switching_to_a_link_with_a_password_leads_to_its_page(
    one_origin: Installation, sample: str, other_sample: str
) -> None:
    link, other = await share(one_origin, sample), await share(one_origin, other_sample, password=PASSWORD)
    async with link.visitor() as visitor:
        own = {**NAVIGATION, "Origin": link.origin, "Sec-Fetch-Site": "same-origin"}
        answer = await visitor.send("POST", f"{other.path}/login", own, data={"password": PASSWORD})
        assert answer.status_code == 409, "nor does a form that was open in another tab switch unasked"
        assert (await switch(visitor, other))[0] == 303
        assert (await visitor.navigate(other.path)).status_code == 401
        answer = await visitor.send("POST", f"{other.path}/login", own, data={"password": PASSWORD})
        assert answer.status_code == 303
        assert await go(visitor, other) == 303


async def test_the_old_links_streams_of_this_visitor_end_and_nobody_elses(
    one_origin: Installation, sample: str, other_sample: str
) -> None:
    link, other = await share(one_origin, sample), await share(one_origin, other_sample)
    async with link.visitors(2) as [leaving, staying], opening(leaving) as gone, opening(staying) as kept:
        await switch(leaving, other)
        for name, stream in gone.items():
            await stream.wait_for_end(name)
        for name, stream in kept.items():
            await stream.wait_for_more(name)


async def test_switching_is_a_same_origin_post(one_origin: Installation, sample: str, other_sample: str) -> None:
    link, other = await share(one_origin, sample), await share(one_origin, other_sample)
    async with link.visitor() as visitor:
        kept = dict(visitor.cookies)
        for foreign in ({"Origin": "https://evil.test"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}):
            assert (await switch(visitor, other, **foreign))[0] == 403
        assert visitor.cookies == kept
        assert (await visitor.get("/headers")).status_code == 200


async def test_where_the_origin_is_not_trustworthy_browsers_would_ignore_clear_site_data(
    sample: str, other_sample: str
) -> None:
    async with installation(public_url="http://share.example.com") as server:
        link, other = await share(server, sample), await share(server, other_sample)
        async with link.visitor() as visitor:
            assert await switch(visitor, other) == (303, other.path, [])
            assert visitor.cookies == {}


async def test_on_https_the_same_with_secure_cookies(
    https_one_origin: Installation, upstream: PlayedUpstream, other_sample: str
) -> None:
    link, other = await share(https_one_origin, upstream.url), await share(https_one_origin, other_sample)
    async with link.visitor() as visitor:
        upstream.fields = ["Set-Cookie: theme=dark; Path=/", "Set-Cookie: sid=secret; HttpOnly; Path=/"]
        await visitor.get("/")
        sent = set(visitor.cookies)
        headers = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": "https://share.example.com"}
        answer = await visitor.send("POST", other.path, headers)
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
        assert visitor.cookies == {}
        # Browsers let a __Host- cookie be replaced by nothing that is not Secure and for the path /, and one with
        # -Http- by nothing that is not HttpOnly besides.
        for name in sent:
            http_only = {"httponly": ""} if "-Http-" in name else {}
            assert visitor.set_cookies[name] == {"max-age": "0", "path": "/", "secure": "", **http_only}
        assert await go(visitor, other) == 303


@pytest.mark.parametrize("fields", [{}, FETCH], ids=["client", "fetch"])
async def test_other_clients_switch_directly(
    one_origin: Installation, sample: str, other_sample: str, fields: dict[str, str]
) -> None:
    link, other = await share(one_origin, sample), await share(one_origin, other_sample)
    async with link.visitor() as visitor:
        answer = await visitor.send("GET", other.path, fields)
        assert answer.status_code == 200
        assert "Mill" in answer.text
        if not fields:
            assert "Mill" in (await visitor.get("/")).text


async def test_other_clients_log_in_to_another_link_directly(
    one_origin: Installation, sample: str, other_sample: str
) -> None:
    link, other = await share(one_origin, sample), await share(one_origin, other_sample, password=PASSWORD)
    async with link.visitor() as client:
        answer = await client.send("POST", f"{other.path}/login", json={"password": PASSWORD})
        assert answer.status_code == 303
        assert "Mill" in (await client.get("/")).text


async def test_nobody_is_asked_about_a_link_that_opens_nothing_any_more(
    one_origin: Installation, sample: str, other_sample: str
) -> None:
    other = await share(one_origin, other_sample)
    for end in (Share.deactivate, Share.remove):
        link = await share(one_origin, sample)
        async with link.visitor() as visitor:
            await end(link)
            assert await go(visitor, other) == 303
            assert "Mill" in (await visitor.navigate("/")).text


async def test_opening_the_same_link_again_is_no_switch(one_origin: Installation, sample: str) -> None:
    link = await share(one_origin, sample)
    async with link.visitor() as visitor, opening(visitor) as streams:
        kept = dict(visitor.cookies)
        assert await go(visitor, link) == 303
        assert (await switch(visitor, link))[:2] == (303, link.path)
        assert visitor.cookies == kept
        await still_open(streams)


async def still_open(streams: dict[str, Opened]) -> None:
    for name, stream in streams.items():
        await stream.wait_for_more(name)


async def test_with_own_origins_nobody_is_asked(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    other = await link.sibling()
    async with link.visitor() as visitor:
        answer = await visitor.navigate(other.path, Host=other.host)
        assert answer.status_code == 303
        assert (await visitor.send("POST", link.path)).status_code == 405
