"""An Odoo on a playbook whose assets are kept in a real folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.gateway.exchanges import odoo
from tests.unit.gateway.playbook import Playbook, Wire, request

from guestpass.odoo.assets.cache import AssetCache

PATH = b"/web/static/img/favicon.ico"
GET = request(b"GET " + PATH + b" HTTP/1.1")


@asynccontextmanager
async def assets_of(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Playbook]:
    """A gateway whose one environment is an Odoo, with a running asset cache."""
    with ThreadPoolExecutor(2) as threads:
        cache = AssetCache(folder, size_limit=10**9, threads=threads, time=lambda: 1000.0)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(cache.run())
            async with odoo(monkeypatch, assets=cache) as book:
                await until(book, lambda: cache.is_running)
                try:
                    yield book
                finally:
                    running.cancel()


async def until(book: Playbook, holds: Callable[[], bool]) -> None:
    """Let threads and the loop go on until this holds."""
    async with asyncio.timeout(60):
        while not holds():
            await book.settle(1)


async def fetch(book: Playbook, asked: bytes = GET, client: Wire | None = None) -> Wire:
    """Let a client ask for an asset that the cache lacks; returns the connection over which it is fetched."""
    before = len(book.upstreams)
    (client or book.client).deliver(asked)
    await until(book, lambda: len(book.upstreams) > before and bool(book.upstreams[-1].written))
    return book.upstreams[-1]


def icon(body: bytes, *fields: bytes) -> bytes:
    """What Odoo answers for an asset."""
    lines = [
        b"HTTP/1.1 200 OK",
        b"Content-Type: image/x-icon",
        b'ETag: "1-%d"' % len(body),
        b"Cache-Control: public, max-age=604800",
        b"Content-Length: %d" % len(body),
        *fields,
    ]
    return b"\r\n".join([*lines, b"", body])


async def answer(book: Playbook, end: bytes, client: Wire | None = None) -> bytes:
    """What the client gets, up to bytes with which the answer ends."""
    client = client or book.client
    await until(book, lambda: client.written.endswith(end))
    return client.take()
