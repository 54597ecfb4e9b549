"""SIGTERM: what is under way ends as it should, nothing new begins, and the process ends with status 0."""

from __future__ import annotations

import asyncio
import signal

import pytest
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd
from tests.gateway.shared import OK, Shared, sharing
from tests.gateway.test_websocket import SWITCHED, handshake
from tests.installation import Installation, installation

MASKED_PING = b"\x89\x80\x01\x02\x03\x04"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _refuses_connections(server: Installation) -> None:
    """Return as soon as nobody can connect any more."""
    async with asyncio.timeout(60):
        while True:
            try:
                client = await RawClient.connect(server.public_port)
            except ConnectionError:
                return
            await client.close()
            await asyncio.sleep(0.01)


async def test_a_request_in_flight_is_answered_and_then_the_process_ends(upstream: RawUpstream) -> None:
    async with installation(workers=1) as server, sharing(server) as share:
        shared = await share(upstream)
        waiting, streaming, idle = [await shared.connect() for _ in range(3)]
        idle.send(b"GET / HTTP/1.1\r\nHost: " + shared.host + b"\r\n\r\n")
        assert (await idle.answer()).status == 401
        waiting.send(shared.get(b"/waiting"))
        waiting_end = await upstream.accept()
        await waiting_end.head()
        streaming.send(shared.get(b"/streaming"))
        streaming_end = await upstream.accept()
        await streaming_end.head()
        streaming_end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        assert (await streaming.head()).status == 200
        server.process.send_signal(signal.SIGTERM)
        assert await idle.rest() == b""
        await _refuses_connections(server)
        assert server.process.returncode is None
        waiting_end.send(OK)
        answer = await waiting.answer()
        assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")
        assert await waiting.rest() == b""
        streaming_end.send(b"half")
        assert await streaming.rest() == b"halfhalf"
        async with asyncio.timeout(60):
            assert await server.process.wait() == 0


async def _websocket(shared: Shared, upstream: RawUpstream) -> tuple[RawClient, UpstreamEnd]:
    """A WebSocket through the gateway: the visitor's end and the environment's."""
    socket = await shared.connect()
    socket.send(handshake(shared))
    end = await upstream.accept()
    await end.head()
    end.send(SWITCHED)
    assert (await socket.head()).status == 101
    return socket, end


async def test_websockets_and_event_streams_end_as_soon_as_nothing_else_is_under_way(upstream: RawUpstream) -> None:
    async with installation(workers=1, drain="5m") as server, sharing(server) as share:
        shared = await share(upstream)
        socket, end = await _websocket(shared, upstream)
        events, waiting = await shared.connect(), await shared.connect()
        events.send(shared.get(b"/events"))
        events_end = await upstream.accept()
        await events_end.head()
        events_end.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await events.head()
        waiting.send(shared.get(b"/waiting"))
        waiting_end = await upstream.accept()
        await waiting_end.head()
        server.process.send_signal(signal.SIGTERM)
        await _refuses_connections(server)
        end.send(b"\x81\x05still")
        assert await socket.read(7) == b"\x81\x05still"
        socket.send(MASKED_PING)
        assert await end.read(len(MASKED_PING)) == MASKED_PING
        events_end.send(b"data: still\n\n")
        assert await events.read(len(b"d\r\ndata: still\n\n\r\n")) == b"d\r\ndata: still\n\n\r\n"
        waiting_end.send(OK)
        assert (await waiting.answer()).body == b"ok"
        assert await _close_code(socket) == 1001
        await socket.gone()
        await end.gone()
        with pytest.raises(BrokenOffError):
            await events.read(len(b"0\r\n\r\n"))
        async with asyncio.timeout(60):
            assert await server.process.wait() == 0


async def test_a_websocket_is_closed_between_two_messages_and_not_within_one(upstream: RawUpstream) -> None:
    async with installation(workers=1, drain="5m") as server, sharing(server) as share:
        shared = await share(upstream)
        socket, end = await _websocket(shared, upstream)
        end.send(b"\x01\x03one\x80\x09tw")
        assert await socket.read(9) == b"\x01\x03one\x80\x09tw"
        server.process.send_signal(signal.SIGTERM)
        await _refuses_connections(server)
        end.send(b"o three")
        assert await socket.read(7) == b"o three"
        assert await _close_code(socket) == 1001
        async with asyncio.timeout(60):
            assert await server.process.wait() == 0


async def test_a_websocket_whose_message_never_ends_is_closed_with_the_drain(upstream: RawUpstream) -> None:
    async with installation(workers=1, drain="1s") as server, sharing(server) as share:
        shared = await share(upstream)
        socket, end = await _websocket(shared, upstream)
        end.send(b"\x81\x7dno end")
        assert await socket.read(8) == b"\x81\x7dno end"
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(BrokenOffError):
            await socket.read(1)
        async with asyncio.timeout(60):
            assert await server.process.wait() == 0


async def _close_code(socket: RawClient) -> int:
    """The code of the Close that comes next (RFC 6455, section 5.5.1)."""
    first, length = await socket.read(2)
    assert first == 0x88
    return int.from_bytes((await socket.read(length))[:2])


async def test_an_upload_in_flight_is_finished(upstream: RawUpstream) -> None:
    async with installation(workers=1) as server, sharing(server) as share:
        shared = await share(upstream)
        client = await shared.connect()
        client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: 8", body=b"half"))
        end = await upstream.accept()
        await end.head()
        server.process.send_signal(signal.SIGTERM)
        await _refuses_connections(server)
        client.send(b"half")
        assert await end.read(8) == b"halfhalf"
        end.send(OK)
        assert (await client.answer()).body == b"ok"
        async with asyncio.timeout(60):
            assert await server.process.wait() == 0


async def test_a_pipelined_request_that_had_not_begun_is_not_begun(upstream: RawUpstream) -> None:
    async with installation(workers=1) as server, sharing(server) as share:
        shared = await share(upstream)
        client = await shared.connect()
        client.send(shared.get(b"/1") + shared.get(b"/2"))
        end = await upstream.accept()
        await end.head()
        server.process.send_signal(signal.SIGTERM)
        await _refuses_connections(server)
        end.send(OK)
        assert (await client.answer()).get(b"connection") == b"close"
        assert await client.rest() == b""
        with pytest.raises(BrokenOffError):
            await end.head()
        async with asyncio.timeout(60):
            assert await server.process.wait() == 0
