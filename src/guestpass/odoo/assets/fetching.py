"""Ask an Odoo for an asset on our own account: nothing of any visitor is in the request."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from guestpass.odoo.assets.cache import FetchedAsset
from guestpass.odoo.fairness.fair_queue import RequestQueue
from guestpass.odoo.http.requests import FixedName
from guestpass.wire.chunked import ChunkedDecoder
from guestpass.wire.connector import Connector, UpstreamOrigin
from guestpass.wire.heads import MAX_HEAD, MAX_INTERIM, ResponseHead, read_response_head

_END: Final = b"\r\n\r\n"
_HELD: Final = 1024 * 1024


class BrokenAnswerError(Exception):
    """The answer is not whole, or no answer at all."""


class _Reading(asyncio.Protocol):
    """Bytes as they come, at most some _HELD of them ahead of who reads."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._more = asyncio.Event()
        self._over = False
        self._error: Exception | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hold the bytes, and the upstream where there are many."""
        self._pieces.append(data)
        self._held += len(data)
        self._more.set()
        if self._held > _HELD and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing more will come."""
        self._over, self._error = True, error
        self._more.set()

    async def read(self) -> bytes:
        """The next bytes; empty at a clean end. Raises BrokenAnswerError where the connection broke."""
        while not self._pieces and not self._over:
            self._more.clear()
            await self._more.wait()
        if self._pieces:
            data = self._pieces.popleft()
            self._held -= len(data)
            if self._paused and not self._held:
                self._paused = False
                self.transport.resume_reading()
            return data
        if self._error is not None:
            raise BrokenAnswerError(str(self._error))
        return b""


class _Turn:
    """Waits for a turn among the visitors' requests; fetches are for all of them, so they are nobody's."""

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
    """Odoo's answer to a GET of `path` with the fixed name and `fields`.

    `address` is what Odoo's log shows as the client. Raises UnreachableError and BrokenAnswerError.
    """
    turn = _Turn()
    if not turns.enter(turn):
        raise BrokenAnswerError("too many requests wait")
    reading = None
    try:
        await turn.came.wait()
        reading = await connector.connect(origin, _Reading)
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        reading.transport.write(
            b"GET %b HTTP/1.1\r\nHost: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Proto: %b\r\n"
            b"Accept-Encoding: identity\r\nAccept: */*\r\nConnection: close\r\n%b\r\n"
            % (path, name.host, address, name.host, name.scheme, lines)
        )
        head, rest = await _read_head(reading)
        yield FetchedAsset(head, _body(head, rest, reading))
    finally:
        turns.leave(turn)
        if reading is not None:
            reading.transport.abort()


async def _read_head(reading: _Reading) -> tuple[ResponseHead, bytes]:
    data = b""
    interim = 0
    while True:
        end = data.find(_END)
        if 0 <= end <= MAX_HEAD:
            try:
                head = read_response_head(data[: end + len(_END)])
            except ValueError as error:
                raise BrokenAnswerError(str(error)) from None
            data = data[end + len(_END) :]
            if head.status >= 200:
                return head, data
            interim += 1
            if interim > MAX_INTERIM:
                raise BrokenAnswerError(f"more than {MAX_INTERIM} interim answers")
            continue
        if len(data) > MAX_HEAD:
            raise BrokenAnswerError("an endless head")
        more = await reading.read()
        if not more:
            raise BrokenAnswerError("no answer")
        data += more


async def _body(head: ResponseHead, data: bytes, reading: _Reading) -> AsyncIterator[bytes]:
    """The body; ends where it is complete and raises BrokenAnswerError where it is not."""
    decoder = ChunkedDecoder() if head.chunked else None
    left = head.content_length
    while True:
        if decoder is not None:
            at = 0
            while at < len(data) and not decoder.done:
                yield b"".join(decoder.feed(data, at))
                at = decoder.position
                await asyncio.sleep(0)  # others first: a byte of payload may be a chunk
            if decoder.done:
                return
        elif left is not None:
            data = data[:left]
            left -= len(data)
            if data:
                yield data
            if not left:
                return
        elif data:
            yield data
        data = await reading.read()
        if not data:
            if decoder is None and left is None:
                return
            raise BrokenAnswerError("the body was cut off")
