"""TLS on both listeners: who gets in, how connections end, and how certificates are renewed."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from tests.cli.command import Guestpass
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd, raw_upstream
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.operate.certificates import trusting, write_pair
from tests.ports import reserve_ports
from tests.supervisor.processes import said, until_said

in_the_session = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Secured:
    """An installation that speaks TLS itself, and where its certificate lies."""

    server: Installation
    certificate: Path
    key: Path

    async def connect(self, stack: AsyncExitStack, *, receive_buffer: int | None = None) -> RawClient:
        connection = socket.socket()
        connection.setblocking(False)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.server.public_port))
        client = RawClient(
            *await asyncio.open_connection(
                sock=connection, ssl=trusting(self.certificate), server_hostname="127.0.0.1", limit=2**16
            )
        )
        stack.push_async_callback(client.close)
        return client

    async def serial(self) -> int:
        """The serial number of the certificate that a new connection is shown."""
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", self.server.public_port))
        return x509.load_pem_x509_certificate(pem.encode()).serial_number


@dataclass(frozen=True)
class Opened:
    """A link to a raw upstream that a visitor has opened over TLS."""

    secured: Secured
    environment: dict[str, Any]
    link: dict[str, Any]
    cookie: bytes

    def head(self, line: bytes, *fields: bytes) -> bytes:
        host = b"Host: 127.0.0.1:%d" % self.secured.server.public_port
        return b"\r\n".join([line, host, b"Cookie: " + self.cookie, *fields, b"", b""])

    async def ask(
        self, upstream: RawUpstream, stack: AsyncExitStack, request: bytes, *, receive_buffer: int | None = None
    ) -> tuple[RawClient, UpstreamEnd]:
        """A connection on which the request was sent, and the one on which its head has reached the upstream."""
        client = await self.secured.connect(stack, receive_buffer=receive_buffer)
        client.send(request)
        end = await upstream.accept()
        await end.head()
        return client, end


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    write_pair(certificate, key, days=5)
    async with installation(
        workers=1, trust=trusting(certificate), tls_cert=str(certificate), tls_key=str(key)
    ) as server:
        yield Secured(server, certificate, key)


@pytest_asyncio.fixture(loop_scope="session")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream() as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session")
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as closing:
        yield closing


@pytest_asyncio.fixture(loop_scope="session")
async def opened(secured: Secured, upstream: RawUpstream, stack: AsyncExitStack) -> Opened:
    return await open_link(secured, upstream, stack)


async def open_link(secured: Secured, upstream: RawUpstream, stack: AsyncExitStack) -> Opened:
    server = secured.server
    environment = await server.add_environment(name="Secured", url=upstream.url, kind="web", bodyLimit=1_000_000)
    link = await server.create_link(environment["id"])
    assert link["url"].startswith(f"https://127.0.0.1:{server.public_port}/share/")
    client = await secured.connect(stack)
    path = link["url"].removeprefix(server.public_url)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.public_port}\r\nSec-Fetch-Mode: navigate\r\n\r\n"
    client.send(request.encode())
    [cookie] = (await client.answer()).all(b"set-cookie")
    assert b"; Secure" in cookie
    return Opened(secured, environment, link, cookie.partition(b";")[0])


@in_the_session
async def test_a_connection_serves_one_request_after_the_other(
    opened: Opened, secured: Secured, upstream: RawUpstream, stack: AsyncExitStack
) -> None:
    client = await secured.connect(stack)
    client.send(opened.head(b"GET /1 HTTP/1.1"))
    end = await upstream.accept()
    for number in (1, 2):
        if number == 2:
            client.send(opened.head(b"GET /2 HTTP/1.1"))
        head = await end.head()
        assert (head.target, head.get(b"x-forwarded-proto")) == (b"/%d" % number, b"https")
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await client.answer()).body == b"ok"


def test_old_versions_of_tls_and_plain_http_are_refused(secured: Secured) -> None:
    old = trusting(secured.certificate)
    # Willing to speak what the client's own OpenSSL would refuse otherwise.
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    for port in (secured.server.public_port, secured.server.admin_port):
        with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(plain, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.settimeout(60)
            plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert not plain.recv(1000).startswith(b"HTTP/")


# Of the first the environment still holds a part; all of the second waits in our buffers and the kernel's.
@pytest.mark.parametrize("size", [8_000_000, 900_000])
@in_the_session
async def test_an_answer_that_waits_for_a_slow_reader_is_broken_off_when_its_link_ends(
    opened: Opened, secured: Secured, upstream: RawUpstream, stack: AsyncExitStack, size: int
) -> None:
    client, end = await opened.ask(upstream, stack, opened.head(b"GET /large HTTP/1.1"), receive_buffer=4096)
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    assert (await client.head()).status == 200
    await secured.server.deactivate(opened.environment["id"], opened.link["id"])
    with pytest.raises(BrokenOffError):
        await client.read(size)


# How much systems keep in between varies; with one of these sizes it is the end that waits in the gateway.
SIZES = range(600_000, 6_000_000, 900_000)
SOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@dataclass(frozen=True)
class Slow:
    """A visitor who has read the head of an answer, and of all that follows it nothing so far."""

    client: RawClient
    awaits: bytes

    async def reads_all(self) -> None:
        assert await self.client.read(len(self.awaits)) == self.awaits
        assert await self.client.rest() == b""


def answer_of(size: int, *, length: bool) -> tuple[bytes, bytes]:
    """An answer and its body, of which no part looks like its neighbour."""
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    told = b"Content-Length: %d\r\n" % size if length else b""
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + told + b"\r\n" + body, body


async def slow(
    opened: Opened, upstream: RawUpstream, stack: AsyncExitStack, request: bytes, answer: bytes, awaits: bytes
) -> Slow:
    """Ask, and let the environment answer and close."""
    client, end = await opened.ask(upstream, stack, request, receive_buffer=4096)
    end.send(answer)
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    tasks.create_task(end.close())
    assert (await client.head()).status in {101, 200}
    return Slow(client, awaits)


async def closing_answers(opened: Opened, upstream: RawUpstream, stack: AsyncExitStack) -> list[Slow]:
    """Visitors whose connections end with what they have been sent, in each of the ways and sizes."""
    waiting = []
    for size in SIZES:
        for line, fields, length in (
            (b"GET /counted HTTP/1.0", (), True),
            (b"GET /uncounted HTTP/1.0", (), False),
            (b"GET /closed HTTP/1.1", (b"Connection: close",), True),
        ):
            answer, body = answer_of(size, length=length)
            waiting.append(await slow(opened, upstream, stack, opened.head(line, *fields), answer, body))
        messages = b"\x82\x7f" + size.to_bytes(8) + bytes(size) + b"\x88\x02\x03\xe8"
        request = opened.head(b"GET /socket HTTP/1.1", *SOCKET)
        waiting.append(await slow(opened, upstream, stack, request, SWITCHED + messages, messages))
    return waiting


@in_the_session
async def test_what_a_slow_reader_is_sent_before_its_connection_ends_arrives_however_long_it_takes(
    opened: Opened, secured: Secured, upstream: RawUpstream, stack: AsyncExitStack
) -> None:
    late = await secured.connect(stack)
    late.send(b"GET")
    waiting = await closing_answers(opened, upstream, stack)
    # Who is late with a head has ten seconds; for so long the others take nothing.
    assert (await late.answer()).status == 408
    for each in waiting:
        await each.reads_all()


@in_the_session
async def test_a_shutdown_waits_for_slow_readers(tmp_path: Path, upstream: RawUpstream, stack: AsyncExitStack) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_pair(certificate, key)
    server = await stack.enter_async_context(
        installation(workers=1, trust=trusting(certificate), tls_cert=str(certificate), tls_key=str(key), drain="60s")
    )
    opened = await open_link(Secured(server, certificate, key), upstream, stack)
    silent = await RawClient.connect(server.public_port)
    stack.push_async_callback(silent.close)
    waiting = []
    for size in SIZES:
        answer, body = answer_of(size, length=True)
        waiting.append(await slow(opened, upstream, stack, opened.head(b"GET /large HTTP/1.1"), answer, body))
    server.process.send_signal(signal.SIGTERM)
    # Who does not shake hands has ten seconds.
    await silent.gone()
    for each in waiting:
        await each.reads_all()
    async with asyncio.timeout(60):
        assert await server.process.wait() == 0


@in_the_session
async def test_an_answer_without_a_length_never_looks_whole_to_a_client_that_leaves_early(
    opened: Opened, upstream: RawUpstream, stack: AsyncExitStack
) -> None:
    client, end = await opened.ask(upstream, stack, opened.head(b"GET /uncounted HTTP/1.0"))
    end.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert (await client.head()).status == 200
    client.shut_down_tcp()
    with pytest.raises(BrokenOffError):
        await client.rest()


@in_the_session
async def test_a_refusal_arrives_although_the_body_is_still_being_sent(
    opened: Opened, secured: Secured, stack: AsyncExitStack
) -> None:
    client = await secured.connect(stack)
    client.send(opened.head(b"POST /upload HTTP/1.1", b"Content-Length: 900000000") + b"x" * 500_000)
    answer = await client.answer(to=b"POST")
    assert (answer.status, answer.get(b"connection")) == (413, b"close")
    await client.gone()


@in_the_session
async def test_an_environments_close_reaches_a_visitor_who_is_still_sending(
    opened: Opened, upstream: RawUpstream, stack: AsyncExitStack
) -> None:
    client, end = await opened.ask(upstream, stack, opened.head(b"GET /socket HTTP/1.1", *SOCKET))
    end.send(SWITCHED)
    assert (await client.head()).status == 101
    message = bytes([0x82, 0xFF]) + (64 * 1024).to_bytes(8) + b"mask" + bytes(64 * 1024)

    async def talk_until_told() -> None:
        while True:
            await client.send_all(message)
            await asyncio.sleep(0)  # It listens, too: who sends 64 MiB more and does not is cut off.

    async with asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(talk_until_told())
        await end.read(len(message))
        end.send(b"\x88\x02\x03\xe8")
        end.hang_up()
        assert await client.read(4) == b"\x88\x02\x03\xe8"
        talking.cancel()
    assert await client.rest() == b""


@in_the_session
async def test_a_client_that_ends_its_half_ends_the_connection_and_disturbs_nobody(
    opened: Opened, secured: Secured, upstream: RawUpstream, stack: AsyncExitStack
) -> None:
    client, end = await opened.ask(upstream, stack, opened.head(b"GET /waiting HTTP/1.1"))
    client.shut_down_tcp()
    await end.gone()
    assert "eof_received" not in secured.server.log


@in_the_session
async def test_who_never_shakes_hands_is_let_go_and_holds_nobody_up(secured: Secured) -> None:
    silent = await RawClient.connect(secured.server.public_port)
    assert (await secured.server.client.get("/readyz")).status_code == 200
    # The time limit is ten seconds.
    assert await silent.rest(60) == b""
    await silent.close()


@in_the_session
async def test_a_renewed_certificate_is_used_without_a_restart_and_a_wrong_one_is_not(
    opened: Opened, secured: Secured, upstream: RawUpstream, stack: AsyncExitStack, tmp_path: Path
) -> None:
    before = await secured.connect(stack)

    async def is_shown() -> bool:
        return await secured.serial() == 2

    write_pair(secured.certificate, secured.key, days=90, serial=2)
    await until(is_shown, 60)
    line = await until_said(secured.server, "certificate_reloaded")
    assert "expires_at" in line
    # A connection of before goes on with what it has.
    before.send(opened.head(b"GET /on HTTP/1.1"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\non")
    assert (await before.answer()).body == b"on"

    write_pair(tmp_path / "other.pem", secured.key, serial=3)
    line = await until_said(secured.server, "certificate_unusable")
    assert "don't belong together" in line["cause"]
    assert await secured.serial() == 2


def test_the_log_says_that_a_certificate_expires_soon(secured: Secured) -> None:
    [line] = said(secured.server, "certificate_expires")
    assert line["days_left"] == 4
    assert line["file"] == str(secured.certificate)


@in_the_session
async def test_owners_are_told_so_too(secured: Secured) -> None:
    write_pair(secured.certificate, secured.key, days=5, serial=4)
    answer = await secured.server.client.get("/api/installation")
    assert "certificate_expires" in {finding["code"] for finding in answer.json()["findings"]}


@in_the_session
async def test_stopping_waits_for_nobody_who_has_not_shaken_hands(secured: Secured) -> None:
    silent = await RawClient.connect(secured.server.public_port)
    assert await secured.server.stop() == 0
    await silent.gone()
    await silent.close()


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("a.pem", "b.key", "don't belong together"),
        ("none.pem", "a.key", "GUESTPASS_TLS_CERT"),
        ("a.pem", "none.key", "GUESTPASS_TLS_KEY"),
        ("a.key", "a.pem", "PEM"),
        ("a.pem", "", "GUESTPASS_TLS_KEY is not set"),
        ("", "a.key", "GUESTPASS_TLS_CERT is not set"),
    ],
)
def test_a_pair_that_cannot_be_used_is_said_at_the_start(
    tmp_path: Path, certificate: str, key: str, words: str
) -> None:
    for name in "ab":
        write_pair(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    public, admin = reserve_ports(2)
    paths = {"TLS_CERT": certificate, "TLS_KEY": key}
    variables = {"LISTEN": f"127.0.0.1:{public}", "ADMIN_LISTEN": f"127.0.0.1:{admin}"} | {
        name: str(tmp_path / path) for name, path in paths.items() if path
    }
    guestpass = Guestpass(tmp_path / "data", {f"GUESTPASS_{name}": value for name, value in variables.items()})
    told = guestpass.refuse(2, "serve")
    assert words in told
    assert told.count("\n") == 1
    assert not guestpass.data_dir.exists()
