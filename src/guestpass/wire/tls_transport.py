"""TLS between a plain transport and a connection's protocol: what waits is counted, and what is idle keeps little.

asyncio's TLS and uvloop's keep a buffer of 256 KiB for each connection, unseal whatever has arrived in one go, and drop
what has not left when the time for a close is over (docs/decisions/0030).
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
"""How long the other side's end is waited for when a connection is closed, once all that was sent has left."""
RECORDS_AT_ONCE: Final = 16
"""Records that are unsealed in one step, however little each of them holds."""
MOST_EMPTY_RECORDS: Final = 64
"""Records without data, in all, that a connection may bring. New keys are such a one, and cost as much as a request."""

_HEADER: Final = 5
_RECORD_TYPES: Final = range(20, 25)
_LARGEST_RECORD: Final = _HEADER + 16 * 1024 + 2048
_LARGEST_DATA: Final = 16 * 1024
"""Bytes of one record, and what is sealed at once: OpenSSL does not give back what its buffers have grown to."""
_SENT_AT_ONCE: Final = 128 * 1024
_HIGH_WATER: Final = 64 * 1024
"""Sealed bytes that wait for the system, from which on no more are sealed."""


# All connections read and unseal in the same places, one after the other. What has to wait for another step is copied,
# so much is read at once from upstreams only, which say much and are few.
_READ: Final = memoryview(bytearray(256 * 1024))
_READ_OF_CLIENT: Final = _READ[: 64 * 1024]
_DATA: Final = memoryview(bytearray(RECORDS_AT_ONCE * _LARGEST_DATA))
_NOBODY: Final = asyncio.Protocol()


