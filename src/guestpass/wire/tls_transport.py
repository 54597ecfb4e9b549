"""TLS between a plain transport and a protocol, with bounded buffers and little memory for idle connections.

asyncio's TLS and uvloop's keep a buffer of 256 KiB for each connection, decrypt all that has arrived in one step, and
drop what has not been sent when the time for a close is over (docs/decisions/0030).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, cast

from guestpass.wire.run_queue import RunQueue

SHUTDOWN_SECONDS: Final = 2.0
"""Seconds to wait for the peer's close after all data and our close have been sent."""
RECORDS_AT_ONCE: Final = 16
"""Records to decrypt in one step, however short they are."""
MOST_EMPTY_RECORDS: Final = 64
"""Records without data that a connection may send in all: a key update is one, and costs as much as a request."""

_HEADER: Final = 5
_RECORD_TYPES: Final = range(20, 25)
_LARGEST_RECORD: Final = _HEADER + 16 * 1024 + 2048
_LARGEST_DATA: Final = 16 * 1024
"""Bytes of one record, and bytes to encrypt at once: OpenSSL never shrinks its buffers."""
_SENT_AT_ONCE: Final = 128 * 1024
_HIGH_WATER: Final = 64 * 1024
"""Encrypted bytes that wait to be sent, from which on no more are encrypted."""


# All connections share these buffers, one after the other. What has to wait for another step is copied, so only
# upstreams, which send much and are few, are read in large pieces.
_READ: Final = memoryview(bytearray(256 * 1024))
_READ_OF_CLIENT: Final = _READ[: 64 * 1024]
_DATA: Final = memoryview(bytearray(RECORDS_AT_ONCE * _LARGEST_DATA))
_NO_PROTOCOL: Final = asyncio.Protocol()


