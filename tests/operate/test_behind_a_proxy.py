"""From a browser to an environment through nginx and Caddy as docs/operate/ sets them up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from tests.gateway.raw_client import RawClient
from tests.gateway.raw_upstream import RawUpstream, raw_upstream
from tests.installation import Installation, installation
from tests.operate.proxies import INTERNAL, SECRET, Proxy, caddy, nginx
from tests.ports import reserve_ports
from tests.supervisor.upstream import answering, echoing
from websockets.asyncio.client import connect

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Site:
    """An installation behind a proxy."""

    server: Installation
    proxy: Proxy

    async def opened(self, url: str, kind: str = "web") -> Opened:
        """A new link to an environment there, opened in a browser."""
        environment = await self.server.add_environment(name="Behind", url=url, kind=kind)
        link = await self.server.create_link(environment["id"])
        parts = urlsplit(link["url"])
        assert (parts.scheme, parts.hostname) == ("https", "share.test")
        parts = urlsplit((await self._led_on(link["url"]))[0])
        assert (parts.scheme, parts.hostname) == ("https", f"{link['id']}.links.test")
        at, cookie = await self._led_on(parts.geturl())
        assert at == "/"
        assert b"Secure" in cookie
        client = await self.proxy.connect(f"{link['id']}.links.test")
        return Opened(self, link, client, parts.netloc.encode(), cookie.partition(b";")[0])

    async def _led_on(self, url: str) -> tuple[str, bytes]:
        """Where a browser is sent from there, and the cookie that it gets."""
        parts = urlsplit(url)
        client = await self.proxy.connect(str(parts.hostname))
        target = url.partition(parts.netloc)[2].encode()
        fields = b"Host: %b\r\nSec-Fetch-Mode: navigate\r\nConnection: close" % parts.netloc.encode()
        client.send(b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (target, fields))
        answer = await client.answer()
        assert answer.status == 303, answer
        [cookie] = answer.all(b"set-cookie")
        await client.close()
        return answer.all(b"location")[0].decode(), cookie


@dataclass(frozen=True)
class Opened:
    """A link that is open, with a connection on which that happened."""

    site: Site
    link: dict[str, Any]
    client: RawClient
    host: bytes
    cookie: bytes

    def head(self, line: bytes, *fields: bytes) -> bytes:
        return b"\r\n".join([line, b"Host: " + self.host, b"Cookie: " + self.cookie, *fields, b"", b""])


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["nginx", "caddy"])
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    port, plain_port = reserve_ports(2)
    async with (
        installation(
            workers=1,
            link_domain="links.test",
            public_url=f"https://share.test:{port}",
            admin_url=f"https://guestpass.test:{port}",
            trusted_proxies="127.0.0.1",
        ) as server,
        {"nginx": nginx, "caddy": caddy}[request.param](
            folder, port=port, plain_port=plain_port, public_port=server.public_port, admin_port=server.admin_port
        ) as proxy,
    ):
        yield Site(server, proxy)


@pytest_asyncio.fixture(loop_scope="session")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream() as listening:
        yield listening


async def test_an_answer_comes_as_its_pieces_come_and_the_environment_learns_how_it_was_asked(
    site: Site, upstream: RawUpstream
) -> None:
    link = await site.opened(upstream.url)
    link.client.send(link.head(b"GET /page HTTP/1.1", b"X-Forwarded-For: 203.0.113.7"))
    end = await upstream.accept()
    head = await end.head()
    assert head.get(b"x-forwarded-proto") == b"https"
    assert head.get(b"x-forwarded-host") == link.host
    # Forwarded fields of a stranger are not trusted.
    assert head.get(b"x-forwarded-for") == b"127.0.0.1"
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
    assert (await link.client.head()).status == 200
    assert await link.client.read(4) == b"half"
    end.send(b"more")
    assert await link.client.read(4) == b"more"
    await link.client.close()


async def test_uploads_have_no_limit_but_the_environments(site: Site) -> None:
    async with answering() as url:
        link = await site.opened(url)
        body = b"x" * 3_000_000
        link.client.send(link.head(b"POST /upload HTTP/1.1", b"Content-Length: %d" % len(body)) + body)
        answer = await link.client.answer()
        assert (answer.status, answer.body) == (200, b"3000000")
        await link.client.close()


async def test_websockets_pass(site: Site) -> None:
    async with echoing() as url:
        link = await site.opened(url)
        async with connect(
            f"wss://{link.host.decode()}/",
            host="127.0.0.1",
            port=site.proxy.port,
            ssl=site.proxy.trust,
            additional_headers={"Cookie": link.cookie.decode()},
        ) as socket:
            await socket.send("through all of it")
            assert await socket.recv() == "through all of it"
        await link.client.close()


async def test_an_owner_signs_in_to_the_dashboard_there(site: Site) -> None:
    url = (await site.server.command("open", "--print")).splitlines()[0]
    origin, _, path = url.rpartition("/open/")
    assert origin == f"https://guestpass.test:{site.proxy.port}"
    client = await site.proxy.connect("guestpass.test")
    head = b"%b HTTP/1.1\r\nHost: guestpass.test:%d\r\nOrigin: %b\r\nX-Forwarded-For: 203.0.113.7\r\n%b\r\n"
    fields = (site.proxy.port, origin.encode())
    client.send(head % (b"POST /open/" + path.encode(), *fields, b"Content-Length: 0\r\n"))
    answer = await client.answer()
    assert answer.status == 303, answer
    [cookie] = answer.all(b"set-cookie")
    assert cookie.startswith(b"__Host-")
    assert b"Secure" in cookie
    session = b"Cookie: %b\r\n" % cookie.partition(b";")[0]
    client.send(head % (b"GET /environments", *fields, session))
    assert (await client.answer()).status == 200
    # What changes is told by a stream, which must not wait in the proxy.
    client.send(head % (b"GET /events", *fields, session))
    stream = await client.head()
    assert (stream.status, stream.get(b"content-type")) == (200, b"text/event-stream; charset=utf-8")
    assert await client.read(1)
    client.reset()
    # Who it was is what the proxy saw, not what they say.
    assert "203.0.113.7" not in await site.server.command("sessions", "list", "--json")


async def test_browsers_speak_http2_with_the_proxy(site: Site) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the protocol is what it is about
    context.set_alpn_protocols(["h2", "http/1.1"])
    for name in ("share.test", "guestpass.test"):
        _, writer = await asyncio.open_connection("127.0.0.1", site.proxy.port, ssl=context, server_hostname=name)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.close()


_FILE = INTERNAL.encode() + b"/secret"


async def _hang_up(upstream: RawUpstream) -> None:
    """Answer nobody."""
    while True:
        with suppress(TimeoutError):
            (await upstream.accept()).hang_up()


@pytest.mark.parametrize("body", [b"", b"plain"])
@pytest.mark.parametrize("kind", ["web", "odoo"])
async def test_no_environment_gets_a_file_of_the_operators_served(
    site: Site, upstream: RawUpstream, kind: str, body: bytes
) -> None:
    # An Odoo is looked at when it is added, which would wait for answers.
    async with asyncio.TaskGroup() as group:
        looked_at = group.create_task(_hang_up(upstream))
        link = await site.opened(upstream.url, kind)
        looked_at.cancel()
    link.client.send(link.head(b"GET /page HTTP/1.1"))
    while True:
        end = await upstream.accept()
        # And besides.
        if (await end.head()).target == b"/page":
            break
        end.hang_up()
    told = b"X-Accel-Redirect: %b\r\nX-Sendfile: %b\r\n" % (_FILE, _FILE)
    end.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (told, len(body), body))
    answer = await link.client.answer()
    # That an Odoo leaves its files to a web server is said to its visitors.
    assert answer.status == (502 if kind == "odoo" and not body else 200)
    assert SECRET not in answer.body
    assert answer.body == body or answer.status == 502
    assert answer.all(b"x-accel-redirect") == []
    await link.client.close()


async def test_nginx_does_not_let_who_is_behind_it_choose_its_files(tmp_path: Path) -> None:
    port, plain_port = reserve_ports(2)
    async with (
        raw_upstream() as upstream,
        nginx(tmp_path, port=port, plain_port=plain_port, public_port=upstream.port, admin_port=upstream.port) as proxy,
    ):
        client = await proxy.connect("share.test")
        client.send(b"GET /page HTTP/1.1\r\nHost: share.test\r\n\r\n")
        end = await upstream.accept()
        await end.head()
        end.send(b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: %b\r\nContent-Length: 5\r\n\r\nplain" % _FILE)
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"plain")
        await client.close()


async def test_caddy_has_no_certificate_for_a_link_that_there_is_not(tmp_path: Path) -> None:
    port, plain_port = reserve_ports(2)
    async with (
        installation(workers=1, link_domain="links.test", public_url=f"https://share.test:{port}") as server,
        caddy(
            tmp_path, port=port, plain_port=plain_port, public_port=server.public_port, admin_port=server.admin_port
        ) as proxy,
    ):
        with pytest.raises(ssl.SSLError):
            await proxy.connect("aaaaaaaaaaaaaaaa.links.test")
