"""What one visitor says on a connection to an environment changes nothing of what another visitor asks and gets."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from tests.gateway.raw_client import Answer, RawClient
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd, raw_upstream
from tests.gateway.shared import OK
from tests.installation import Installation, installation

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = b"session=SECRET-OF-B"


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["one origin", "own origins"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    async with installation(link_domain=None if request.param == "one origin" else "links.localhost") as running:
        yield running


class Visitor:
    """Somebody who has opened a link, with connections of their own."""

    def __init__(self, server: Installation, link: dict[str, Any]) -> None:
        self._server = server
        self._path, self._host = urlsplit(link["url"]).path.encode(), urlsplit(link["url"]).netloc.encode()
        self._cookie = b""

    @classmethod
    async def of(cls, server: Installation, link: dict[str, Any]) -> Visitor:
        visitor = cls(server, link)
        client = await visitor.connect()
        # The link's own host, where it has one, is where its URL leads.
        target, host = visitor._path, visitor._host
        while host:
            client.send(visitor.request(b"GET %b HTTP/1.1" % target, b"Sec-Fetch-Mode: navigate"))
            answer = await client.answer()
            assert answer.status == 303, answer
            visitor._cookie = b"; ".join(each.partition(b";")[0] for each in answer.all(b"set-cookie"))
            leads = urlsplit((answer.get(b"location") or b"").decode())
            target, host = f"{leads.path}?{leads.query}".encode(), leads.netloc.encode()
            if host:
                visitor._host, visitor._cookie = host, b""
        await client.close()
        return visitor

    async def connect(self) -> RawClient:
        return await RawClient.connect(self._server.public_port)

    def request(self, line: bytes, *fields: bytes, body: bytes = b"", also: bytes = b"x=y") -> bytes:
        cookie = b"Cookie: %b; %b" % (self._cookie or b"none=none", also)
        return b"\r\n".join([line, b"Host: " + self._host, cookie, *fields, b"", body])

    async def ask(self, line: bytes, *fields: bytes, body: bytes = b"", also: bytes = b"x=y") -> Answer:
        """One request on a connection of its own."""
        client = await self.connect()
        client.send(self.request(line, *fields, body=body, also=also))
        answer = await client.answer(to=line.partition(b" ")[0])
        await client.close()
        return answer


@asynccontextmanager
async def environment(server: Installation, url: str, kind: str = "web") -> AsyncIterator[str]:
    """An environment's id while there is one."""
    made = await server.add_environment(name="Shared by many", url=url, kind=kind, tlsVerify=False)
    try:
        yield made["id"]
    finally:
        await server.client.delete(f"/api/environments/{made['id']}")


class Careless(BaseHTTPRequestHandler):
    """Python's own server: it keeps the connection, and leaves a GET's body in it."""

    protocol_version = "HTTP/1.1"
    captured: list[bytes]

    def do_GET(self) -> None:
        self._answer(self.path.encode())

    def do_POST(self) -> None:
        self.captured.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(b"captured")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to tell."""


@contextmanager
def careless(tls: ssl.SSLContext | None) -> Iterator[tuple[str, list[bytes]]]:
    """The address of such a server, and what it took for bodies of POSTs."""
    captured: list[bytes] = []
    listening = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Careless,), {"captured": captured}))
    listening.daemon_threads = True
    port = listening.server_address[1]
    if tls is not None:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}", captured
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.mark.parametrize("kind", ["web", "odoo"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("links", ["one link", "two links"])
async def test_nobodys_request_becomes_the_rest_of_another_visitors_body(
    server: Installation, speaks_tls: ssl.SSLContext, links: str, scheme: str, kind: str
) -> None:
    with careless(speaks_tls if scheme == "https" else None) as (url, captured):
        async with environment(server, url, kind) as id:
            link = await server.create_link(id)
            thief = await Visitor.of(server, link)
            victim = await Visitor.of(server, link if links == "one link" else await server.create_link(id))
            begun = b"POST /capture HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n"
            answer = await thief.ask(b"GET /page HTTP/1.1", b"Content-Length: %d" % len(begun), body=begun)
            assert answer.body == b"/page"
            # Longer than what is missing of the POST, so that it would be answered.
            answer = await victim.ask(b"GET /mine HTTP/1.1", b"X-Long: " + b"x" * 500, also=SECRET)
            assert answer.body == b"/mine"
            # An Odoo is looked at with POSTs of our own.
            assert not any(SECRET in each for each in captured)


@asynccontextmanager
async def played(server: Installation) -> AsyncIterator[tuple[RawUpstream, Visitor, Visitor]]:
    """An environment that a test plays, and two visitors of one link to it."""
    async with raw_upstream() as upstream, environment(server, upstream.url) as id:
        link = await server.create_link(id)
        yield upstream, await Visitor.of(server, link), await Visitor.of(server, link)


async def answered(visitor: Visitor, end: UpstreamEnd, client: RawClient) -> None:
    """One request of a visitor's, which must come on this connection."""
    client.send(visitor.request(b"GET /again HTTP/1.1"))
    assert (await end.head()).target == b"/again"
    end.send(OK)
    assert (await client.answer()).body == b"ok"


CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "fields", "body"),
    [
        (b"GET", (), b""),
        (b"GET", (b"Content-Length: 5",), b"hello"),
        (b"GET", (b"Transfer-Encoding: chunked",), CHUNKED),
        (b"HEAD", (), b""),
        (b"HEAD", (b"Content-Length: 5",), b"hello"),
        (b"OPTIONS", (b"Content-Length: 5",), b"hello"),
        (b"POST", (), b""),
        (b"POST", (b"Content-Length: 0",), b""),
        (b"POST", (b"Content-Length: 5",), b"hello"),
        (b"POST", (b"Content-Length: 5", b"Expect: 100-continue"), b"hello"),
        (b"DELETE", (b"Transfer-Encoding: chunked",), CHUNKED),
        (b"PROPFIND", (b"Content-Length: 5",), b"hello"),
        (b"GET", (b"Authorization: Negotiate YII=",), b""),
    ],
)
async def test_a_connection_is_used_again_for_the_same_visitor_and_for_no_other(
    server: Installation, method: bytes, fields: tuple[bytes, ...], body: bytes
) -> None:
    async with played(server) as (upstream, anna, bert):
        client, other = await anna.connect(), await bert.connect()
        client.send(anna.request(method + b" /first HTTP/1.1", *fields, body=body))
        end = await upstream.accept()
        await end.head()
        assert await end.read(len(body)) == body
        end.send(OK.removesuffix(b"ok") if method == b"HEAD" else OK)
        assert (await client.answer(to=method)).status == 200

        other.send(bert.request(b"GET /others HTTP/1.1"))
        of_other = await upstream.accept()
        assert (await of_other.head()).target == b"/others"
        of_other.send(OK)
        assert (await other.answer()).body == b"ok"

        await answered(anna, end, client)
        await answered(bert, of_other, other)
        # Also where a proxy sends the requests of many over one connection.
        await answered(bert, of_other, client)
        assert upstream.accepted == 2
        await client.close()
        await other.close()


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5",),
        (b"Transfer-Encoding: chunked",),
        (
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
    ],
    ids=["half a body", "chunks without an end", "a WebSocket that is refused"],
)
async def test_a_connection_on_which_something_may_still_be_expected_ends(
    server: Installation, fields: tuple[bytes, ...]
) -> None:
    async with played(server) as (upstream, anna, _):
        client = await anna.connect()
        client.send(anna.request(b"GET /early HTTP/1.1", *fields, body=b"he" if b"Length" in fields[0] else b""))
        end = await upstream.accept()
        await end.head()
        end.send(OK)
        assert (await client.answer()).body == b"ok"
        await end.gone()
        await client.close()


async def test_who_comes_without_a_pass_shares_with_nobody(server: Installation) -> None:
    async with raw_upstream() as upstream, environment(server, upstream.url) as id:
        link = await server.create_link(id)
        for number in range(1, 3):
            stranger = Visitor(server, link)
            client = await stranger.connect()
            client.send(stranger.request(b"GET %b HTTP/1.1" % stranger._path))
            end = await upstream.accept()
            await end.head()
            end.send(OK)
            assert (await client.answer()).body == b"ok"
            assert upstream.accepted == number
            await client.close()


