"""What an environment is told of its visitors, and which of their requests it is spared."""

from __future__ import annotations

import json

import pytest
from tests.installation import Installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import share
from tests.links.visitor import NAVIGATION

pytestmark = pytest.mark.asyncio(loop_scope="session")
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def test_an_environment_of_kind_web_sees_the_visitors_host(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        fields = await visitor.headers(Origin="https://evil.test")
    assert fields["host"] == fields["x-forwarded-host"] == [link.host]
    assert fields["x-forwarded-proto"] == ["http"]
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert fields["origin"] == ["https://evil.test"]


@pytest.mark.parametrize("named_by", ["Host", "X-Forwarded-Host"])
async def test_behind_a_proxy_an_environment_sees_what_the_visitor_sees(
    https_server: Installation, sample: str, named_by: str
) -> None:
    link = await share(https_server, sample)
    proxy = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"}
    async with link.visitor() as visitor:
        if named_by == "X-Forwarded-Host":
            proxy |= {"Host": "internal:8080", "X-Forwarded-Host": link.host}
        answer = await visitor.send("POST", "/headers", {"Origin": link.origin, **proxy})
        fields = dict(answer.json()["fields"])
        assert fields["host"] == fields["x-forwarded-host"] == link.host
        assert fields["x-forwarded-proto"] == "https"
        assert fields["x-forwarded-for"] == "192.0.2.7"
        assert "x-forwarded-port" not in fields
        # The visitor's own origin is https, so http is a foreign one.
        answer = await visitor.send("POST", "/headers", {"Origin": f"http://{link.host}", **proxy})
        assert answer.status_code == 403


async def test_nobody_but_a_trusted_proxy_can_say_where_a_request_comes_from(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    forged = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-User": "admin",
        "X-Real-IP": "192.0.2.7",
        "Forwarded": "for=192.0.2.7;host=evil.test;proto=https",
        "X-Guestpass-Client-Address": "192.0.2.7",
    }
    async with link.visitor() as visitor:
        answer = await visitor.send("GET", "/headers", forged)
        fields = dict(answer.json()["fields"])
    assert fields["host"] == fields["x-forwarded-host"] == link.host
    assert (fields["x-forwarded-for"], fields["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert not {"x-forwarded-user", "x-real-ip", "forwarded", "x-guestpass-client-address"} & set(fields)
    warnings = [json.loads(line) for line in server.log.splitlines() if "TRUSTED_PROXIES" in line]
    assert len(warnings) == 1, "it is said once"
    assert warnings[0]["level"] == "warning"


UNSAFE = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]


@pytest.mark.parametrize("method", UNSAFE)
async def test_pages_of_other_origins_can_not_act(server: Installation, upstream: PlayedUpstream, method: str) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        foreign: list[dict[str, str]] = [
            {"Origin": "https://evil.test"},
            {"Origin": "null"},
            {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
            {"Origin": link.origin.replace("http:", "https:")},
            {"Origin": f"{link.origin}0"},
        ]
        for fields in foreign:
            for path in ("/", "/s-proxy/x"):
                answer = await visitor.send(method, path, fields)
                assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin"), fields
        assert upstream.asked == []
        own: list[dict[str, str]] = [
            {},
            {"Origin": link.origin},
            {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        ]
        for fields in own:
            assert (await visitor.send(method, "/", fields)).content == b"played"
            assert upstream.last.all("origin") == ([fields["Origin"]] if fields else [])


async def test_a_foreign_page_gets_a_page(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        fields = {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}
        answer = await visitor.send("POST", "/form", fields, data={"message": "x"})
        assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")


async def test_a_neighbouring_link_is_another_origin(own_origins: Installation, upstream: PlayedUpstream) -> None:
    link, neighbour = await share(own_origins, upstream.url), await share(own_origins, upstream.url)
    async with link.visitor() as visitor:
        fields = {"Origin": neighbour.origin, "Sec-Fetch-Site": "same-site"}
        assert (await visitor.send("POST", "/", fields)).status_code == 403
        assert (await visitor.send("GET", "/", {**UPGRADE, **fields})).status_code == 403
    assert upstream.asked == []


async def test_a_websocket_comes_from_the_visitors_own_page_or_from_none(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        for origin in ("https://evil.test", "null", link.origin.replace("http:", "https:")):
            answer = await visitor.send("GET", "/ws/echo", {**UPGRADE, "Origin": origin})
            assert answer.status_code == 403
        # A request that asks for no WebSocket may come from anywhere; what it may read is for its own origin.
        assert (await visitor.send("GET", "/ws/echo", {"Origin": "https://evil.test"})).status_code != 403


async def test_a_body_limit_is_the_environments(server: Installation, sample: str) -> None:
    link = await share(server, sample, environment={"bodyLimit": 1000})
    async with link.visitor() as visitor:
        assert (await visitor.send("POST", "/upload", content=b"x" * 1000)).json()["size"] == 1000
        answer = await visitor.send("POST", "/upload", content=b"x" * 1001)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_websocket_url_serves_websocket_paths_and_no_others(
    server: Installation, sample: str, upstream: PlayedUpstream
) -> None:
    link = await share(server, sample, environment={"websocketUrl": upstream.url})
    async with link.visitor() as visitor:
        for path, target in (
            ("/websocket", "/websocket"),
            ("/websocket/health?x", "/websocket/health?x"),
            ("/s-proxy/websocket/peek", "/websocket/peek"),
        ):
            assert (await visitor.get(path)).content == b"played"
            assert upstream.last.target == target
        for path in ("/headers", "/headers/websocket", "/headers?/websocket"):
            assert (await visitor.get(path)).json()["target"] == path
        assert len(upstream.asked) == 3
