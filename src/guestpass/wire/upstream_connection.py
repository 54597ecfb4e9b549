"""One connection to an upstream: it serves one exchange at a time and tells it what arrives."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final, cast

from guestpass.wire.roles import Receiver
from guestpass.wire.socket_queues import UNREAD, has_bytes, has_ended
from guestpass.wire.write_buffer import FlushQueue, WriteBuffer

WRITE_BUFFER: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
CLOSE_SECONDS: Final = 30.0
"""How long an upstream may take for what is still to be written when its connection is closed."""
SLOW: Final = 1
"""Why an upstream is not read: the other side is slow to take what there is."""
FULL: Final = 2
"""Likewise: what it sent has yet to be looked at."""
HELD: Final = 4
"""Likewise: its response is held back."""


class UpstreamConnection(asyncio.Protocol):
    """The upstream's end. If anything arrives while it serves no exchange, it is closed."""

    __slots__ = ("_is_tls", "_out", "_socket", "_transport", "exchange", "idle_since", "lost", "pausing", "signs_in")

    def __init__(self, outbox: FlushQueue) -> None:
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._out = WriteBuffer(outbox)
        self._socket: socket.socket = cast("socket.socket", None)
        self._is_tls = False
        self.exchange: Receiver | None = None
        self.idle_since = 0.0
        self.lost = False
        self.pausing = 0
        self.signs_in = False  # a client signs in by NTLM or Negotiate (RFC 4559), which belongs to a connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._out.begin(self._transport)
        # Asked for once: the transport makes a new socket object each time.
        self._socket = transport.get_extra_info("socket")
        self._is_tls = transport.get_extra_info("ssl_object") is not None

    def data_received(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.from_upstream(data)
        else:
            self.abort()

    def eof_received(self) -> None:
        """Let the transport close behind what this turn had to send: nothing that follows could be answered."""
        self.lost = True
        self._out.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if error is not None:
            self._hand_over_what_arrived()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.upstream_lost(error)

    def _hand_over_what_arrived(self) -> None:
        """Read what came before a write failed.

        A server that wants no more of a body answers and closes, and the reset that follows its answer fails our
        next write, often before the answer was read. The kernel still has it. With TLS this was done below it, where
        the connection's end is seen before the socket is closed (`tls_transport`).
        """
        if self._is_tls:
            return
        try:
            while self.exchange is not None and (data := os.read(self._socket.fileno(), _PIECE)):
                self.exchange.from_upstream(data)
        except OSError:
            return  # There is no more.

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.hold_client()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.release_client()

    @property
    def has_unread_bytes(self) -> bool:
        """Whether bytes have arrived that were not read yet, be it by the kernel or by TLS."""
        return has_bytes(self._socket, UNREAD) or (self._is_tls and self._has_encrypted)

    @property
    def has_ended(self) -> bool:
        """Whether the upstream has closed or broken it by now, also where that was not read yet.

        True as well where bytes have arrived, behind which an end can't be seen.
        """
        if self._transport.is_closing() or has_ended(self._socket):
            return True
        return self._is_tls and self._has_encrypted

    @property
    def _has_encrypted(self) -> bool:
        """Whether TLS keeps bytes that it has read from the socket and not decrypted yet."""
        return bool(self._transport.get_extra_info("has_encrypted"))

    def write(self, data: bytes) -> None:
        """Send bytes of a request, or of a tunnel."""
        self._out.write(data)

    def pause_reading(self, why: int = SLOW) -> None:
        """Stop reading while there is such a reason."""
        if not self.pausing and not self.lost:
            self._transport.pause_reading()
        self.pausing |= why

    def resume_reading(self, why: int = SLOW) -> None:
        """Read on, unless there is another reason not to."""
        if self.pausing and not self.pausing & ~why and not self.lost:
            self._transport.resume_reading()
        self.pausing &= ~why

    def close(self) -> None:
        """Close after what is still to be written, or after CLOSE_SECONDS: an upstream may never take it."""
        self.lost = True
        self._out.close()
        if self._out.unsent:
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._out.abort)

    def abort(self) -> None:
        """Drop the connection at once."""
        self.lost = True
        self._out.abort()
