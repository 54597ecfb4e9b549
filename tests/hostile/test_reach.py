"""A visitor reaches the environment of their link and nothing else, whatever they or the environment send."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.dashboard.owner import signed_in
from tests.gateway.raw_client import Answer
from tests.gateway.shared import Shared, sharing
from tests.hostile.canary import Canary, canary
from tests.installation import Installation, installation
from tests.links.played_upstream import Asked, PlayedUpstream, played_upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")
DENIED = "127.0.0.2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded() -> AsyncIterator[Installation]:
    """A server that may reach this machine, but one of its addresses not."""
    async with installation(upstream_deny=f"{DENIED}/32") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def upstream() -> AsyncIterator[PlayedUpstream]:
    async with played_upstream() as playing:
        yield playing


@pytest_asyncio.fixture(loop_scope="module")
async def elsewhere() -> AsyncIterator[PlayedUpstream]:
    """Another environment's application, which lives beside it and answers otherwise."""
    async with played_upstream() as playing:
        playing.body = b"somebody else's"
        yield playing


@pytest_asyncio.fixture(loop_scope="module")
async def nobody() -> AsyncIterator[Canary]:
    """Something on this machine that no environment leads to."""
    async with canary() as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="module")
async def denied() -> AsyncIterator[Canary]:
    """Something at an address that UPSTREAM_DENY names."""
    async with canary(DENIED) as listening:
        yield listening


# `{there}` is another environment's host and port, `{nobody}` another listener's.
LINES = [
    "GET /s-proxy//{there}/x HTTP/1.1",
    "GET /s-proxy///{there}/x HTTP/1.1",
    "GET /s-proxy/http://{there}/x HTTP/1.1",
    "GET /s-proxy/%2f%2f{there}/x HTTP/1.1",
    "GET /s-proxy/@{there}/x HTTP/1.1",
    "GET /s-proxy/../../{there}/x HTTP/1.1",
    "GET //{there}/x HTTP/1.1",
    "GET /\\{there}/x HTTP/1.1",
    "GET /http://{there}/x HTTP/1.1",
    "GET http://{there}/x HTTP/1.1",
    "GET http://{here}@{there}/x HTTP/1.1",
    "GET http://{there}#@{here}/x HTTP/1.1",
    "GET ://{there}/x HTTP/1.1",
    "GET @{there}/x HTTP/1.1",
    "GET {there}/x HTTP/1.1",
    "GET ?http://{there}/x HTTP/1.1",
    "GET /x?url=http://{nobody}/&next=//{there}/ HTTP/1.1",
    "CONNECT {there} HTTP/1.1",
    "CONNECT /x HTTP/1.1",
    "OPTIONS http://{there} HTTP/1.1",
    "PURGE http://{nobody}/x HTTP/1.1",
]
FIELDS = [
    "X-Forwarded-Host: {there}",
    "X-Forwarded-Server: {there}",
    "X-Host: {there}",
    "X-Original-URL: http://{there}/x",
    "X-Rewrite-URL: //{there}/x",
    "Forwarded: host={there};for={nobody}",
    "X-Real-IP: {nobody}",
    "X-Accel-Redirect: //{there}/x",
    "Destination: http://{there}/x",
    "Referer: http://{there}/x",
    "X-Guestpass-Admin: 1",
    "X-Guestpass-Page: 1",
    "x-guestpass-client-address: 127.0.0.1",
]


def answered_by_us(answer: Answer) -> bool:
    """Whether it is a refusal of ours, rather than what an application said."""
    return 400 <= answer.status < 500 and b"requestId" in answer.body


async def ask(shared: Shared, line: str, *fields: str, host: bytes | None = None) -> Answer:
    client = await shared.connect()
    method = line.partition(" ")[0].encode()
    lines = [line.encode(), b"Host: " + (host or shared.host), b"Cookie: " + shared.cookie]
    client.send(b"\r\n".join([*lines, *(field.encode() for field in fields), b"Connection: close", b"", b""]))
    return await client.answer(to=method)


