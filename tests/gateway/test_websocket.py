"""WebSockets: only right handshakes, then a tunnel that holds and changes nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os

import pytest
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd, raw_upstream
from tests.gateway.shared import OK, Share, Shared

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3, answers that key so.
UPGRADE = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket")
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\nSec-WebSocket-Protocol: chat\r\n\r\n" % ACCEPT
)


def handshake(shared: Shared, target: bytes = b"/socket", *, version: bytes = b"13", key: bytes = KEY) -> bytes:
    return shared.get(target, *UPGRADE, b"Sec-WebSocket-Version: " + version, b"Sec-WebSocket-Key: " + key)


async def _tunnel(
    shared: Shared, upstream: RawUpstream, *, receive_buffer: int | None = None
) -> tuple[RawClient, UpstreamEnd]:
    client = await shared.connect(receive_buffer=receive_buffer)
    client.send(handshake(shared))
    end = await upstream.accept()
    await end.head()
    end.send(SWITCHED)
    assert (await client.head()).status == 101
    return client, end


async def test_a_right_handshake_opens_a_tunnel_both_ways(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    request = shared.get(
        b"/socket?x=1",
        *UPGRADE,
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + KEY,
        b"Sec-WebSocket-Protocol: chat, superchat",
        b"Sec-WebSocket-Extensions: permessage-deflate",
        b"Origin: http://" + shared.host,
    )
    client.send(request)
    end = await upstream.accept()
    head = await end.head()
    assert head.line == b"GET /socket?x=1 HTTP/1.1"
    assert head.get(b"connection") == b"Upgrade"
    assert head.get(b"upgrade") == b"websocket"
    assert head.get(b"sec-websocket-key") == KEY
    assert head.get(b"sec-websocket-version") == b"13"
    assert head.get(b"sec-websocket-protocol") == b"chat, superchat"
    assert head.get(b"sec-websocket-extensions") == b"permessage-deflate"
    assert head.get(b"origin") == b"http://" + shared.host
    end.send(SWITCHED + b"\x81\x05hello")
    answer = await client.head()
    assert answer.status == 101
    assert answer.get(b"connection") == b"Upgrade"
    assert answer.get(b"upgrade") == b"websocket"
    assert answer.get(b"sec-websocket-accept") == ACCEPT
    assert answer.get(b"sec-websocket-protocol") == b"chat"
    assert answer.get(b"content-length") is None
    assert await client.read(7) == b"\x81\x05hello"
    client.send(b"\x81\x85mask.....")
    assert await end.read(11) == b"\x81\x85mask....."
    end.send(b"\x89\x00")
    assert await client.read(2) == b"\x89\x00"


async def test_what_a_client_sends_before_the_101_is_held_until_then(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    early = [b"early frame, GET /smuggled HTTP/1.1\r\n\r\n", b"and more"]
    client.send(handshake(shared) + early[0])
    end = await upstream.accept()
    assert (await end.head()).raw.endswith(b"\r\n\r\n")
    client.send(early[1])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await end.read(1)
    end.send(SWITCHED)
    assert await end.read(len(b"".join(early))) == b"".join(early)
    assert (await client.head()).status == 101


async def test_what_a_client_sends_before_a_refusal_reaches_nobody(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(handshake(shared) + shared.get(b"/smuggled"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    answer = await client.answer()
    assert (answer.status, answer.body) == (403, b"no")
    assert answer.get(b"connection") == b"close"
    assert await client.rest() == b""
    with pytest.raises(BrokenOffError):
        await end.head()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(SWITCHED.replace(ACCEPT, KEY), id="another Accept"),
        pytest.param(SWITCHED.replace(b"Sec-WebSocket-Accept: %b\r\n" % ACCEPT, b""), id="no Accept"),
        pytest.param(SWITCHED.replace(b"Upgrade: websocket", b"Upgrade: h2c"), id="another protocol"),
        pytest.param(SWITCHED.replace(b"Connection: Upgrade", b"Connection: close"), id="no Connection"),
    ],
)
async def test_a_wrong_101_is_502(share: Share, upstream: RawUpstream, answer: bytes) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(handshake(shared))
    end = await upstream.accept()
    await end.head()
    end.send(answer)
    assert (await client.answer()).status == 502
    await end.gone()


async def test_a_handshake_that_the_environment_answers_as_a_page_is_relayed_and_closed(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(handshake(shared))
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    answer = await client.answer()
    assert (answer.status, answer.body, answer.get(b"connection")) == (200, b"ok", b"close")
    assert await client.rest() == b""
    await end.gone()


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        pytest.param(b"POST / HTTP/1.1", (*UPGRADE, b"Sec-WebSocket-Version: 13"), id="POST"),
        pytest.param(b"GET / HTTP/1.0", (*UPGRADE, b"Sec-WebSocket-Version: 13"), id="HTTP/1.0"),
        pytest.param(b"GET / HTTP/1.1", (*UPGRADE, b"Sec-WebSocket-Version: 8"), id="version 8"),
        pytest.param(b"GET / HTTP/1.1", UPGRADE, id="no version"),
        pytest.param(
            b"GET / HTTP/1.1", (*UPGRADE, b"Sec-WebSocket-Version: 13", b"Content-Length: 3"), id="with a body"
        ),
    ],
)
async def test_a_wrong_handshake_is_400(
    share: Share, upstream: RawUpstream, line: bytes, fields: tuple[bytes, ...]
) -> None:
    shared = await share(upstream)
    answer = await shared.ask(line, *fields, b"Sec-WebSocket-Key: " + KEY)
    assert answer.status == 400
    assert upstream.accepted == 0


@pytest.mark.parametrize("key", [b"", b"short", b"dGhlIHNhbXBsZSBub25jZQ", b"!" * 24, base64.b64encode(b"x" * 17)])
async def test_a_handshake_with_a_key_that_is_none_is_400(share: Share, upstream: RawUpstream, key: bytes) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(handshake(shared, key=key))
    assert (await client.answer()).status == 400
    assert upstream.accepted == 0


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param((b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), id="h2c"),
        pytest.param((b"Connection: Upgrade", b"Upgrade: TLS/1.0"), id="TLS"),
        pytest.param((b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"), id="no Connection"),
        pytest.param((b"Connection: Upgrade",), id="no Upgrade"),
    ],
)
async def test_other_upgrades_are_not_offered_on_and_the_request_goes_on(
    share: Share, upstream: RawUpstream, fields: tuple[bytes, ...]
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/", *fields))
    end = await upstream.accept()
    head = await end.head()
    assert head.get(b"upgrade") is None
    assert head.get(b"connection") is None
    end.send(OK)
    assert (await client.answer()).status == 200
    client.send(shared.get(b"/next"))
    assert (await end.head()).target == b"/next"


async def test_a_websocket_asked_for_by_another_origin_is_403(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(handshake(shared).replace(b"\r\n\r\n", b"\r\nOrigin: http://evil.example\r\n\r\n"))
    assert (await client.answer()).status == 403
    assert upstream.accepted == 0


async def test_an_environment_that_closes_its_websocket_closes_the_visitors(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client, end = await _tunnel(shared, upstream)
    end.send(b"\x88\x02\x03\xe8")
    await end.close()
    assert await client.rest() == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_last_words_of_an_environment_reach_a_visitor_who_is_still_sending(
    share: Share, upstream: RawUpstream, tls_upstream: RawUpstream, scheme: str
) -> None:
    """What the environment had not read when it closed makes a reset of that, and so would what we have not read."""
    upstream = upstream if scheme == "http" else tls_upstream
    shared = await share(upstream, tlsVerify=False)
    message = bytes([0x82, 0xFF]) + (64 * 1024).to_bytes(8) + b"mask" + bytes(64 * 1024)
    last_words = b"\x81\x03bye\x88\x02\x03\xe8"
    for _ in range(5):
        client, end = await _tunnel(shared, upstream)

        async def talk_until_told(client: RawClient = client) -> None:
            while True:
                await client.send_all(message)
                await asyncio.sleep(0)  # It listens, too: who sends 64 MiB more and does not is cut off.

        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(talk_until_told())
            await end.read(len(message))
            end.send(last_words)
            end.hang_up()
            assert await client.read(len(last_words)) == last_words
            talking.cancel()
        assert await client.rest() == b""


async def test_a_visitor_that_closes_a_websocket_closes_the_environments(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client, end = await _tunnel(shared, upstream)
    client.send(b"\x88\x82mask..")
    await client.close()
    assert await end.read(8) == b"\x88\x82mask.."
    await end.gone()


async def test_megabytes_pass_through_a_websocket_both_ways_at_once(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client, end = await _tunnel(shared, upstream)
    size = 8 * 1024 * 1024
    down, up = os.urandom(size), os.urandom(size)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.send_all(up))
        tasks.create_task(end.send_all(down))
        received_up = tasks.create_task(end.read(size))
        received_down = tasks.create_task(client.read(size))
    assert hashlib.sha256(received_up.result()).digest() == hashlib.sha256(up).digest()
    assert hashlib.sha256(received_down.result()).digest() == hashlib.sha256(down).digest()


async def test_deactivating_the_link_ends_its_websocket_and_no_other(share: Share, upstream: RawUpstream) -> None:
    async with raw_upstream() as other_upstream:
        shared, other = await share(upstream), await share(other_upstream)
        client, end = await _tunnel(shared, upstream)
        other_client, other_end = await _tunnel(other, other_upstream)
        await shared.server.deactivate(shared.environment["id"], shared.link["id"])
        await client.gone()
        await end.gone()
        other_client.send(b"still here")
        assert await other_end.read(10) == b"still here"


async def test_what_is_still_to_be_sent_of_a_websocket_that_was_closed_ends_with_the_link(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client, end = await _tunnel(shared, upstream, receive_buffer=4096)
    size = 900_000
    end.send(b"\x82\x7f" + size.to_bytes(8) + bytes(size) + b"\x88\x02\x03\xe8")
    await end.close()
    await shared.server.deactivate(shared.environment["id"], shared.link["id"])
    with pytest.raises(BrokenOffError):
        await client.read(size)


async def test_a_websocket_url_serves_websocket_paths_and_nothing_else(share: Share, upstream: RawUpstream) -> None:
    async with raw_upstream() as sockets:
        shared = await share(upstream, websocketUrl=sockets.url)
        client = await shared.connect()
        client.send(handshake(shared, b"/websocket?version=1"))
        end = await sockets.accept()
        assert (await end.head()).target == b"/websocket?version=1"
        end.send(SWITCHED)
        assert (await client.head()).status == 101
        other = await shared.connect()
        other.send(shared.get(b"/web"))
        assert (await (await upstream.accept()).head()).target == b"/web"