class BoundSignIn:
    """A server that signs in connections, not requests, in three steps (MS-NTHT, RFC 4559)."""

    def __init__(self, scheme: bytes) -> None:
        self._scheme = scheme
        self._made = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._made += 1
        challenge = b"challenge-%d" % self._made
        challenged, user = False, b""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                said = b""
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"authorization: "):
                        said = line.partition(b" ")[2].partition(b" ")[2]
                offer = self._scheme
                if said == b"begin":
                    challenged, user, offer = True, b"", self._scheme + b" " + challenge
                elif said:
                    user = b"alice" if challenged and said == challenge else b""
                if user:
                    body = b"you are " + user
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                else:
                    asked = b"Basic realm=x, %b" % offer
                    writer.write(b"HTTP/1.1 401 No\r\nWWW-Authenticate: %b\r\nContent-Length: 0\r\n\r\n" % asked)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.mark.parametrize("kind", ["web", "odoo"])
@pytest.mark.parametrize("scheme", [b"NTLM", b"Negotiate", b"nTlM"])
async def test_a_sign_in_of_a_connection_is_the_visitors_who_made_it(
    server: Installation, scheme: bytes, kind: str
) -> None:
    async with await asyncio.start_server(BoundSignIn(scheme).serve, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with environment(server, url, kind) as id:
            link = await server.create_link(id)
            alice, bert = await Visitor.of(server, link), await Visitor.of(server, link)
            clients = [await alice.connect() for _ in range(3)]

            async def say(client: RawClient, visitor: Visitor, said: bytes | None) -> Answer:
                fields = () if said is None else (b"Authorization: %b %b" % (scheme, said),)
                client.send(visitor.request(b"GET /whoami HTTP/1.1", *fields))
                return await client.answer()

            async def step(client: RawClient, said: bytes) -> bytes:
                answer = await say(client, alice, said)
                assert answer.status == 401
                return (answer.get(b"www-authenticate") or b"").rpartition(b" ")[2]

            # Browsers sign in on several connections at once, and each is challenged for itself.
            assert (await say(clients[0], alice, None)).status == 401
            challenges = [await step(client, b"begin") for client in clients]
            assert len(set(challenges)) == len(clients)
            for client, challenge in zip(clients, challenges, strict=True):
                answer = await say(client, alice, challenge)
                assert (answer.status, answer.body) == (200, b"you are alice")
            for client in reversed(clients):
                assert (await say(client, alice, None)).body == b"you are alice"
            for client in [await bert.connect(), *clients]:
                answer = await say(client, bert, None)
                assert (answer.status, answer.body) == (401, b"")
                await client.close()


@pytest.mark.parametrize("framing", ["counted", "chunked"])
async def test_our_own_application_reads_what_it_refuses(server: Installation, framing: str) -> None:
    """All who come to it share its connections: none of them may leave a body there."""
    host = urlsplit(server.admin_url).netloc.encode()
    asked = b"GET /api/environments HTTP/1.1\r\nHost: %b\r\nAuthorization: %b\r\n\r\n"
    bearer = server.client.headers["Authorization"].encode()
    begun = b"POST /api/environments HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n"
    if framing == "counted":
        body, field = begun, b"Content-Length: %d" % len(begun)
    else:
        body, field = b"%x\r\n%b\r\n0\r\n\r\n" % (len(begun), begun), b"Transfer-Encoding: chunked"
    for target in (b"POST /api/environments", b"GET /api/environments", b"DELETE /api/nowhere", b"POST /login"):
        refused, client = await RawClient.connect(server.admin_port), await RawClient.connect(server.admin_port)
        refused.send(target + b" HTTP/1.1\r\nHost: %b\r\n%b\r\n\r\n%b" % (host, field, body))
        assert (await refused.answer()).status in (401, 403, 404, 405, 415, 422)
        client.send(asked % (host, bearer))
        assert (await client.answer()).status == 200
        await refused.close()
        await client.close()