class TlsTransport(asyncio.Transport, asyncio.BufferedProtocol):
    """What a connection's protocol sees as its transport, and the protocol that the plain transport sees.

    With a `server_hostname` this is the client's side.
    """

    __slots__ = (
        "_at",
        "_empty_records",
        "_failure",
        "_farewell",
        "_has_ended",
        "_has_said_end",
        "_high",
        "_incoming",
        "_is_client",
        "_is_closing",
        "_is_held",
        "_is_lost",
        "_is_paused",
        "_is_queued",
        "_loop",
        "_outgoing",
        "_pieces",
        "_plain",
        "_protocol",
        "_protocol_is_held",
        "_run_queue",
        "_sealed",
        "_sends_no_more",
        "_stands",
        "_start",
        "_tls",
        "_unsealed",
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
        self._stands = False  # the handshake is complete
        self._sealed: bytes | memoryview = b""  # what has arrived; `_at` bytes of it have been unsealed
        self._at = 0
        self._empty_records = 0
        self._is_paused = False
        self._is_queued = False  # to unseal what is left
        self._has_ended = False  # the other side has said its end
        self._pieces: deque[bytes] = deque()  # what is to be sealed; of the first, from `_start` on
        self._start = 0
        self._unsealed = 0  # bytes in all of them
        self._is_held = False  # the plain transport takes no more
        self._protocol_is_held = False
        self._high = _HIGH_WATER
        self._sends_no_more = False
        self._has_said_end = False
        self._is_closing = False
        self._is_lost = False
        self._failure: Exception | None = None
        self._farewell: asyncio.TimerHandle | None = None

    async def shake_hands(self) -> None:
        """Return when the handshake is complete; raises OSError, of which ssl.SSLError is one."""
        await self._waiter

    # The plain transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the handshake."""
        self._plain = cast("asyncio.Transport", transport)
        self._plain.set_write_buffer_limits(high=_HIGH_WATER)
        self._go_on_with_handshake()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where to put what arrives."""
        return _READ if self._is_client else _READ_OF_CLIENT

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has arrived; after a close nobody wants it."""
        if not self._is_closing:
            data = _READ[:nbytes]
            self._sealed = bytes(self._sealed[self._at :]) + data if self._sealed else data
            self._at = 0
            self._unseal()

    def eof_received(self) -> bool:
        """Take note of the end, which most who close don't announce; what is to be sent may still be wanted."""
        self._end_of_peer()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on behind all that has arrived, where that is an upstream's answer."""
        self._is_lost = True
        self._failure = self._failure or exc
        self._pieces.clear()
        self._unsealed = 0
        if self._farewell is not None:
            self._farewell.cancel()
        if not self._stands:
            self._fail(exc or ConnectionResetError("it closed within the handshake"))
        if exc is not None and self._stands and self._is_client and not self._is_closing:
            self._read_what_arrived()
        else:
            self._stop_unsealing()
        if not self._end_of_record():
            self._lose()
        else:
            self._unseal_later()

    def _read_what_arrived(self) -> None:
        """Read what came before a write failed: the system still has it."""
        descriptor = self._plain.get_extra_info("socket").fileno()
        pieces = [bytes(self._sealed[self._at :])]
        with suppress(OSError):
            while count := os.readv(descriptor, [_READ]):
                pieces.append(bytes(_READ[:count]))
        self._sealed, self._at = b"".join(pieces), 0

    def _lose(self) -> None:
        self._stop_unsealing()
        # Each knows the other, and both are to go with the last who needs them.
        protocol, self._protocol = self._protocol, _NOBODY
        if self._stands:
            protocol.connection_lost(self._failure)

    def pause_writing(self) -> None:
        """Seal no more than what waits already."""
        self._is_held = True

    def resume_writing(self) -> None:
        """Seal on."""
        self._is_held = False
        if self._has_said_end:
            self._await_end()
            return
        self._seal()
        if self._protocol_is_held and self.get_write_buffer_size() <= self._high // 4:
            self._protocol_is_held = False
            self._protocol.resume_writing()

    # What arrives

    def _go_on_with_handshake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_own()
        except ssl.SSLError as error:
            self._break(error)
        else:
            self._send_own()
            self._stands = True
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._protocol.connection_made(self)

    def _unseal(self) -> None:
        """Hand over what the next records hold; the others' turn comes after everybody else's."""
        failure: ssl.SSLError | None = None
        has_ended = False
        size = 0
        left = RECORDS_AT_ONCE
        try:
            while left and not has_ended and not self._is_closing and (end := self._end_of_record()):
                left -= 1
                self._incoming.write(memoryview(self._sealed)[self._at : end])
                self._at = end
                if not self._stands:
                    self._go_on_with_handshake()
                elif (count := self._read_record(_DATA[size:])) is None:
                    has_ended = True
                else:
                    size += count
        except ssl.SSLError as error:
            failure = error
        is_left = self._at < len(self._sealed) and bool(self._end_of_record())
        if not is_left or isinstance(self._sealed, memoryview):
            self._sealed = bytes(self._sealed[self._at :])
            self._at = 0
        if size:
            self._protocol.data_received(bytes(_DATA[:size]))
        if failure is not None:
            self._break(failure)
        elif has_ended:
            self._end_of_peer()
        elif is_left:
            self._plain.pause_reading()
            self._unseal_later()

    def _stop_unsealing(self) -> None:
        """Nobody wants it any more."""
        self._is_closing = True
        self._sealed = b""
        self._at = 0

    def _end_of_record(self) -> int:
        """Where the next record ends, once it is here as a whole; 0 before that."""
        data, at = self._sealed, self._at
        if len(data) - at < _HEADER:
            return 0
        size = _HEADER + (data[at + 3] << 8 | data[at + 4])
        if data[at] not in _RECORD_TYPES or size > _LARGEST_RECORD:
            # It is none, and OpenSSL knows what it is instead.
            return min(len(data), at + _LARGEST_RECORD)
        return at + size if at + size <= len(data) else 0

    def _read_record(self, place: memoryview) -> int | None:
        """Unseal a record; returns how many bytes it holds, None for the other side's end. Raises ssl.SSLError."""
        count = 0
        try:
            # It returns the count where it is given a place.
            count = cast("int", self._tls.read(_LARGEST_DATA, place))
            has_ended = not count
        except ssl.SSLZeroReturnError:
            has_ended = True
        except ssl.SSLWantReadError:
            has_ended = False
            self._empty_records += 1
            if self._empty_records > MOST_EMPTY_RECORDS:
                raise ssl.SSLError("too many records without data") from None
        self._send_own()
        return None if has_ended else count

    def _unseal_later(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self._run_queue.add(self)

    def run(self) -> None:
        """Unseal the next records."""
        self._is_queued = False
        if not self._is_paused and not self._is_closing:
            try:
                self._unseal()
            except Exception:
                self.abort()
                raise
            self._read_on()
        if self._is_lost and not self._end_of_record():
            self._lose()

    def _read_on(self) -> None:
        if not self._is_queued and not self._is_paused:
            if self._end_of_record():
                self._unseal_later()
            elif not self._is_lost:
                self._plain.resume_reading()

    def _end_of_peer(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if not self._stands:
            self._break(ConnectionResetError("it closed within the handshake"))
        elif self._is_closing:
            if self._has_said_end:
                self._plain.close()
        elif not self._protocol.eof_received():
            self.close()

    def _break(self, error: OSError) -> None:
        """End the connection for a fault in what arrived; TLS has words for that."""
        self._failure = error
        self._send_own()
        self.abort()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Tell whoever waits for the handshake, and nobody where that has been given up."""
        if not self._waiter.done():
            self._waiter.set_exception(error)
            self._waiter.exception()

    # What is sent

    def _send_own(self) -> None:
        """Send what TLS itself has to say."""
        if self._outgoing.pending and not self._plain.is_closing():
            self._plain.write(self._outgoing.read())

    def _seal(self) -> None:
        """Send on, as long as the system takes it."""
        try:
            while self._pieces and not self._is_held and not self._plain.is_closing():
                self._plain.writelines(self._seal_some())
        except ssl.SSLError as error:
            self._break(error)
            return
        if self._sends_no_more and not self._pieces and not self._has_said_end and not self._plain.is_closing():
            self._say_end()

    def _seal_some(self) -> list[bytes]:
        sealed: list[bytes] = []
        size = 0
        pieces, seal, take = self._pieces, self._tls.write, self._outgoing.read
        while pieces and size < _SENT_AT_ONCE:
            piece, start = memoryview(pieces[0]), self._start
            end = min(len(piece), start + _SENT_AT_ONCE)
            for at in range(start, end, _LARGEST_DATA):
                seal(piece[at : min(at + _LARGEST_DATA, end)])
                sealed.append(take())
            size += end - start
            self._start = end
            if end == len(piece):
                # Only now is its memory free.
                self._unsealed -= end
                self._start = 0
                pieces.popleft()
        return sealed

    def _say_end(self) -> None:
        self._has_said_end = True
        # What is wanted now is the other side's end.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._send_own()
        self._plain.write_eof()
        self._await_end()

    def _await_end(self) -> None:
        """When all has left, the other side has so many seconds to close; before that its own patience counts."""
        if not self._is_closing or self._farewell is not None:
            return
        if self._has_ended:
            self._plain.close()
        elif self._plain.get_write_buffer_size():
            # So that we are told when nothing is left.
            self._plain.set_write_buffer_limits(high=0)
        else:
            self._farewell = self._loop.call_later(SHUTDOWN_SECONDS, self._plain.close)

    # The protocol's side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; what is written behind the end is forgotten."""
        if self._pieces or self._is_held or len(data) > _LARGEST_DATA:
            self.writelines((data,))
        elif data and not (self._is_closing or self._is_lost or self._sends_no_more):
            # Most answers, in as few steps as can be.
            try:
                self._tls.write(data)
            except ssl.SSLError as error:
                self._break(error)
            else:
                self._plain.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces."""
        if self._is_closing or self._is_lost or self._sends_no_more:
            return
        for data in filter(None, list_of_data):
            self._pieces.append(cast("bytes", data))
            self._unsealed += len(data)
        self._seal()
        if self._is_held and not self._protocol_is_held and self.get_write_buffer_size() > self._high:
            self._protocol_is_held = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Each side of TLS says its own end."""
        return True

    def write_eof(self) -> None:
        """Close the sending half behind what is still to be sent."""
        self._sends_no_more = True
        self._seal()

    def close(self) -> None:
        """Close behind what is still to be sent, however long that takes."""
        if self._is_closing:
            return
        if self._is_lost:
            self.abort()
            return
        self._stop_unsealing()
        if self._has_said_end or not self._stands:
            self._plain.close()
            return
        # The other side's end is wanted.
        self._plain.resume_reading()
        self.write_eof()

    def abort(self) -> None:
        """Drop the connection; no end is said, so that nothing looks complete."""
        self._stop_unsealing()
        if self._is_lost:
            self._loop.call_soon(self._lose)
        elif cast("asyncio.Transport | None", self._plain) is not None:
            self._plain.abort()

    def is_closing(self) -> bool:
        """Whether nothing that is written now would be sent."""
        return self._is_closing or self._is_lost or self._plain.is_closing()

    def pause_reading(self) -> None:
        """Take and unseal nothing further."""
        self._is_paused = True
        self._plain.pause_reading()

    def resume_reading(self) -> None:
        """Go on, at the earliest in the next turn."""
        self._is_paused = False
        self._read_on()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        """From `high` bytes on the protocol is told to pause, until a quarter of it is left."""
        self._high = _HIGH_WATER if high is None else high

    def get_write_buffer_size(self) -> int:
        """All bytes that wait, sealed or not."""
        return self._unsealed + self._outgoing.pending + self._plain.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What TLS knows as `ssl_object`, whether sealed bytes have arrived as `has_sealed`, else what plain has."""
        if name == "has_sealed":
            return self._at < len(self._sealed)
        return self._tls if name == "ssl_object" else self._plain.get_extra_info(name, default)
