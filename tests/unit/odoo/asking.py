"""Play requests to an Odoo, without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import Playbook, Wire, playing, request

from guestpass.domain.environment import Kind

GET = request(b"GET /odoo HTTP/1.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HANDSHAKE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Extensions: permessage-deflate",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)
HELLO = b"\x81\x82\x00\x00\x00\x00hi"
LARGE = b"x" * 3000


@asynccontextmanager
async def odoo(monkeypatch: pytest.MonkeyPatch, *, at_once: int = 10) -> AsyncIterator[Playbook]:
    environment = replace(playbook._ENVIRONMENT, kind=Kind.ODOO, max_concurrent=at_once)
    monkeypatch.setattr(playbook, "_ENVIRONMENT", environment)
    async with playing() as book:
        yield book


def post(*fields: bytes, body: bytes = b"", line: bytes = b"POST /upload HTTP/1.1") -> bytes:
    return request(line, *fields, body=body)


async def ask(book: Playbook, asked: bytes = GET, client: Wire | None = None) -> Wire:
    before = {id(wire): len(wire.written) for wire in book.upstreams}
    (client or book.client).deliver(asked)
    await book.settle()
    [upstream] = [wire for wire in book.upstreams if len(wire.written) > before.get(id(wire), 0)]
    return upstream


async def say(book: Playbook, wire: Wire, *pieces: bytes) -> bytes:
    for piece in pieces:
        wire.deliver(piece)
        await book.settle()
    return book.client.take()


def is_paused(wire: Wire) -> bool:
    return wire.is_paused


def status(said: bytes) -> int:
    return int(said[9:12])


def fields(said: bytes) -> list[bytes]:
    return said.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


def body_of(said: bytes) -> bytes:
    return said.partition(b"\r\n\r\n")[2]


def dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        assert body[int(size, 16) :].startswith(b"\r\n")
        body = body[int(size, 16) + 2 :]
    return whole
