"""Fetch assets from an Odoo with requests of our own, which hold nothing of any visitor."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from guestpass.odoo.assets.cache import FetchedAsset
from guestpass.odoo.fairness.fair_queue import RequestQueue
from guestpass.odoo.http.requests import FixedName
from guestpass.wire.connector import Connector, UpstreamOrigin
from guestpass.wire.response_reader import BrokenResponseError, ResponseReader

_HELD: Final = 1024 * 1024
"""Bytes that may wait to be read before the connection is paused."""


class _Connection(asyncio.Protocol):
    """Buffer what arrives, and pause the connection where about _HELD bytes wait."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._changed = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Buffer the bytes."""
        self._pieces.append(data)
        self._held += len(data)
        self._changed.set()
        if self._held > _HELD and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self._has_ended, self._error = True, error
        self._changed.set()

    async def read(self) -> bytes:
        """Return the next bytes; empty at the end. Raises BrokenResponseError if the connection broke."""
        while not self._pieces and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        if self._pieces:
            data = self._pieces.popleft()
            self._held -= len(data)
            if self._is_paused and not self._held:
                self._is_paused = False
                self.transport.resume_reading()
            return data
        if self._error is not None:
            raise BrokenResponseError(str(self._error))
        return b""


class _Turn:
    """Wait for a turn among the visitors' requests; a fetch is for all of them, so it counts for none."""

    visitor = None

    def __init__(self) -> None:
        self.came = asyncio.Event()

    def take_turn(self) -> None:
        """Go on."""
        self.came.set()


@asynccontextmanager
async def fetched(
    connector: Connector,
    origin: UpstreamOrigin,
    name: FixedName,
    path: bytes,
    fields: Sequence[tuple[bytes, bytes]],
    *,
    address: bytes,
    turns: RequestQueue,
) -> AsyncIterator[FetchedAsset]:
    """Send a GET of `path` with the fixed name and `fields`, and yield the response.

    `address` is the client's in Odoo's log. Raises UnreachableError, NoDescriptorError and BrokenResponseError.
    """
    turn = _Turn()
    if not turns.enter(turn):
        raise BrokenResponseError("too many requests wait")
    connection = None
    try:
        await turn.came.wait()
        connection = await connector.connect(origin, _Connection)
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        connection.transport.write(
            b"GET %b HTTP/1.1\r\nHost: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Proto: %b\r\n"
            b"Accept-Encoding: identity\r\nAccept: */*\r\nConnection: close\r\n%b\r\n"
            % (path, name.host, address, name.host, name.scheme, lines)
        )
        reader = ResponseReader(b"GET")
        head = None
        while head is None:
            head = reader.final_head(await _read_or_end(reader, connection))
        if head.status == 101:
            raise BrokenResponseError("it switched protocols without being asked")
        yield FetchedAsset(head, _body(reader, connection))
    finally:
        turns.leave(turn)
        if connection is not None:
            connection.transport.abort()


async def _body(reader: ResponseReader, connection: _Connection) -> AsyncIterator[bytes]:
    """Yield the body until it is complete; raises BrokenResponseError if it ends before."""
    data, at = reader.rest, 0
    while not reader.is_complete:
        if at < len(data):
            yield reader.read_body(data, at)
            at = reader.position
            if at < len(data):
                await asyncio.sleep(0)  # others first: each byte of payload may be a chunk
        else:
            data, at = await _read_or_end(reader, connection), 0


async def _read_or_end(reader: ResponseReader, connection: _Connection) -> bytes:
    """Return the next bytes; empty if the end of the connection completes the response. Raises BrokenResponseError."""
    data = await connection.read()
    if not data:
        reader.end()
    return data
