"""What an Odoo's module sends as an endless stream of events: it arrives at once, and nobody hoards it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from tests.gateway.raw_client import RawClient
from tests.installation import Installation
from tests.links.waiting import until
from tests.odoo.visitor import NAVIGATION

pytestmark = pytest.mark.asyncio(loop_scope="session")

VERSION = b'{"jsonrpc": "2.0", "id": 1, "result": {"server_version": "18.0"}}'
PIECE = b"data: " + b"x" * 65_528 + b"\n\n"
FAR_MORE_THAN_ANY_BUFFER = 1024


class Streaming:
    """As much of an Odoo as tells its version, and streams events as `events` lets it."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self.sent = 0
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /events "):
                await self._stream(writer)
            elif head.startswith(b"POST /web/webclient/version_info "):
                writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + VERSION)
            else:
                writer.write(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        try:
            while piece := await self.events.get():
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
        finally:
            self.left.set()


@asynccontextmanager
async def _listening(server: Installation, name: str) -> AsyncIterator[tuple[Streaming, RawClient]]:
    """A visitor's connection that streams the events."""
    odoo = Streaming()
    async with await asyncio.start_server(odoo.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        environment = await server.add_environment(name=name, url=f"http://127.0.0.1:{port}")
        link = await server.create_link(environment["id"])
        async with httpx2.AsyncClient(base_url=server.public_url) as web:
            assert (await web.get(link["url"], headers=NAVIGATION)).status_code == 303
            cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in web.cookies.jar)
        client = await RawClient.connect(server.public_port, receive_buffer=4096)
        host = server.public_url.partition("//")[2]
        client.send(
            f"GET /events HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        yield odoo, client
        await client.close()
        await server.client.delete(f"/api/environments/{environment['id']}")


async def test_each_event_arrives_before_the_next_one_is_made(server: Installation, tmp_path: Path) -> None:
    async with _listening(server, tmp_path.name) as (odoo, client):
        head = await client.head()
        assert head.get(b"content-type") == b"text/event-stream"
        assert head.get(b"content-encoding") is None
        for number in range(3):
            event = b"data: %d\n\n" % number
            odoo.events.put_nowait(event)
            assert await client.read(len(event) + 5) == b"%x\r\n%b\r\n" % (len(event), event)
        odoo.events.put_nowait(b"")


async def test_a_stream_waits_for_its_reader_and_ends_with_him(server: Installation, tmp_path: Path) -> None:
    async with _listening(server, tmp_path.name) as (odoo, client):
        await client.head()
        for _ in range(FAR_MORE_THAN_ANY_BUFFER):
            odoo.events.put_nowait(PIECE)
        seen = [0] * 50

        async def is_stuck_or_through() -> bool:
            seen.append(odoo.sent)
            return odoo.events.empty() or (odoo.sent > 0 and seen[-50] == odoo.sent)

        await until(is_stuck_or_through)
        assert not odoo.events.empty(), "all of it was taken for a reader who reads nothing"
        client.reset()
        async with asyncio.timeout(20):
            await odoo.left.wait()