async def test_no_way_of_writing_a_request_leads_elsewhere(
    guarded: Installation, upstream: PlayedUpstream, elsewhere: PlayedUpstream, nobody: Canary
) -> None:
    async with sharing(guarded) as share:
        here, other = await share(upstream.url), await share(elsewhere.url)
        del other
        names = {"there": elsewhere.url.removeprefix("http://"), "nobody": nobody.address, "here": here.host.decode()}
        before, served = len(elsewhere.asked), 0
        for line in LINES:
            answer = await ask(here, line.format(**names))
            assert answered_by_us(answer) or answer.body == b"played", (line, answer)
            served += answer.body == b"played"
        for field in FIELDS:
            answer = await ask(here, "GET /x HTTP/1.1", field.format(**names))
            assert answer.body == b"played", (field, answer)
            asked = upstream.last
            assert asked.all("host") == [names["here"]]
            assert asked.all("x-forwarded-host") == [names["here"]]
            assert not [name for name, _ in asked.fields if name.startswith("x-guestpass-")], field
        assert len(upstream.asked) >= served + len(FIELDS)
        assert not [asked for asked in upstream.asked if "://" in asked.target and not asked.target.startswith("/")]
        assert elsewhere.asked[before:] == []
        assert nobody.reached == []


async def test_no_host_leads_elsewhere(
    guarded: Installation, upstream: PlayedUpstream, elsewhere: PlayedUpstream, nobody: Canary
) -> None:
    async with sharing(guarded) as share:
        here, other = await share(upstream.url), await share(elsewhere.url)
        before = len(elsewhere.asked)
        there = elsewhere.url.removeprefix("http://")
        for host in (
            there,
            nobody.address,
            f"{other.link['id']}.localhost",
            "169.254.169.254",
            "evil.example",
            "unix:",
        ):
            answer = await ask(here, "GET /x HTTP/1.1", host=host.encode())
            # On a loopback listener each loopback name is ours, whatever its port.
            own = host.startswith("127.0.0.1:")
            assert answered_by_us(answer) or (own and answer.body == b"played"), (host, answer)
        assert (elsewhere.asked[before:], nobody.reached) == ([], [])


async def test_another_links_pass_opens_that_link_and_no_other(
    guarded: Installation, upstream: PlayedUpstream, elsewhere: PlayedUpstream
) -> None:
    async with sharing(guarded) as share:
        here, other = await share(upstream.url), await share(elsewhere.url)
        path = here.link["url"].removeprefix(guarded.public_url)
        here.cookie = other.cookie
        assert (await ask(here, "GET /x HTTP/1.1")).body == b"somebody else's"
        name, _, value = other.cookie.decode().partition("=")
        version, _, *rest = value.split(".")
        # The link's id written into a pass of another link is no pass.
        here.cookie = f"{name}={'.'.join([version, here.link['id'], *rest])}".encode()
        answer = await ask(here, "GET /x HTTP/1.1")
        assert (answer.status, answered_by_us(answer)) == (401, True)
        await guarded.client.patch(
            f"/api/environments/{here.environment['id']}/share/{here.link['id']}", json={"password": "correct horse"}
        )
        here.cookie = other.cookie
        asked = len(upstream.asked)
        assert answered_by_us(await ask(here, f"GET {path} HTTP/1.1"))
        assert upstream.asked[asked:] == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_told_and_not_followed(
    guarded: Installation, upstream: PlayedUpstream, nobody: Canary, denied: Canary, status: str
) -> None:
    async with sharing(guarded) as share:
        shared = await share(upstream.url)
        upstream.status = status
        for target in (nobody.address, denied.address, "169.254.169.254", f"127.0.0.1:{guarded.admin_port}"):
            upstream.fields = [
                f"Location: http://{target}/latest",
                f"Refresh: 0; url=http://{target}/",
                "X-Accel-Redirect: /x",
            ]
            for line in ("GET /x HTTP/1.1", "POST /x HTTP/1.1"):
                answer = await ask(shared, line, "Content-Length: 0")
                assert answer.status == int(status[:3])
                assert answer.body == b"played"
        assert nobody.reached == []
        assert denied.reached == []


