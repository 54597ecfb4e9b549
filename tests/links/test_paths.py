"""Which paths and hosts are ours, in each way to give a link an address."""

from __future__ import annotations

import json

import pytest
from tests.gateway.raw_client import RawClient
from tests.installation import Installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import PASSWORD, share
from tests.links.visitor import FETCH, NAVIGATION, Visitor, visiting

pytestmark = pytest.mark.asyncio(loop_scope="session")


def bearer(server: Installation) -> dict[str, str]:
    return {"Authorization": str(server.client.headers["Authorization"])}


async def calls_of_owners(anybody: Visitor) -> list[tuple[str, str]]:
    """Each call of the API that wants a bearer token: its method and path, with the names of what stands in it."""
    return [
        (method.upper(), path)
        for path, methods in (await anybody.get("/api/openapi.json")).json()["paths"].items()
        for method, call in methods.items()
        if isinstance(call, dict) and call.get("security")
    ]


async def assert_is_api(server: Installation, host: str, fields: dict[str, str] | None = None) -> None:
    async with visiting(server, host) as owner:
        answer = await owner.send("GET", "/api/environments", {**bearer(server), **(fields or {})})
        assert answer.status_code == 200
        assert isinstance(answer.json(), list | dict)
        assert (await owner.send("GET", "/api/environments", fields)).status_code == 401
        assert (await owner.send("GET", "/api/openapi.json", fields)).json()["openapi"].startswith("3.")


# Everything under one name