class TlsTransport(asyncio.Transport, asyncio.BufferedProtocol):
    """The transport of a connection's protocol, and the protocol of its plain transport.

    With a `server_hostname` it is the TLS client.
    """

    __slots__ = (
        "_at",
        "_close_timer",
        "_empty_records",
        "_encrypted",
        "_failure",
        "_has_ended",
        "_has_sent_end",
        "_high",
        "_incoming",
        "_is_client",
        "_is_closing",
        "_is_established",
        "_is_held",
        "_is_lost",
        "_is_paused",
        "_is_queued",
        "_is_write_closed",
        "_loop",
        "_outgoing",
        "_pieces",
        "_plain",
        "_protocol",
        "_protocol_is_held",
        "_run_queue",
        "_start",
        "_tls",
        "_unencrypted",
        "_waiter",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        run_queue: RunQueue,
        context: ssl.SSLContext,
        protocol: asyncio.Protocol,
        *,
        server_hostname: str | None = None,
    ) -> None:
        super().__init__()
        self._loop = loop
        self._run_queue = run_queue
        self._protocol = protocol
        self._plain = cast("asyncio.Transport", None)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._is_client = server_hostname is not None
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=not self._is_client, server_hostname=server_hostname
        )
        self._waiter: asyncio.Future[None] = loop.create_future()
        self._is_established = False  # the handshake is complete
        self._encrypted: bytes | memoryview = b""  # what has arrived; `_at` bytes of it have been decrypted
        self._at = 0
        self._empty_records = 0
        self._is_paused = False
        self._is_queued = False  # to decrypt what is left
        self._has_ended = False  # the peer has closed its side
        self._pieces: deque[bytes] = deque()  # what is to be encrypted; of the first, from `_start` on
        self._start = 0
        self._unencrypted = 0  # bytes in all of them
        self._is_held = False  # the plain transport takes no more
        self._protocol_is_held = False
        self._high = _HIGH_WATER
        self._is_write_closed = False
        self._has_sent_end = False
        self._is_closing = False
        self._is_lost = False
        self._failure: Exception | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    async def shake_hands(self) -> None:
        """Wait until the handshake is complete; raises OSError, ssl.SSLError included."""
        await self._waiter

    # The plain transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        self._plain = cast("asyncio.Transport", transport)
        self._plain.set_write_buffer_limits(high=_HIGH_WATER)
        self._continue_handshake()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where to put what arrives."""
        return _READ if self._is_client else _READ_OF_CLIENT

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has arrived; drop it after a close."""
        if not self._is_closing:
            data = _READ[:nbytes]
            self._encrypted = bytes(self._encrypted[self._at :]) + data if self._encrypted else data
            self._at = 0
            self._decrypt()

    def eof_received(self) -> bool:
        """Note the end of the TCP stream, which most peers send without a TLS close; what we send may still be read."""
        self._end_of_peer()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol; from an upstream, after all that has arrived."""
        self._is_lost = True
        self._failure = self._failure or exc
        self._pieces.clear()
        self._unencrypted = 0
        if self._close_timer is not None:
            self._close_timer.cancel()
        if not self._is_established:
            self._fail(exc or ConnectionResetError("it closed within the handshake"))
        if exc is not None and self._is_established and self._is_client and not self._is_closing:
            self._read_what_arrived()
        else:
            self._stop_decrypting()
        if not self._end_of_record():
            self._lose()
        else:
            self._decrypt_later()

    def _read_what_arrived(self) -> None:
        """Read from the socket what came before a write failed."""
        descriptor = self._plain.get_extra_info("socket").fileno()
        pieces = [bytes(self._encrypted[self._at :])]
        with suppress(OSError):
            while count := os.readv(descriptor, [_READ]):
                pieces.append(bytes(_READ[:count]))
        self._encrypted, self._at = b"".join(pieces), 0

    def _lose(self) -> None:
        self._stop_decrypting()
        # Break the reference cycle, so that both are freed at once.
        protocol, self._protocol = self._protocol, _NO_PROTOCOL
        if self._is_established:
            protocol.connection_lost(self._failure)

    def pause_writing(self) -> None:
        """Encrypt no more than what waits already."""
        self._is_held = True

    def resume_writing(self) -> None:
        """Continue to encrypt."""
        self._is_held = False
        if self._has_sent_end:
            self._await_end()
            return
        self._encrypt()
        if self._protocol_is_held and self.get_write_buffer_size() <= self._high // 4:
            self._protocol_is_held = False
            self._protocol.resume_writing()

    # What arrives

    def _continue_handshake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_pending()
        except ssl.SSLError as error:
            self._break(error)
        else:
            self._send_pending()
            self._is_established = True
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._protocol.connection_made(self)

    def _decrypt(self) -> None:
        """Deliver the data of the next records; the rest waits for another step, after other connections."""
        failure: ssl.SSLError | None = None
        has_ended = False
        size = 0
        left = RECORDS_AT_ONCE
        try:
            while left and not has_ended and not self._is_closing and (end := self._end_of_record()):
                left -= 1
                self._incoming.write(memoryview(self._encrypted)[self._at : end])
                self._at = end
                if not self._is_established:
                    self._continue_handshake()
                elif (count := self._read_record(_DATA[size:])) is None:
                    has_ended = True
                else:
                    size += count
        except ssl.SSLError as error:
            failure = error
        is_left = self._at < len(self._encrypted) and bool(self._end_of_record())
        if not is_left or isinstance(self._encrypted, memoryview):
            self._encrypted = bytes(self._encrypted[self._at :])
            self._at = 0
        if size:
            self._protocol.data_received(bytes(_DATA[:size]))
        if failure is not None:
            self._break(failure)
        elif has_ended:
            self._end_of_peer()
        elif is_left:
            self._plain.pause_reading()
            self._decrypt_later()

    def _stop_decrypting(self) -> None:
        """Drop what has arrived and what will."""
        self._is_closing = True
        self._encrypted = b""
        self._at = 0

    def _end_of_record(self) -> int:
        """The end of the next record; 0 if it is incomplete."""
        data, at = self._encrypted, self._at
        if len(data) - at < _HEADER:
            return 0
        size = _HEADER + (data[at + 3] << 8 | data[at + 4])
        if data[at] not in _RECORD_TYPES or size > _LARGEST_RECORD:
            # Not a record; OpenSSL finds the right error for it.
            return min(len(data), at + _LARGEST_RECORD)
        return at + size if at + size <= len(data) else 0

    def _read_record(self, place: memoryview) -> int | None:
        """Decrypt a record; returns its length in bytes, None for the peer's close. Raises ssl.SSLError."""
        count = 0
        try:
            # It returns the count if it is given a buffer.
            count = cast("int", self._tls.read(_LARGEST_DATA, place))
            has_ended = not count
        except ssl.SSLZeroReturnError:
            has_ended = True
        except ssl.SSLWantReadError:
            has_ended = False
            self._empty_records += 1
            if self._empty_records > MOST_EMPTY_RECORDS:
                raise ssl.SSLError("too many records without data") from None
        self._send_pending()
        return None if has_ended else count

    def _decrypt_later(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self._run_queue.add(self)

    def run(self) -> None:
        """Decrypt the next records."""
        self._is_queued = False
        if not self._is_paused and not self._is_closing:
            try:
                self._decrypt()
            except Exception:
                self.abort()
                raise
            self._continue_reading()
        if self._is_lost and not self._end_of_record():
            self._lose()

    def _continue_reading(self) -> None:
        if not self._is_queued and not self._is_paused:
            if self._end_of_record():
                self._decrypt_later()
            elif not self._is_lost:
                self._plain.resume_reading()

    def _end_of_peer(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if not self._is_established:
            self._break(ConnectionResetError("it closed within the handshake"))
        elif self._is_closing:
            if self._has_sent_end:
                self._plain.close()
        elif not self._protocol.eof_received():
            self.close()

    def _break(self, error: OSError) -> None:
        """Abort the connection for an error in what arrived, after the TLS alert for it."""
        self._failure = error
        self._send_pending()
        self.abort()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Raise in `shake_hands`, unless nobody waits there any more."""
        if not self._waiter.done():
            self._waiter.set_exception(error)
            self._waiter.exception()

    # What is sent

    def _send_pending(self) -> None:
        """Send what OpenSSL has produced by itself: handshake messages, alerts, tickets."""
        if self._outgoing.pending and not self._plain.is_closing():
            self._plain.write(self._outgoing.read())

    def _encrypt(self) -> None:
        """Encrypt and send, as long as the plain transport takes it."""
        try:
            while self._pieces and not self._is_held and not self._plain.is_closing():
                self._plain.writelines(self._encrypt_some())
        except ssl.SSLError as error:
            self._break(error)
            return
        if self._is_write_closed and not self._pieces and not self._has_sent_end and not self._plain.is_closing():
            self._send_end()

    def _encrypt_some(self) -> list[bytes]:
        encrypted: list[bytes] = []
        size = 0
        pieces, encrypt, take = self._pieces, self._tls.write, self._outgoing.read
        while pieces and size < _SENT_AT_ONCE:
            piece, start = memoryview(pieces[0]), self._start
            end = min(len(piece), start + _SENT_AT_ONCE)
            for at in range(start, end, _LARGEST_DATA):
                encrypt(piece[at : min(at + _LARGEST_DATA, end)])
                encrypted.append(take())
            size += end - start
            self._start = end
            if end == len(piece):
                # Only now is its memory freed.
                self._unencrypted -= end
                self._start = 0
                pieces.popleft()
        return encrypted

    def _send_end(self) -> None:
        self._has_sent_end = True
        # It raises until the peer's close has arrived.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._send_pending()
        self._plain.write_eof()
        self._await_end()

    def _await_end(self) -> None:
        """Close SHUTDOWN_SECONDS after all has been sent; until then, the protocol's own time limits hold."""
        if not self._is_closing or self._close_timer is not None:
            return
        if self._has_ended:
            self._plain.close()
        elif self._plain.get_write_buffer_size():
            # So that `resume_writing` is called when nothing is left.
            self._plain.set_write_buffer_limits(high=0)
        else:
            self._close_timer = self._loop.call_later(SHUTDOWN_SECONDS, self._plain.close)

    # The protocol's side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; ignore what is written after a close."""
        if self._pieces or self._is_held or len(data) > _LARGEST_DATA:
            self.writelines((data,))
        elif data and not (self._is_closing or self._is_lost or self._is_write_closed):
            # The fast path: most responses.
            try:
                self._tls.write(data)
            except ssl.SSLError as error:
                self._break(error)
            else:
                self._plain.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces."""
        if self._is_closing or self._is_lost or self._is_write_closed:
            return
        for data in filter(None, list_of_data):
            self._pieces.append(cast("bytes", data))
            self._unencrypted += len(data)
        self._encrypt()
        if self._is_held and not self._protocol_is_held and self.get_write_buffer_size() > self._high:
            self._protocol_is_held = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Whether one side can be closed: in TLS it can."""
        return True

    def write_eof(self) -> None:
        """Close the sending side after what is still to be sent."""
        self._is_write_closed = True
        self._encrypt()

    def close(self) -> None:
        """Close after what is still to be sent, however long that takes."""
        if self._is_closing:
            return
        if self._is_lost:
            self.abort()
            return
        self._stop_decrypting()
        if self._has_sent_end or not self._is_established:
            self._plain.close()
            return
        # To receive the peer's close.
        self._plain.resume_reading()
        self.write_eof()

    def abort(self) -> None:
        """Drop the connection without a TLS close, so that nothing looks complete."""
        self._stop_decrypting()
        if self._is_lost:
            self._loop.call_soon(self._lose)
        elif cast("asyncio.Transport | None", self._plain) is not None:
            self._plain.abort()

    def is_closing(self) -> bool:
        """Whether what is written now would be dropped."""
        return self._is_closing or self._is_lost or self._plain.is_closing()

    def pause_reading(self) -> None:
        """Stop reading and decrypting."""
        self._is_paused = True
        self._plain.pause_reading()

    def resume_reading(self) -> None:
        """Continue, at the earliest in the next turn of the loop."""
        self._is_paused = False
        self._continue_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        """Pause the protocol from `high` bytes on, until a quarter of it is left."""
        self._high = _HIGH_WATER if high is None else high

    def get_write_buffer_size(self) -> int:
        """All bytes that wait, encrypted or not."""
        return self._unencrypted + self._outgoing.pending + self._plain.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """`ssl_object`, `has_encrypted` (whether encrypted bytes wait to be read), or what the plain transport has."""
        if name == "has_encrypted":
            return self._at < len(self._encrypted)
        return self._tls if name == "ssl_object" else self._plain.get_extra_info(name, default)