@pytest.mark.parametrize("kind", ["web", "odoo"])
async def test_a_denied_address_is_reached_by_nothing_that_an_owner_can_ask_for(
    guarded: Installation, denied: Canary, kind: str
) -> None:
    async with canary() as allowed:
        url = f"http://{denied.address}"
        new = {"id": f"denied-{kind}", "name": "Denied", "url": url, "kind": kind}
        answer = await guarded.client.post("/api/environments", json=new)
        assert answer.status_code == 201, answer.text
        at = f"/api/environments/{new['id']}"
        codes = [each["code"] for each in answer.json()["findings"]]
        assert "address_refused" in codes
        checked = await guarded.client.post(f"{at}/check")
        assert "address_refused" in [each["code"] for each in checked.json()["findings"]], checked.text
        async with signed_in(guarded, "--sub", "anna") as owner:
            tried = await owner.send("/check-environment", name="Denied", url=url, kind=kind)
            assert tried.status_code == 200
        if kind == "odoo":
            account = {"name": "demo", "login": "demo", "password": "demo"}
            await guarded.client.post(f"{at}/accounts", json=account)
            # A bus of its own beside an application that may be reached.
            moved = {"url": f"http://{allowed.address}", "websocketUrl": url}
            assert (await guarded.client.patch(at, json=moved)).status_code == 200
        link = await guarded.create_link(new["id"])
        for line in ("GET /latest/meta-data/ HTTP/1.1", "GET /websocket HTTP/1.1"):
            upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
            async with guest_of(guarded, link) as client:
                seen = await ask(client, line, *(upgrade if "websocket" in line else []))
            assert seen.status >= 400, seen
        assert denied.reached == []
        assert (await guarded.client.delete(at)).status_code == 204


@asynccontextmanager
async def guest_of(server: Installation, link: dict[str, Any]) -> AsyncIterator[Shared]:
    """Another visitor, of a link that is there already."""
    async with AsyncExitStack() as stack:
        shared = Shared(server, {}, link, stack)
        await shared.open_link()
        yield shared


@pytest.mark.parametrize(
    "host", ["2130706434", "0x7f000002", "0177.0.0.2", "127.2", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]"]
)
async def test_another_spelling_of_a_denied_address_is_the_same_address(
    guarded: Installation, denied: Canary, host: str
) -> None:
    new = {"id": "spelled", "name": "Spelled", "url": f"http://{host}:{denied.port}", "kind": "web"}
    answer = await guarded.client.post("/api/environments", json=new)
    assert answer.status_code in (201, 422), answer.text
    if answer.status_code == 201:
        link = await guarded.create_link("spelled")
        async with guest_of(guarded, link) as guest:
            assert (await ask(guest, "GET / HTTP/1.1")).status == 502
        await guarded.client.delete("/api/environments/spelled")
    assert denied.reached == []


async def test_a_check_of_an_odoo_follows_no_redirect(
    guarded: Installation, upstream: PlayedUpstream, nobody: Canary, denied: Canary
) -> None:
    upstream.status = "303 See Other"
    for target in (nobody.address, denied.address):
        upstream.fields = [f"Location: http://{target}/web/login"]
        environment = await guarded.add_environment(name="Leading", url=upstream.url, kind="odoo")
        at = f"/api/environments/{environment['id']}"
        await guarded.client.post(f"{at}/check")
        await guarded.client.post(f"{at}/accounts", json={"name": "demo", "login": "demo", "password": "demo"})
        link = await guarded.create_link(environment["id"])
        async with guest_of(guarded, link) as guest:
            for path in ("/web/assets/1/abcdef1/web.assets_web.min.js", "/web/static/src/x.js"):
                assert (await ask(guest, f"GET {path} HTTP/1.1")).status == 303
        await guarded.client.delete(at)
    assert upstream.asked
    assert nobody.reached == []
    assert denied.reached == []


async def test_an_environment_can_not_be_a_socket_or_a_file_of_this_machine(guarded: Installation) -> None:
    for url in (
        "unix:///tmp/guestpass/app.sock",
        "http+unix://%2Ftmp%2Fapp.sock",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "ftp://127.0.0.1/",
        "http:///tmp/app.sock",
        "http://unix:/tmp/app.sock",
        "http://127.0.0.1:0/",
    ):
        answer = await guarded.client.post("/api/environments", json={"name": "Socket", "url": url, "kind": "web"})
        assert answer.status_code == 422, (url, answer.text)
        assert [each["field"] for each in answer.json()["errors"]] == ["url"]


async def test_the_socket_behind_the_gateway_is_our_users_alone(guarded: Installation) -> None:
    """What comes in there is believed to be who the gateway says, so nobody else may connect."""
    sockets = _sockets_of(guarded.process.pid)
    assert sockets, "there is no socket to look at"
    for path in sockets:
        folder = path.parent.stat()
        assert folder.st_uid == os.geteuid()
        assert stat.S_IMODE(folder.st_mode) == 0o700


