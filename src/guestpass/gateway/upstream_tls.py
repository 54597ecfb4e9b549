"""TLS to upstreams, in such a way that nothing is lost of what has arrived when a connection ends.

A transport with TLS holds back what is still sealed, while its reader is paused or where the connection breaks, and
drops it at the connection's end. So something of ours stands below it, which sees that end first.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar, cast

P = TypeVar("P", bound=asyncio.Protocol)

_PIECE: Final = 64 * 1024


async def connect_with_tls(
    factory: Callable[[], P], address: str, port: int, *, context: ssl.SSLContext, server_hostname: str
) -> tuple[asyncio.Transport, P]:
    """A connection whose handshake is complete; raises OSError, of which ssl.SSLError is one."""
    loop = asyncio.get_running_loop()
    below, early = await loop.create_connection(_Early, address, port)
    if early.data or below.is_closing():
        below.abort()
        raise ConnectionResetError(errno.ECONNRESET, "it closed, or spoke, before TLS could begin")
    early = _Early()
    transport = await loop.start_tls(below, early, context, server_hostname=server_hostname)
    if transport is None or below.is_closing():
        below.abort()
        raise ConnectionResetError(errno.ECONNRESET, "it closed when TLS had begun")
    protocol = factory()
    below.set_protocol(_Below(below, transport, protocol))
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if early.data:
        protocol.data_received(early.data)
    return transport, protocol


class _Early(asyncio.Protocol):
    """Keeps what comes in the turns before the one that it is for is there."""

    def __init__(self) -> None:
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data


class _Below(asyncio.BufferedProtocol):
    """Between the connection and TLS: passes all on, the connection's end only after what arrived before it."""

    def __init__(self, transport: asyncio.Transport, tls: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        self._transport = transport
        self._tls = tls
        self._protocol = protocol
        self._layer = cast("asyncio.BufferedProtocol", transport.get_protocol())
        self._unsealed: ssl.SSLObject = tls.get_extra_info("ssl_object")

    def get_buffer(self, sizehint: int) -> memoryview:
        return cast("memoryview", self._layer.get_buffer(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        self._layer.buffer_updated(nbytes)

    def pause_writing(self) -> None:
        self._layer.pause_writing()

    def resume_writing(self) -> None:
        self._layer.resume_writing()

    def eof_received(self) -> bool | None:
        self._unseal()
        return self._layer.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._read_what_arrived()
            self._unseal()
        self._layer.connection_lost(exc)

    def _read_what_arrived(self) -> None:
        """Read what came before a write failed: the kernel still has it."""
        descriptor = self._transport.get_extra_info("socket").fileno()
        with suppress(OSError):
            while count := os.readv(descriptor, [self.get_buffer(_PIECE)]):
                self._layer.buffer_updated(count)

    def _unseal(self) -> None:
        """Hand over what TLS would have kept until the reader goes on, which can't be waited for any more."""
        with suppress(ssl.SSLError):
            while not self._tls.is_closing() and (data := self._unsealed.read(_PIECE)):
                self._protocol.data_received(data)
