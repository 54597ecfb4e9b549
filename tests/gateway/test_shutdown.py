"""SIGTERM: what is under way ends as it should, nothing new begins, and the process ends with status 0."""

from __future__ import annotations

import asyncio
import signal

import pytest
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import OK, sharing
from tests.gateway.test_websocket import SWITCHED, handshake
from tests.installation import Installation, installation

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _refuses_connections(server: Installation) -> None:
    """Return as soon as nobody can connect any more."""
    async with asyncio.timeout(10):
        while True:
            try:
                client = await RawClient.connect(server.public_port)
            except ConnectionError:
                return
            await client.close()
            await asyncio.sleep(0.01)


async def test_a_request_in_flight_is_answered_and_then_the_process_ends(upstream: RawUpstream) -> None:
    async with installation() as server, sharing(server) as share:
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
        async with asyncio.timeout(10):
            assert await server.process.wait() == 0


async def test_websockets_and_event_streams_are_closed_at_once(upstream: RawUpstream) -> None:
    async with installation() as server, sharing(server) as share:
        shared = await share(upstream)
        socket, events = await shared.connect(), await shared.connect()
        socket.send(handshake(shared))
        end = await upstream.accept()
        await end.head()
        end.send(SWITCHED)
        assert (await socket.head()).status == 101
        events.send(shared.get(b"/events"))
        events_end = await upstream.accept()
        await events_end.head()
        events_end.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await events.head()
        server.process.send_signal(signal.SIGTERM)
        await socket.gone()
        await end.gone()
        with pytest.raises(BrokenOffError):
            await events.read(len(b"0\r\n\r\n"))
        async with asyncio.timeout(10):
            assert await server.process.wait() == 0


async def test_an_upload_in_flight_is_finished(upstream: RawUpstream) -> None:
    async with installation() as server, sharing(server) as share:
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
        async with asyncio.timeout(10):
            assert await server.process.wait() == 0


async def test_a_pipelined_request_that_had_not_begun_is_not_begun(upstream: RawUpstream) -> None:
    async with installation() as server, sharing(server) as share:
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
        async with asyncio.timeout(10):
            assert await server.process.wait() == 0
