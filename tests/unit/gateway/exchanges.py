"""Play requests and their responses on a playbook: to an environment of kind `web`, or to an Odoo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import Playbook, Wire, playing, request

from guestpass.domain.environment import Kind

GET = request(b"GET / HTTP/1.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HANDSHAKE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)
HELLO = b"\x81\x82\x00\x00\x00\x00hi"
LARGE = b"x" * 3000


@asynccontextmanager
async def odoo(monkeypatch: pytest.MonkeyPatch, *, at_once: int = 10, **given: Any) -> AsyncIterator[Playbook]:
    """A gateway whose one environment is an Odoo, which is asked `at_once` requests at a time.

    `given` is what `playing` takes besides.
    """
    environment = replace(playbook._ENVIRONMENT, kind=Kind.ODOO, max_concurrent=at_once)
    monkeypatch.setattr(playbook, "_ENVIRONMENT", environment)
    async with playing(**given) as book:
        yield book


def post(*fields: bytes, body: bytes = b"", line: bytes = b"POST /upload HTTP/1.1") -> bytes:
    return request(line, *fields, body=body)


async def ask(book: Playbook, asked: bytes = GET, client: Wire | None = None) -> Wire:
    """Let the client send this; returns the environment's connection that serves it."""
    before = {id(wire): len(wire.written) for wire in book.upstreams}
    (client or book.client).deliver(asked)
    await book.settle()
    [upstream] = [wire for wire in book.upstreams if len(wire.written) > before.get(id(wire), 0)]
    return upstream


async def deliver(book: Playbook, wire: Wire, *pieces: bytes) -> bytes:
    """Let these pieces arrive on a wire; returns what the client was sent meanwhile."""
    for piece in pieces:
        wire.deliver(piece)
        await book.settle()
    return book.client.take()


def is_paused(wire: Wire) -> bool:
    """A call, since mypy takes an attribute to stay what it was."""
    return wire.is_paused


def status_of(response: bytes) -> int:
    return int(response[9:12])


def fields_of(response: bytes) -> list[bytes]:
    return response.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


def body_of(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


def dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        assert body[int(size, 16) :].startswith(b"\r\n")
        body = body[int(size, 16) + 2 :]
    return whole
