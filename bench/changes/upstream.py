"""An application that answers every request at once, and keeps a WebSocket open until the other side ends it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
# What both sides of a handshake know (RFC 6455, section 1.3).
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """Its URL."""
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            fields = dict(
                line.partition(b": ")[::2] for line in (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            )
            if fields.get(b"upgrade") != b"websocket":
                writer.write(_OK)
                continue
            writer.write(_SWITCH % base64.b64encode(hashlib.sha1(KEY + _GUID, usedforsecurity=False).digest()))
            await reader.read(-1)
            break
    writer.close()


KEY = base64.b64encode(b"sixteen bytes...")
"""The one key of every handshake here."""
