"""One connection of a client: heads are found in its bytes, requests are served one after the other."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, cast

from guestpass.wire.failures import Failure
from guestpass.wire.heads import RefusedHeadError, RequestHead, read_request_head
from guestpass.wire.lingering import SILENT_SECONDS, Lingering
from guestpass.wire.request_buffer import OversizedHeadError, RequestBuffer
from guestpass.wire.response_heads import STATUS_LINES, date_field
from guestpass.wire.roles import Live, RequestOwner, Serving
from guestpass.wire.run_queue import UNITS_A_STEP
from guestpass.wire.runtime import Runtime
from guestpass.wire.socket_queues import UNCONFIRMED, UNREAD, UNSENT, has_bytes
from guestpass.wire.upstream_connection import UpstreamConnection
from guestpass.wire.websocket_handshake import names_websocket
from guestpass.wire.write_buffer import WriteBuffer

HEAD_TIMEOUT: Final = 10.0
_BACKLOG: Final = 64 * 1024
_LONGEST_WAIT: Final = 300.0
"""Seconds that a look-up, a sign-in or an asset may take; each has shorter limits of its own."""
_NEVER: Final = float("inf")
WRITE_BUFFER: Final = 1024 * 1024
"""Bytes that wait for a client from which on no more are made ready for it."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER for a connection that is to break with a reset."""


class ConnectionHandler(Protocol):
    """Who handles what arrives on a client's connection."""

    def receive(self, client: ClientConnection, head: RequestHead) -> None:
        """Answer a request, or begin an exchange; raises RefusedHeadError."""
        ...

    def refuse_head(
        self,
        client: ClientConnection,
        head: RequestHead | None,
        reason: str,
        detail: str,
        *,
        request_id: str | None = None,
    ) -> None:
        """Refuse a request whose head can't be understood, or not served, and end the connection behind it."""
        ...

    def refuse_large_head(self, client: ClientConnection, data: bytes, reason: str, detail: str) -> None:
        """Refuse a head that is too large, of which `data` is the beginning."""
        ...

    def log_slow_request(self, client: ClientConnection, cause: str) -> str:
        """Log that a request takes too long to arrive; returns the id under which."""
        ...

    def log_slow_client(self, client: ClientConnection, cause: str) -> None:
        """Log that a client is cut, which was too slow to take what it has asked for."""
        ...


class Connections(Protocol):
    """Who keeps the connections of a worker's clients."""

    def lets_in(self, connection: ClientConnection) -> bool:
        """Take a new connection; False where there must be no more."""
        ...

    def forget(self, connection: ClientConnection) -> None:
        """Let go of a connection that has ended."""
        ...

    def stops_reading(self, connection: ClientConnection) -> None:
        """Note that a client does not take what it has asked for."""
        ...

    def reads_again(self, connection: ClientConnection) -> None:
        """Note that it takes more."""
        ...


