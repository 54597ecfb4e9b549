"""A WebSocket through the gateway's own protocols in memory: what each side says is bytes, and so is what it hears."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from tests.unit.gateway.playbook import LINK_ID, Playbook, Wire, playing, request
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection

from guestpass.domain.environment import Kind
from guestpass.domain.link import Access

MASK: Final = b"mask"
SMUGGLED: Final = request(b"GET /smuggled HTTP/1.1")
UPGRADE: Final = request(
    b"GET /websocket?version=18.0-1 HTTP/1.1",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
# RFC 6455, section 1.3, answers that key so.
SWITCHED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Behind(Enum):
    """What the link leads to, which decides how a tunnel is looked at."""

    WEB = "web"
    ODOO = "odoo"
    VIEW_ONLY = "view only"


def masked(first: int, payload: bytes, *, length: bytes | None = None) -> bytes:
    """A client's frame; `first` is its first byte, `length` what it says of its length in the truth's place."""
    if length is None:
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return bytes([first]) + length + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def plain(first: int, payload: bytes = b"", *, length: bytes | None = None) -> bytes:
    """A server's frame."""
    if length is None:
        length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2)
    return bytes([first]) + length + payload


@dataclass(slots=True)
class Tunnel:
    """Both ends, after the handshake or, where nothing was answered yet, before."""

    book: Playbook
    upstream: Wire

    @property
    def client(self) -> Wire:
        return self.book.client

    async def say(self, wire: Wire, data: bytes, *, by_bytes: bool = False) -> None:
        """Let bytes arrive from one side, as far as it is listened to."""
        for piece in [data[at : at + 1] for at in range(len(data))] if by_bytes else [data]:
            if not wire.is_closing():
                wire.deliver(piece)
            if not by_bytes:
                await self.book.settle()
        await self.book.settle()

    async def revoke(self) -> None:
        """The link ends."""
        self.book.end_link()
        await self.book.settle()

    async def has_ended(self) -> bool:
        """Whether both sides are over; bytes that still come are said by the client and must mean nothing."""
        client_over = self.client.lost or self.client.finished_writing
        before = len(self.book.upstreams), self.client.written, [wire.written for wire in self.book.upstreams]
        await self.say(self.client, SMUGGLED)
        await self.say(self.client, masked(0x81, b"more"))
        assert before == (len(self.book.upstreams), self.client.written, [wire.written for wire in self.book.upstreams])
        return client_over and all(wire.lost for wire in self.book.upstreams)


@asynccontextmanager
async def asking(behind: Behind, early: bytes = b"", upgrade: bytes = UPGRADE) -> AsyncIterator[Tunnel]:
    """A visitor who asks for a WebSocket, with bytes glued to the request, and an environment that has heard of it."""
    async with playing() as book:
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        if behind is not Behind.WEB:
            entry.environment = replace(entry.environment, kind=Kind.ODOO)
        if behind is Behind.VIEW_ONLY:
            entry.link = replace(entry.link, access=Access.READ_ONLY)
        book.client.deliver(upgrade + early)
        await book.settle()
        [upstream] = book.upstreams
        assert upstream.take().endswith(b"\r\n\r\n"), "nothing goes up before the 101"
        yield Tunnel(book, upstream)


@asynccontextmanager
async def tunnel(behind: Behind, early: bytes = b"", glued: bytes = b"") -> AsyncIterator[Tunnel]:
    """An open WebSocket; `glued` is what the environment says in one piece with its 101."""
    async with asking(behind, early) as asked:
        await asked.say(asked.upstream, SWITCHED + glued)
        head, end, rest = asked.client.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert end
        asked.client.written = rest
        yield asked


def closed_with(said: bytes) -> int | None:
    """The code of the Close at the end of a server's bytes, which must be whole frames; None without one."""
    reader = Connection(ConnectionType.CLIENT)
    reader.receive_data(said)
    codes = [event.code for event in reader.events() if isinstance(event, CloseConnection)]
    return int(codes[0]) if codes else None