def _sockets_of(pid: int) -> list[Path]:
    """The Unix sockets on the file system that a process or its children listen on."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    opened = [each for one in (pid, *children) for each in Path(f"/proc/{one}/fd").iterdir()]
    own = {str(each.readlink()) for each in opened if each.is_symlink()}
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    # Number, references, protocol, flags (this one listens), type, state, inode and path.
    return [Path(line[7]) for line in lines if len(line) > 7 and line[3] == "00010000" and f"socket:[{line[6]}]" in own]


async def test_at_the_public_listener_nobody_is_an_owner(guarded: Installation, upstream: PlayedUpstream) -> None:
    async with sharing(guarded) as share:
        shared = await share(upstream.url)
        asked = len(upstream.asked)
        shared.cookie = b""
        for path in ("/environments", "/sign-in", "/links", "/open/x", "/metrics", "/api/docs/../../environments"):
            for host in (shared.host, f"localhost:{guarded.admin_port}".encode()):
                answer = await ask(shared, f"GET {path} HTTP/1.1", "X-Guestpass-Admin: 1", host=host)
                assert answer.status in (400, 401, 403, 404, 421), (path, host, answer)
                assert b"Sign in" not in answer.body
        assert upstream.asked[asked:] == []


# Assets are kept for all visitors of an environment.

ASSET = "/web/assets/1/abcdef1/web.assets_web.min.js"
KEPT = ["Content-Type: application/javascript", "Cache-Control: public, max-age=31536000, immutable", 'ETag: "abcdef1"']


async def test_what_is_kept_of_one_environment_is_never_anothers(
    guarded: Installation, upstream: PlayedUpstream, elsewhere: PlayedUpstream
) -> None:
    upstream.fields = elsewhere.fields = KEPT
    upstream.body, elsewhere.body = b"here();" * 400, b"there();" * 400
    async with sharing(guarded) as share:
        here = await share(upstream.url, kind="odoo")
        there = await share(elsewhere.url, kind="odoo")
        # All at once, so that those who come together are served by one request; and once more from what was kept.
        for _ in range(2):
            answers = await asyncio.gather(
                *(ask(shared, f"GET {ASSET} HTTP/1.1") for _ in range(8) for shared in (here, there))
            )
            assert [answer.body for answer in answers[::2]] == [upstream.body] * 8
            assert [answer.body for answer in answers[1::2]] == [elsewhere.body] * 8
        for playing in (upstream, elsewhere):
            assert [each.target for each in playing.asked].count(ASSET) == 1, "it was not kept"


async def test_no_visitor_decides_what_others_get_from_what_is_kept(
    guarded: Installation, upstream: PlayedUpstream
) -> None:
    upstream.fields = [*KEPT, "Set-Cookie: session_id=first-visitors; HttpOnly; Path=/"]
    upstream.body = b"here();" * 400
    poison = [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Scheme: javascript",
        "X-Original-URL: /web/login",
        "X-HTTP-Method-Override: POST",
        "Accept-Language: xx-EVIL",
        "User-Agent: evil",
        "Origin: http://evil.example",
        "Referer: http://evil.example/",
        "Range: bytes=0-3",
        "Accept-Encoding: identity;q=0, *;q=0",
        'If-None-Match: "abcdef1"',
        "Authorization: Basic ZXZpbDpldmls",
        "X-Evil: evil",
    ]
    async with sharing(guarded) as share:
        first = await share(upstream.url, kind="odoo")
        second, kept = await guarded.create_link(first.environment["id"]), 0
        async with guest_of(guarded, second) as guest:
            for number, field in enumerate([*poison, "Cookie: session_id=evil"]):
                path = ASSET.replace("abcdef1", f"{number:07x}")
                before = len(upstream.asked)
                await ask(first, f"GET {path} HTTP/1.1", field)
                caused = upstream.asked[before:]
                answer = await ask(guest, f"GET {path} HTTP/1.1")
                assert (answer.status, answer.body) == (200, upstream.body), field
                assert not answer.all(b"set-cookie"), field
                assert answer.get(b"content-type") == b"application/javascript"
                if len(upstream.asked) == before + len(caused):
                    kept += 1
                    # What the second one got was fetched as if nobody in particular had asked.
                    assert [each for each in caused if not tells(each, field)], field
            assert kept, "nothing was kept"
            for query in ("?evil", "?debug=1", ";evil"):
                await ask(first, f"GET {ASSET}{query} HTTP/1.1")
            assert (await ask(guest, f"GET {ASSET} HTTP/1.1")).body == upstream.body


def tells(asked: Asked, field: str) -> bool:
    """Whether a request says what a visitor wrote into this field."""
    name, _, value = field.lower().partition(": ")
    return any(value in each.lower() for each in asked.all(name))