async def test_on_one_origin_the_api_and_the_public_three_are_ours_and_all_else_is_not(
    one_origin: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(one_origin, upstream.url)
    async with link.visitor() as visitor:
        for path in (
            "/",
            "/api",
            "/api/",
            "/api/kernels?1",
            "/api/docs",
            "/api/environmentsx",
            "/share",
            "/share/a/b",
            "/s-proxy",
            "/healthz",
            "/readyz",
            "/favicon.ico",
            "/%2e%2e/%73hare/x",
        ):
            await visitor.get(path)
            assert upstream.last.target == path
        count = len(upstream.asked)
        for path in ("/api/environments", "/api/environments/x/share", "/api/openapi.json", "/share/x", "/api/share/x"):
            await visitor.get(path)
        assert len(upstream.asked) == count
    await assert_is_api(one_origin, link.host)
    await assert_is_api(one_origin, link.host, NAVIGATION)


async def test_on_one_origin_the_whole_api_is_there_for_who_holds_no_pass(
    one_origin: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(one_origin, upstream.url)
    async with visiting(one_origin, link.host) as anybody:
        calls = await calls_of_owners(anybody)
        assert len(calls) > 20
        for method, path in calls:
            answer = await anybody.send(method, path)
            assert answer.json()["code"] == "bearer_needed", (method, path)
        assert (await anybody.send("GET", "/api/branding", bearer(one_origin))).status_code == 200
    # What an environment may have too is that of its visitors.
    async with link.visitor() as visitor:
        assert (await visitor.send("GET", "/api/branding", bearer(one_origin))).content == b"played"
        assert upstream.last.target == "/api/branding"


async def test_the_api_on_the_public_listener_takes_no_pass_for_a_bearer_token(
    one_origin: Installation, sample: str
) -> None:
    link = await share(one_origin, sample)
    async with link.visitor() as visitor:
        for method, path in (("GET", ""), ("DELETE", f"/{link.environment['id']}/share/{link.id}")):
            answer = await visitor.send(method, f"/api/environments{path}")
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert (await link.listed())["status"] == "active"


async def test_without_the_api_its_paths_are_the_environments(
    https_one_origin: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(https_one_origin, upstream.url)
    async with link.visitor() as visitor:
        for path in ("/api/environments", "/api/environments/x", "/api/openapi.json"):
            assert (await visitor.send("GET", path, bearer(https_one_origin))).content == b"played"
            assert upstream.last.target == path
    async with link.stranger() as stranger:
        assert (await stranger.send("GET", "/api/environments", bearer(https_one_origin))).status_code == 401


# Any method, any path


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT"])
async def test_every_method_reaches_the_environment_also_through_s_proxy(
    server: Installation, upstream: PlayedUpstream, method: str
) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        for path, target in (
            ("/deep/path?q=1", "/deep/path?q=1"),
            ("/s-proxy/deep/path?q=1", "/deep/path?q=1"),
            ("/api/s-proxy/deep/path?q=1", "/deep/path?q=1"),
            ("/s-proxy/", "/"),
            ("/s-proxy/share/x", "/share/x"),
            ("/s-proxy/api/environments", "/api/environments"),
            ("/s-proxy/s-proxy/%2F..%2f", "/s-proxy/%2F..%2f"),
        ):
            content = b"" if method in {"GET", "HEAD", "OPTIONS"} else b"some content"
            answer = await visitor.send(method, path, {"X-Own": "1"}, content=content)
            assert answer.status_code == 200
            assert answer.content == (b"" if method == "HEAD" else b"played")
            assert (upstream.last.method, upstream.last.target) == (method, target)
            assert upstream.last.all("x-own") == ["1"]


async def test_without_a_pass_there_is_a_page_for_people_and_a_problem_for_programs(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.stranger() as stranger:
        for path in ("/", "/web", "/s-proxy/web", "/api/s-proxy/web"):
            page = await stranger.navigate(path)
            assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
            for method, fields in (("GET", {}), ("GET", FETCH), ("POST", {}), ("DELETE", {})):
                problem = await stranger.send(method, path, fields)
                assert (problem.status_code, problem.headers["content-type"]) == (401, "application/problem+json")
                assert problem.json()["code"] == "pass_missing"
    assert upstream.asked == []


# An origin for each link


async def test_every_share_url_is_on_the_public_host_and_each_content_on_one_of_its_own(
    own_origins: Installation, sample: str
) -> None:
    link = await share(own_origins, sample)
    assert link.link["url"] == f"{own_origins.public_url}/share/{link.token}"
    async with link.visitor() as visitor:
        assert visitor.host == f"{link.id}.localhost:{own_origins.public_port}"
    rotated = await link.rotate()
    assert rotated.opens_at == link.opens_at
    async with rotated.visitor() as visitor:
        assert visitor.host == f"{link.id}-2.localhost:{own_origins.public_port}"


async def test_a_share_url_on_the_links_own_host_leads_to_the_public_one(
    own_origins: Installation, sample: str
) -> None:
    """As those that were sent while share URLs were there."""
    before = await share(own_origins, sample)
    link = await before.rotate()
    async with visiting(own_origins, before.host) as visitor:
        for prefix in ("", "/api"):
            path = f"{prefix}{link.path}?a=b"
            for answer in (await visitor.navigate(path), await visitor.get(path), await visitor.send("HEAD", path)):
                assert (answer.status_code, answer.headers["location"]) == (303, f"{link.link['url']}?a=b")
            assert (await visitor.navigate(f"{prefix}{before.path}")).status_code == 410
        assert visitor.cookies == {}


async def test_at_the_public_host_programs_get_the_content(own_origins: Installation, upstream: PlayedUpstream) -> None:
    link = await share(own_origins, upstream.url)
    async with visiting(own_origins, f"127.0.0.1:{own_origins.public_port}") as client:
        paths = ("/", "/x.css", "/api/kernels", "/api/docs", "/share")
        for path in paths:
            for answer in (await client.get(path), await client.navigate(path)):
                assert answer.status_code == 404
        assert (await client.get(f"/api{link.path}?a=b")).content == b"played"
        assert upstream.last.target == "/?a=b"
        assert (await client.send("PUT", "/api/s-proxy/x.css", content=b"x")).content == b"played"
        for path in paths:
            assert (await client.get(path)).content == b"played"
            assert upstream.last.target == path
        assert (await client.get("/share/gp_x")).status_code == 404
        count = len(upstream.asked)
        for path in (*paths, "/s-proxy/x.html"):
            for fields in (NAVIGATION, FETCH, {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}):
                assert (await client.send("GET", path, fields)).status_code == 404
            assert (await client.send("GET", path, {"Service-Worker": "script"})).status_code == 404
    assert len(upstream.asked) == count


async def test_the_whole_api_is_on_the_public_host_and_on_no_links_host(
    own_origins: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(own_origins, upstream.url)
    await assert_is_api(own_origins, f"127.0.0.1:{own_origins.public_port}")
    await assert_is_api(own_origins, f"localhost:{own_origins.public_port}")
    async with visiting(own_origins, f"127.0.0.1:{own_origins.public_port}") as anybody:
        calls = await calls_of_owners(anybody)
        assert len(calls) > 20
        for method, path in calls:
            answer = await anybody.send(method, path)
            assert answer.json()["code"] == "bearer_needed", (method, path)
    async with link.visitor() as visitor:
        for path in ("/api/environments", "/api/openapi.json", "/api/kernels"):
            assert (await visitor.send("GET", path, bearer(own_origins))).content == b"played"
            assert upstream.last.target == path
    async with link.stranger() as stranger:
        assert (await stranger.send("GET", "/api/environments", bearer(own_origins))).status_code == 401


async def test_the_api_can_be_kept_off_the_public_host(https_own_origins: Installation, sample: str) -> None:
    link = await share(https_own_origins, sample)
    async with visiting(https_own_origins, "share.example.com") as client:
        for path in ("/api/environments", "/api/openapi.json"):
            assert (await client.send("GET", path, bearer(https_own_origins))).status_code == 404
        await client.navigate(f"/api{link.path}")
        assert client.host == link.host


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_on_a_links_host_another_links_token_is_unknown(
    own_origins: Installation, sample: str, prefix: str
) -> None:
    link = await share(own_origins, sample)
    other = await link.sibling(password=PASSWORD)
    async with link.visitor() as visitor:
        for answer in (
            await visitor.navigate(f"{prefix}{other.path}", Host=link.host),
            await visitor.get(f"{prefix}{other.path}", Host=link.host),
            await visitor.send("POST", f"{prefix}{other.path}/login", host=link.host, json={"password": PASSWORD}),
        ):
            assert answer.status_code == 404


async def test_a_pass_is_worth_nothing_on_another_links_host(own_origins: Installation, sample: str) -> None:
    link, other = await share(own_origins, sample), await share(own_origins, sample)
    async with link.visitor() as visitor, other.visitor() as neighbour:
        assert (await visitor.send("GET", "/", host=other.host)).status_code == 401
        # Nor does a pass that a neighbour planted stand in the way of the right one.
        planted = {"Cookie": f"{neighbour.cookie}; {visitor.cookie}"}
        assert (await visitor.send("GET", "/headers", planted)).status_code == 200


async def test_a_host_of_no_link_opens_nothing(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    async with link.visitor() as visitor:
        nobody = f"aaaaaaaaaaaaaaaa.localhost:{own_origins.public_port}"
        assert (await visitor.send("GET", link.path, host=nobody)).status_code == 404
        assert (await visitor.send("GET", "/", host=nobody)).status_code == 401


async def test_two_links_are_open_in_one_browser(own_origins: Installation, sample: str, other_sample: str) -> None:
    one, two = await share(own_origins, sample), await share(own_origins, other_sample)
    async with one.visitor() as first, two.visitor() as second:
        for _ in range(2):
            assert "Harbour" in (await first.navigate("/")).text
            assert "Mill" in (await second.navigate("/")).text


# Names


@pytest.mark.parametrize(
    "host", ["evil.test", "share.evil.test:80", "192.0.2.7", "[2001:db8::1]", "localhost.evil.test"]
)
async def test_any_other_host_is_misdirected(server: Installation, sample: str, host: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        for path in ("/", link.path, "/api/environments", "/s-proxy/x"):
            page = await visitor.navigate(path, Host=host)
            assert (page.status_code, page.headers["content-type"]) == (421, "text/html; charset=utf-8")
            problem = await visitor.get(path, Host=host)
            assert (problem.status_code, problem.json()["code"]) == (421, "unknown_host")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "127.1.2.3"])
async def test_loopback_names_count_on_a_loopback_listener(one_origin: Installation, sample: str, name: str) -> None:
    link = await share(one_origin, sample)
    for host in (f"{name}:{one_origin.public_port}", f"{name}:9", name):
        async with visiting(one_origin, host) as visitor:
            assert (await visitor.navigate(link.path)).status_code == 303
            assert (await visitor.headers())["host"] == [host]
            answer = await visitor.send("POST", "/headers", {"Origin": f"http://{host}"})
            assert answer.status_code == 200


async def test_on_the_admin_listener_there_is_the_whole_api_and_no_shared_content(
    server: Installation, sample: str
) -> None:
    link = await share(server, sample)
    client = server.client
    assert (await client.get("/api/environments")).status_code == 200
    assert (await client.get("/api/openapi.json")).status_code == 200
    assert (await client.get("/api/docs")).status_code == 200
    async with link.visitor() as visitor:
        for path in (link.path, f"/api{link.path}", "/s-proxy/headers", "/headers"):
            answer = await client.get(path, headers={**NAVIGATION, "Cookie": visitor.cookie})
            assert answer.status_code == 404, path
        # The owners' own page, which is nowhere on the visitors' listener.
        assert (await client.get("/", headers={**NAVIGATION, "Cookie": visitor.cookie})).status_code == 303
        assert "Sign in" not in (await visitor.navigate("/")).text
    assert (await client.get("/api/environments", headers={"Host": "evil.test"})).status_code == 421


# Addresses of former days


@pytest.mark.parametrize("host", ["old.example.com:8080", "old.example.com", "{id}.old-links.example.net"])
async def test_a_share_url_of_former_days_leads_to_todays_address(
    https_server: Installation, sample: str, host: str
) -> None:
    link = await share(https_server, sample)
    async with visiting(https_server, host.format(id=link.id)) as visitor:
        for prefix in ("", "/api"):
            for answer in (
                await visitor.navigate(f"{prefix}{link.path}?a=b"),
                await visitor.get(f"{prefix}{link.path}?a=b"),
            ):
                assert (answer.status_code, answer.headers["location"]) == (303, f"{link.link['url']}?a=b")
                assert visitor.cookies == {}
        assert (await visitor.get("/share/gp_x")).status_code == 404
        for path in ("/", "/web", "/s-proxy/x", "/api/environments"):
            assert (await visitor.get(path)).status_code == 421


async def test_a_problem_is_json_with_a_request_id(one_origin: Installation, sample: str) -> None:
    link = await share(one_origin, sample)
    async with link.stranger() as stranger:
        problem = json.loads((await stranger.get("/")).content)
    assert problem["status"] == 401
    assert problem["requestId"]


async def test_on_one_origin_an_environment_never_sees_a_token(
    one_origin: Installation, upstream: PlayedUpstream
) -> None:
    await never_sees_a_token(one_origin, upstream)


async def test_with_origins_of_their_own_an_environment_never_sees_a_token(
    own_origins: Installation, upstream: PlayedUpstream
) -> None:
    await never_sees_a_token(own_origins, upstream)


async def never_sees_a_token(server: Installation, upstream: PlayedUpstream) -> None:
    link = await share(server, upstream.url)
    other = await link.sibling()
    async with link.visitor() as visitor:
        await visitor.get("/")
        count = len(upstream.asked)
        for token in (link.token, other.token):
            for path in (
                f"//share/{token}",
                f"/share/{token}/login/..",
                f"/share/{token}/login/",
                f"/share//{token}",
                f"/%73hare/{token.replace('_', '%5F')}",
                f"/s-proxy/share/{token}",
                f"/api/v2/share/{token}",
            ):
                # As it is: clients that are well-behaved take dots and slashes out of it.
                client = await RawClient.connect(visitor.port)
                client.send(f"GET {path} HTTP/1.1\r\nHost: {link.host}\r\nCookie: {visitor.cookie}\r\n\r\n".encode())
                answer = await client.answer()
                await client.close()
                assert answer.status == 404, path
                assert token.encode() not in answer.body
        assert len(upstream.asked) == count