class ClientConnection(asyncio.Protocol):
    """A client's end; `patience` are the seconds for which it may keep one waiting.

    `answered` says that the head of an answer to the present request has gone out. `has_arrived` says that the
    connection stands. `is_starting` is true while what serves the present request begins, so that nothing has been
    waited for since it was decided. `unsent` are the bytes that waited for the client when the sweep last
    came by, and `stuck_since` is when it last took any.
    """

    __slots__ = (
        "_buffer",
        "_closing",
        "_connections",
        "_counted",
        "_deadline",
        "_eof",
        "_exchange",
        "_handler",
        "_head",
        "_is_queued",
        "_is_taking",
        "_is_tls",
        "_left",
        "_lingering",
        "_out",
        "_owner",
        "_pausing",
        "_tail_of",
        "_waiting",
        "_was_served",
        "_work",
        "answered",
        "has_arrived",
        "is_starting",
        "patience",
        "peer",
        "runtime",
        "signs_in_on",
        "stuck_since",
        "transport",
        "unsent",
        "visitor",
        "write_paused",
    )

    _UPSTREAM: Final = 1
    _FULL: Final = 2

    def __init__(
        self, runtime: Runtime, connections: Connections, handler: ConnectionHandler, *, patience: float
    ) -> None:
        self.runtime = runtime
        self._connections = connections
        self._handler = handler
        self.patience = patience
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._out = WriteBuffer(runtime.flush_queue)
        self.peer = ""
        self._counted = False
        self._was_served = False
        self.unsent = 0
        self.stuck_since = 0.0
        self._buffer = RequestBuffer()
        self._is_queued = False  # for the next step
        self._is_taking = False  # the exchange takes what has arrived, and may leave some of it
        self._exchange: Serving | None = None
        self._owner: RequestOwner | None = None  # whoever let the present request through
        self._work = 0  # chunks and frames of its that nobody was charged for yet
        self.is_starting = False
        self._head: RequestHead | None = None
        self._is_tls = False
        self._left: Callable[[], None] | None = None  # told where the client leaves before it had the answer
        self.has_arrived = False
        self._waiting = False  # for a look-up, before there is an exchange
        self._closing = False
        self._lingering: Lingering | None = None
        self._eof = False
        self._pausing = 0
        self._deadline = _NEVER
        self._tail_of: Live | None = None
        self.visitor: str | None = None
        self.write_paused = False
        self.answered = False
        self.signs_in_on: UpstreamConnection | None = None  # by NTLM or Negotiate, step by step

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._out.begin(self.transport)
        self.has_arrived = True
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        peer = transport.get_extra_info("peername")
        self.peer = peer[0].partition("%")[0] if peer else ""
        now = self.stuck_since = self.runtime.loop.time()
        self._deadline = now + HEAD_TIMEOUT
        self._counted = self._connections.lets_in(self)
        if not self._counted:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None:
            if self._lingering.takes(len(data)):
                self._deadline = self._lingering.deadline(self.runtime.loop.time())
            else:
                self.abort()
            return
        buffer = self._buffer
        if buffer.data:
            buffer.add(data)
        else:
            buffer.data = data
        if self._is_queued:
            self._regulate()
        else:
            self._take_step()

    def eof_received(self) -> bool:
        """Keep half-closed connections: a client may send its request, say that this was all, and read on."""
        self._eof = True
        # A transport that closes takes nothing more, so it is given what this turn had to send before it is told to.
        self._out.flush()
        if self._left is not None and self._closed_before_the_answer:
            self._notify_left()
        if not self._is_tls:
            return self._is_queued or self._can_finish
        # With TLS that is how clients leave. Should this one read on, half an answer must not look like a whole one.
        if self._exchange is not None and self.answered and not self._exchange.is_endless:
            self.abort()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        if error is not None or self._exchange is not None:
            self._notify_left()
        if self._counted:
            self._connections.forget(self)
        self._let_go_of_tail()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost()

    def pause_writing(self) -> None:
        self.write_paused = True
        self._connections.stops_reading(self)
        if self._exchange is not None:
            self._exchange.client_takes_no_more()

    def resume_writing(self) -> None:
        self.write_paused = False
        self._connections.reads_again(self)
        if self._exchange is not None:
            self._exchange.client_takes_more()
        elif self._buffer.data:
            self._queue()

    # What exchanges use

    def write(self, data: bytes) -> None:
        """Send bytes of an answer."""
        self._out.write(data)

    def respond(self, head: bytes, data: bytes) -> None:
        """Send a response's head and what is there of its body; from here on no deadline runs."""
        self.answered = True
        self._deadline = _NEVER
        self._out.write_parts(head, data)

    def set_deadline(self, seconds: float | None) -> None:
        """Let the sweep end what is under way after so many seconds without another call; None for never."""
        self._deadline = _NEVER if seconds is None else self.runtime.loop.time() + seconds

    def pause_for_upstream(self) -> None:
        """Read no more of the body until the upstream has taken what there is."""
        self._pause(self._UPSTREAM)

    def resume_for_upstream(self) -> None:
        """Read on."""
        self._resume(self._UPSTREAM)

    def tunnel_opened(self, tunnel: Serving) -> None:
        """Let a tunnel serve, and hand over what the client sent before the upstream had agreed."""
        self._exchange = tunnel
        self._resume(self._FULL)
        self._queue()

    @property
    def has_unsent_bytes(self) -> bool:
        """Whether bytes wait, here or in the kernel, because the client is slow to take them.

        Those on their way count as sent, although the client has yet to confirm them.
        """
        if self._out.unsent:
            return True
        return has_bytes(self.transport.get_extra_info("socket"), UNSENT)

    def hold_tail(self) -> None:
        """Keep the connection among what is open: the end of an answer is still to be sent, and may have to be cut."""
        self._let_go_of_tail()
        owner = self._owner
        if owner is not None and owner.live is not None:
            self._tail_of, self.visitor = owner.live, owner.visitor
            self._tail_of.add(self)

    def cut(self) -> None:
        """Abort if the answer is still being sent: its link has ended."""
        unsent = self.has_unsent_bytes
        self._let_go_of_tail()
        if unsent:
            self.abort()

    def exchange_over(self, *, keep_alive: bool, request_done: bool) -> None:
        """Go on with the next request, or close: the answer is complete."""
        self._exchange = None
        if self._eof:
            self._notify_left()
        if self._pausing:
            self._resume(self._UPSTREAM)
        # Also when a shutdown has begun since the answer's head promised to keep the connection: the next request may
        # be on its way, and the answer to that one says that it is the last.
        if keep_alive and (not self._eof or self._may_ask_more):
            self._await_next()
        elif request_done and not self._has_to_linger:
            self.close()
        else:
            self.linger()

    def tunnel_over(self) -> None:
        """The other end of a tunnel is gone; what it said last, a Close most likely, arrives all the same.

        RFC 6455, section 7.1.1, wants that: end the sending half, read until the client has done so too, then close.
        """
        self.linger()

    def refuse(self, reason: str, detail: str | None, *, read: bool = False, request_id: str | None = None) -> None:
        """Answer that the request turned out to be wrong while its body arrived or, with `read`, when it was read."""
        self._exchange = None
        if self.answered or self._owner is None:
            self.abort()
        else:
            self._owner.refuse(reason, detail, close=not read, read=read, request_id=request_id)

    def answer_instead(self, status: int, fields: Sequence[tuple[str, str]], body: bytes) -> None:
        """Answer a request that has been read to its end and goes nowhere."""
        self._exchange = None
        self.answer(status, fields, body, read=True)

    def upstream_failed(self, reason: str, upstream: str, cause: str) -> None:
        """Answer that the upstream did not answer as it should."""
        exchange, self._exchange = self._exchange, None
        unread = exchange is not None and not exchange.request_done
        if self._owner is None:
            self.abort()
        else:
            self._owner.upstream_failed(reason, upstream, cause, close=unread)

    def charge(self, units: int, *, also_address: bool = False) -> bool:
        """Count chunks or frames for the present request's owner; False where they are too many.

        With `also_address` they count for the client's address too.
        """
        requests, self._work = divmod(self._work + units, UNITS_A_STEP)
        return not requests or self._owner is None or self._owner.charge(requests, also_address=also_address)

    # What the handler uses

    @property
    def is_open(self) -> bool:
        """Whether an answer could still arrive."""
        return not self._closing

    def wait(self) -> None:
        """Wait for a look-up; read nothing further meanwhile."""
        self._waiting = True
        self._deadline = self.runtime.loop.time() + _LONGEST_WAIT

    def notify_if_left(self, told: Callable[[], None]) -> None:
        """Call `told` once if the client closes its side or resets before it has the answer to the present request.

        It may have read the answer all the same.
        """
        self._left = told

    @property
    def _closed_before_the_answer(self) -> bool:
        """Whether the client, which has closed its side, had not received all of an answer that was sent by then.

        What confirms bytes comes with the end at the latest. The answer may have left while the end was unread here.
        """
        if self._exchange is not None or self._waiting:
            return False
        return self._out.unsent > 0 or has_bytes(self.transport.get_extra_info("socket"), UNCONFIRMED)

    def _notify_left(self) -> None:
        told, self._left = self._left, None
        if told is not None:
            told()

    def start(self, exchange: Serving, owner: RequestOwner) -> None:
        """Let an exchange serve the present request, which `owner` let through."""
        self._waiting = False
        self._owner = owner
        self._work = 0
        self.is_starting = True
        self._exchange = exchange
        # What came during a look-up is taken now; from here on the upstream says how fast it goes.
        if self._pausing:
            self._resume(self._FULL)
        try:
            exchange.begin()
            if self._exchange is exchange and exchange.takes_bytes:
                self._take_step()
        finally:
            self.is_starting = False

    def answer(
        self,
        status: int,
        fields: Sequence[tuple[str, str]],
        body: bytes = b"",
        *,
        extra: Iterable[bytes] = (),
        close: bool = False,
        read: bool = False,
    ) -> None:
        """Send a small ready answer; `extra` are further field lines, `read` that the request's body has been read."""
        head = self._head
        self._waiting = False
        unread = head is not None and head.has_body and not read
        # What follows a request for a WebSocket may be frames already, meant for a tunnel that is not (RFC 6455,
        # section 4.1, forbids that, and who smuggles does it): it must not be read as requests.
        close = close or (head is not None and names_websocket(head))
        keep_alive = head is not None and head.keep_alive and not (close or unread or self.runtime.draining)
        lines = [
            STATUS_LINES[status],
            date_field(),
            *(f"{name}: {value}\r\n".encode("latin-1") for name, value in fields),
            *extra,
            b"Content-Length: %d\r\n" % len(body),
        ]
        if not keep_alive:
            lines.append(b"Connection: close\r\n")
        elif head is not None and head.minor == 0:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        if head is None or head.method != b"HEAD":
            lines.append(body)
        self.write(b"".join(lines))
        if self._eof:
            self._notify_left()
        if keep_alive and self._may_ask_more:
            self._await_next()
        elif unread or close or self._has_to_linger:
            self.linger()
        else:
            self.close()

    # Ends and time

    def close(self) -> None:
        """Close after what is still to be sent."""
        self._closing = True
        self._out.close()

    def abort(self) -> None:
        """Break the connection with a reset: after a plain close, a body of unknown length would look complete."""
        self._closing = True
        connection = self.transport.get_extra_info("socket")
        if connection is not None and not self.transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._out.abort()

    @property
    def is_endless(self) -> bool:
        """Whether what is under way has no end of its own that a shutdown could wait for."""
        return self._exchange is not None and self._exchange.is_endless

    def go_away(self) -> None:
        """End what has no end of its own, since this worker stops."""
        if self._exchange is not None and self._exchange.is_endless:
            self._exchange.go_away()

    @property
    def idleness(self) -> tuple[bool, float] | None:
        """Sort key of idle connections, those to close first: without a request yet, then waiting longest."""
        if self._exchange is not None or self._waiting or self._closing or self._buffer.data or self._out.unsent:
            return None
        return self._was_served, self._deadline

    def close_if_idle(self) -> None:
        """Close where nothing is under way, not even a request that has arrived and was not read yet."""
        if self._is_queued or self._has_unread_bytes:
            return
        if self._exchange is None and not self._waiting and not self._closing:
            self.close()

    @property
    def _may_ask_more(self) -> bool:
        """Whether a further request can be there or arrive: also one that was sent before the client said the last."""
        return bool(self._buffer.data) or self._is_taking or not self._eof

    @property
    def _has_to_linger(self) -> bool:
        """Whether the client has sent something that will not be served, or somebody waits for how it ends."""
        return bool(self._buffer.data) or self._left is not None or self._has_unread_bytes

    @property
    def _has_unread_bytes(self) -> bool:
        return has_bytes(self.transport.get_extra_info("socket"), UNREAD)

    def sweep(self, now: float) -> bool:
        """End what has waited too long, and say whether there was any; called about twice a second."""
        if self._tail_of is not None and not self.has_unsent_bytes:
            self._let_go_of_tail()
        self.measure(now)
        if self.unsent and now - self.stuck_since >= self.patience:
            self.cut_for_slowness("it took nothing of an answer for too long")
            return True
        if now < self._deadline:
            return False
        self._deadline = _NEVER
        if self._exchange is not None:
            self._exchange.timed_out()
        elif self._lingering is not None:
            self._end_lingering(now, self._lingering)
        elif self._waiting:
            # Whoever was to answer has failed, or it would have done so long ago.
            self.abort()
        elif self._buffer.data and not self._closing:
            self._head = None
            self.refuse_slow(f"The request's head took longer than {HEAD_TIMEOUT:.0f} s.")
        else:
            self.close()
        return True

    def measure(self, now: float) -> None:
        """Note how much waits for the client, and whether it has taken any since the last time."""
        # What only waits for this turn's end has not been offered to the client yet.
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self.unsent:
            self.stuck_since = now
        self.unsent = unsent

    def refuse_slow(self, detail: str) -> None:
        """Answer that the request takes too long to arrive."""
        request_id = self._handler.log_slow_request(self, detail)
        self._exchange = None
        if self.answered:
            self.abort()
        elif self._owner is not None:
            self._owner.refuse(Failure.HEAD_TIMEOUT, detail, close=True, read=False, request_id=request_id)
        else:
            self._handler.refuse_head(self, self._head, Failure.HEAD_TIMEOUT, detail, request_id=request_id)

    def cut_for_slowness(self, cause: str) -> None:
        """Cut a client that is too slow to take what it has asked for."""
        self._handler.log_slow_client(self, cause)
        self.unsent = 0
        self.abort()

    def _let_go_of_tail(self) -> None:
        if self._tail_of is not None:
            self._tail_of.discard(self)
            self._tail_of = None

    # Finding heads

    def _await_next(self) -> None:
        self._head = self._owner = None
        self.answered = False
        self._was_served = True
        if self._pausing:
            self._resume(self._UPSTREAM)
        self._deadline = self.runtime.loop.time() + self.patience
        if self._buffer.data:
            self._queue()

    def _queue(self) -> None:
        """Take another step in a later turn."""
        if not self._is_queued and not self._closing:
            self._is_queued = True
            self.runtime.run_queue.add(self)

    def run(self) -> None:
        """Take the next step with what has arrived."""
        self._is_queued = False
        if self._closing:
            return
        try:
            self._take_step()
        except Exception:
            self.abort()
            raise

    def _take_step(self) -> None:
        """Serve one request of those that have arrived, or pass on as much of a body as one step may."""
        exchange, buffer = self._exchange, self._buffer
        if exchange is not None:
            if exchange.takes_bytes and buffer.data:
                self._take_body(exchange)
        elif (
            buffer.data
            and not (self._waiting or self.write_paused)
            and self._serve_next()
            and buffer.data
            and self._may_serve
        ):
            self._queue()
        if self._pausing or buffer.data:
            self._regulate()
        if self._eof and not self._is_queued and not self._closing and not self._can_finish:
            self.close()

    def _take_body(self, exchange: Serving) -> None:
        buffer = self._buffer
        data, start = buffer.data, buffer.start
        buffer.clear()
        self._is_taking = True
        end = exchange.from_client(data, start)
        self._is_taking = False
        if end < len(data) and not self._closing:
            buffer.data, buffer.start = data, end
            if self._exchange is None or self._exchange.takes_bytes:
                self._queue()

    @property
    def _may_serve(self) -> bool:
        """Whether a request may begin: not before the client has taken the answers that there are."""
        return bool(self._buffer.data) and self._exchange is None and not (self._waiting or self.write_paused)

    @property
    def _can_finish(self) -> bool:
        """Whether something is under way, or waits, that needs no further byte of the client's."""
        exchange = self._exchange
        if exchange is None:
            return self._waiting or (self.write_paused and bool(self._buffer.data))
        return exchange.request_done and not exchange.is_endless

    def _regulate(self) -> None:
        """Read no further ahead than one backlog."""
        if len(self._buffer.data) - self._buffer.start > _BACKLOG:
            self._pause(self._FULL)
        else:
            self._resume(self._FULL)

    def _serve_next(self) -> bool:
        """Serve the first request that has arrived; False where its head is not complete."""
        buffer = self._buffer
        scanned = buffer.scanned
        try:
            data = buffer.next_head()
            if data is None:
                if not scanned and buffer.scanned:
                    # Time runs from a head's first byte, however slowly the rest drips in.
                    self._deadline = self.runtime.loop.time() + HEAD_TIMEOUT
                return False
            self.answered = False
            self._left = None
            head = self._head = read_request_head(data)
            self._deadline = _NEVER
            self._handler.receive(self, head)
        except OversizedHeadError as oversized:
            # Where the next request would begin is unknown, so this connection ends here.
            buffer.clear()
            self._handler.refuse_large_head(self, oversized.beginning, oversized.reason, str(oversized))
        except RefusedHeadError as error:
            buffer.clear()
            self._handler.refuse_head(self, self._head, error.reason, str(error))
        return True

    def linger(self, seconds: float | None = None) -> None:
        """Close in such a way that what was sent arrives although the client is still sending.

        With `seconds` all is over after so many, whether it arrived or not.
        """
        now = self.runtime.loop.time()
        self._closing = True
        self._exchange = None
        self._buffer.clear()
        self._lingering = Lingering(now, seconds)
        self._pausing = 0
        self.transport.resume_reading()
        self._deadline = self._lingering.deadline(now)
        if self._eof:
            self._out.close()
        else:
            self._out.end()

    def _end_lingering(self, now: float, lingering: Lingering) -> None:
        """The client has been silent for long enough, or has sent for too long."""
        if lingering.is_hurried:
            self.abort()
        elif self.unsent:
            # It takes its time to take the answer. How much of that it has is decided where answers wait for it.
            self._deadline = now + SILENT_SECONDS
        else:
            # No reset of ours: the kernel may still hold the answer's end.
            self._out.close()

    def _pause(self, why: int) -> None:
        if not self._pausing and not self._closing:
            self.transport.pause_reading()
        self._pausing |= why

    def _resume(self, why: int) -> None:
        if self._pausing and not self._pausing & ~why and not self._closing:
            self.transport.resume_reading()
        self._pausing &= ~why
