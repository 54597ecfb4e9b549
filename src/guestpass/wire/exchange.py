"""One request and its answer: heads and bytes between a client's connection and an upstream's, or a tunnel.

No task and no await on a pooled connection: both sides call in here, and what they bring is passed on at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from mypy_extensions import mypyc_attr

from guestpass.app.link_cache import LinkEntry
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.domain.reasons import Reason
from guestpass.gateway.head_rewriting import ResponseRewriter, informational_head, status_line, switching_head
from guestpass.wire.chunked import LAST_CHUNK, BrokenChunkError, ChunkedDecoder, frame
from guestpass.wire.connector import UnreachableError
from guestpass.wire.heads import MAX_HEAD, MAX_INTERIM, RequestHead, ResponseHead, read_response_head
from guestpass.wire.pool import Holder, Upstream
from guestpass.wire.run_queue import UNITS_A_STEP
from guestpass.wire.upstream_connection import FULL, UpstreamConnection
from guestpass.wire.websocket_frames import GOING_AWAY, POLICY_VIOLATION, Frames, close_frame
from guestpass.wire.websocket_handshake import is_accepted

if TYPE_CHECKING:
    from guestpass.gateway.context import Admitted
    from guestpass.wire.client_connection import ClientConnection

SLOWEST_BODY: Final = 500
"""Bytes a second that a body must bring on average, once the client's patience has been used up."""
WEBSOCKET_IDLE: Final = 90.0
_SMALL: Final = 64 * 1024
# The sweep comes twice a second, so that a socket is gone one second after its Close at the latest.
_CLOSE_SECONDS: Final = 0.5
_NO_FRAMES: Final = Frames(masked=False)
_SIGNS_IN_CONNECTION: Final = (b"ntlm", b"negotiate")
_REPEATABLE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})


class Serving(Protocol):
    """What a client's connection needs of whatever serves its present request."""

    @property
    def request_done(self) -> bool:
        """Whether the request's last byte has arrived."""
        ...

    @property
    def takes_bytes(self) -> bool:
        """Whether what the client sends next belongs to this: to the request's body, or to a tunnel."""
        ...

    @property
    def is_endless(self) -> bool:
        """Whether it has no end of its own that a shutdown could wait for."""
        ...

    def begin(self) -> None:
        """Start; the connection is ready."""
        ...

    def from_client(self, data: bytes, start: int) -> int:
        """Take bytes of the request's body or of the tunnel from `start` on, as many as one step may.

        Returns the offset of the first byte that was not taken.
        """
        ...

    def client_lost(self) -> None:
        """The client is gone."""
        ...

    def client_takes_no_more(self) -> None:
        """The client is slow: write nothing further."""
        ...

    def client_takes_more(self) -> None:
        """Write on."""
        ...

    def timed_out(self) -> None:
        """The deadline that was set has passed."""
        ...

    def cut(self) -> None:
        """End at once, so that nothing looks complete."""
        ...

    def go_away(self) -> None:
        """This worker ends, and so must what has no end of its own: in order, where that can be."""
        ...


# Where an exchange is. Plain numbers: to find the member of an enumeration costs three times as much, many times over.
_HEAD: Final = 1  # the answer's head has not arrived
_COUNTED: Final = 2  # its body is `_left` bytes
_CHUNKED: Final = 3  # its body is decoded by `_decoder`
_UNTIL_CLOSE: Final = 4  # its body ends with the connection
_TUNNEL: Final = 5  # both sides talk WebSocket
_ANSWERED: Final = 6  # all of it has arrived, and the client has yet to take some
_OVER: Final = 7


def _ends_where_it_says(head: ResponseHead, request: RequestHead) -> bool:
    """Whether the next bytes on an upstream's connection can only be the next answer's."""
    if head.status == 204:
        # It must not tell of a body (RFC 9110, section 8.6); who does may send it yet.
        return not (head.chunked or head.content_length)
    # A server whose answer to GET would end with its connection closes it behind the answer to HEAD too, though that
    # does not say so.
    return request.method != b"HEAD" or head.status == 304 or head.chunked or head.content_length is not None


@mypyc_attr(allow_interpreted_subclasses=True)
class Exchange:
    """A request on its way. `entry` is the link that it came through, None for requests to our own application.

    `admitted` is asked again when a connection had to be made: until then nothing was sent.
    """

    __slots__ = (
        "_admitted",
        "_answer",
        "_body_began",
        "_body_decoder",
        "_body_left",
        "_body_limit",
        "_body_size",
        "_buffer",
        "_client",
        "_closes_client",
        "_decoder",
        "_frames",
        "_from_server",
        "_held_since",
        "_holder",
        "_informational",
        "_is_held",
        "_is_large",
        "_leaving",
        "_left",
        "_phase",
        "_request",
        "_request_head",
        "_response_timeout",
        "_reusable",
        "_reused",
        "_stash",
        "_streams_events",
        "_to_say",
        "_unread",
        "_unread_at",
        "_unread_end",
        "_untouched",
        "_upgrade",
        "_upstream",
        "_upstream_at",
        "_work",
        "entry",
        "request_done",
        "visitor",
    )

    def __init__(
        self,
        client: ClientConnection,
        request: RequestHead,
        request_head: bytes,
        upstream: Upstream,
        answer: ResponseRewriter,
        *,
        body_limit: int,
        response_timeout: float,
        upgrade: bool = False,
        entry: LinkEntry | None = None,
        visitor: str | None = None,
        admitted: Admitted | None = None,
    ) -> None:
        self._client = client
        self._admitted = admitted
        self._request = request
        self._request_head = request_head
        self._upstream_at = upstream
        self._answer = answer
        self._body_limit = body_limit
        self._response_timeout = response_timeout
        self._upgrade = upgrade
        self.entry = entry
        self.visitor = visitor
        # A connection to an environment is one visitor's.
        self._holder: Holder = None if entry is None else (entry.link.id, visitor)
        self._phase = _HEAD
        self._upstream: UpstreamConnection | None = None
        self._reused = False
        self._untouched = True  # no byte of an answer has arrived
        self._reusable = False
        self._buffer = b""
        self._stash: list[bytes] = []  # body bytes that came before there was a connection
        self._body_left = request.content_length or 0
        self._body_decoder = ChunkedDecoder() if request.chunked else None
        self._body_size = 0
        self._body_began = client.gateway.loop.time() if request.has_body else 0.0
        self._held_since = 0.0
        self._is_held = False  # the upstream takes no more of the body
        self._left = 0
        self._decoder: ChunkedDecoder | None = None
        self._frames = False
        self._from_server: Frames = _NO_FRAMES
        self._to_say = b""  # a frame of ours, until a message of the upstream's is complete
        self._leaving = False
        self._informational = 0
        self._is_large = False
        self._unread = b""  # what has arrived of the answer and waits for a step, from `_unread_at` on
        self._unread_at = 0
        self._unread_end: tuple[Exception | None] | None = None  # how the connection ended behind it
        self._work = 0  # chunks and frames that nobody was charged for yet
        self._closes_client = upgrade or not request.keep_alive
        self._streams_events = False
        self.request_done = not request.has_body

    @property
    def _is_over(self) -> bool:
        return self._phase == _OVER

    @property
    def _is_answered(self) -> bool:
        return self._phase == _ANSWERED

    @property
    def _is_streaming(self) -> bool:
        """Whether the answer's length is unknown, so that its pieces may be meant to arrive one by one."""
        return self._phase in (_CHUNKED, _UNTIL_CLOSE)

    @property
    def is_tunnel(self) -> bool:
        """Whether both sides talk WebSocket by now."""
        return self._phase == _TUNNEL

    @property
    def takes_bytes(self) -> bool:
        """Whether what the client sends next belongs to this: to the request's body, or to a tunnel."""
        return not self.request_done or self._phase == _TUNNEL

    @property
    def is_endless(self) -> bool:
        """Whether it has no end of its own that a shutdown could wait for."""
        return self._phase == _TUNNEL or self._streams_events

    def begin(self) -> None:
        """Send the request, over an idle connection where there is one."""
        if self.entry is not None:
            self.entry.live.add(self)
        self._reach_upstream()

    def _reach_upstream(self) -> None:
        repeatable = self.request_done and self._request.method in _REPEATABLE
        connection = self._client.gateway.pool.take(
            self._upstream_at, self._holder, self._client.signs_in_on, repeatable=repeatable
        )
        self._client.set_deadline(self._response_timeout if self.request_done else self._body_seconds())
        if connection is not None:
            self._reused = True
            self._attach(connection)
        else:
            self._client.gateway.spawn(self._connect())

    # What the client's side tells

    def from_client(self, data: bytes, start: int) -> int:
        """Take bytes of the body, or of the tunnel, as many as one step may; returns where the others begin."""
        if self._phase == _TUNNEL:
            self._client.set_deadline(WEBSOCKET_IDLE)
            self._to_upstream(data[start:] if start else data)
            return len(data)
        try:
            payload, end = self._read_body(data, start)
        except BrokenChunkError as error:
            self._refuse(Reason.BAD_REQUEST, f"The request's body is not valid: {error}.")
            return len(data)
        if self._body_size > self._body_limit:
            self._refuse(Reason.BODY_TOO_LARGE, f"The body is larger than {self._body_limit} bytes.")
            return len(data)
        if self._phase == _HEAD:
            self._client.set_deadline(self._response_timeout if self.request_done else self._body_seconds())
        self._pass_body(payload)
        return end

    def client_lost(self) -> None:
        """The client is gone: nobody waits for the answer."""
        connection = self._upstream
        if self._phase == _TUNNEL and connection is not None:
            # Its last frame, a Close perhaps, may still be on its way to the upstream.
            self._upstream = connection.exchange = None
            connection.close()
        self._end()
        self._drop_upstream()

    def client_takes_no_more(self) -> None:
        """Stop reading from the upstream until the client has taken what is buffered."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def client_takes_more(self) -> None:
        """Read on from the upstream."""
        if self._upstream is not None:
            self._upstream.resume_reading()

    def timed_out(self) -> None:
        """The deadline passed: of the answer's head, of the next piece of the body, or of an idle tunnel."""
        if self._phase == _HEAD and (self.request_done or self._is_held):
            self._fail(Reason.UPSTREAM_TIMEOUT, f"no answer within {self._response_timeout:.0f} s")
        elif self._phase == _HEAD:
            self._end()
            self._drop_upstream()
            self._client.refuse_slow("The request's body arrived too slowly.")
        else:
            self.cut()

    def cut(self) -> None:
        """End both sides at once, so that nothing looks complete."""
        self._end()
        self._drop_upstream()
        self._client.abort()

    def go_away(self) -> None:
        """This worker ends: a WebSocket is told so as soon as no message is under way, anything else is cut."""
        if self._phase != _TUNNEL:
            self.cut()
        elif self._from_server.at_boundary:
            self._close_with(GOING_AWAY, "The server restarts.")
        else:
            self._leaving = True

    # What the upstream's side tells

    def from_upstream(self, data: bytes) -> None:
        """Take bytes of the answer."""
        phase = self._phase
        if phase == _COUNTED:
            if len(data) > self._left:
                # Bytes behind the answer that nobody asked for: the connection has lost its meaning.
                self._reusable = False
                data = data[: self._left]
            self._left -= len(data)
            self._deliver(data)
            if not self._left:
                self._finish()
        elif phase == _HEAD:
            self._untouched = False
            self._read_head(self._buffer + data if self._buffer else data)
        elif phase == _UNTIL_CLOSE:
            self._deliver(data)
        elif self._unread:
            self._unread = self._unread[self._unread_at :] + data
            self._unread_at = 0
        else:
            self._take_step(data, 0)

    def _take_step(self, data: bytes, start: int) -> None:
        """Take chunks or frames from `start` on, as many as one step may; the rest waits for the next."""
        if self._phase == _CHUNKED:
            end = self._pass_chunks(data, start)
        elif self._phase == _TUNNEL:
            self._client.set_deadline(WEBSOCKET_IDLE)
            end = self._pass_frames(data, start)
        else:
            return
        if end < len(data) and self._phase < _ANSWERED:
            self._unread, self._unread_at = data, end
            if self._upstream is not None:
                self._upstream.pause_reading(FULL)
            self._client.gateway.run_queue.add(self)

    def run(self) -> None:
        """Go on with what has arrived of the answer."""
        data, self._unread = self._unread, b""
        try:
            self._take_step(data, self._unread_at)
        except Exception:
            self.cut()
            raise
        if self._unread or self._phase == _OVER:
            return
        ended, self._unread_end = self._unread_end, None
        if ended is not None:
            self.upstream_lost(ended[0])
        elif self._upstream is not None:
            self._upstream.resume_reading(FULL)

    def _charge(self, units: int, *, also_address: bool = False) -> bool:
        """Count work of the link, and of the visitor's address, in chunks or frames; False where that is too much."""
        requests, self._work = divmod(self._work + units, UNITS_A_STEP)
        if not requests:
            return True
        crowd, address = self._client.gateway.crowd, self._client.address
        wait = crowd.take_request_of(self.entry.link.id, cost=requests) if self.entry is not None else None
        if wait is None and also_address:
            wait = crowd.take_request(address, cost=requests)
        if wait is None:
            return True
        self._client.gateway.tell_of_client(
            "too_much_work", address, cause="endless small chunks or frames, or long bodies that are looked at"
        )
        return False

    def upstream_lost(self, error: Exception | None) -> None:
        """The upstream closed, or the connection broke."""
        self._upstream = None
        if self._unread:
            self._unread_end = (error,)
            return
        phase = self._phase
        if phase >= _ANSWERED:
            return
        if phase == _UNTIL_CLOSE and error is None:
            self._finish()
        elif phase == _TUNNEL:
            self._end()
            if self.entry is not None:
                self._client.hold_tail(self.entry, self.visitor)
            self._client.tunnel_over()
        elif phase != _HEAD:
            # The visitor must not take half an answer for a whole one.
            self.cut()
        elif self._may_repeat():
            self._reused = False
            self._client.gateway.spawn(self._connect())
        else:
            self._fail(Reason.UPSTREAM_BROKEN, "it closed the connection before it had answered")

    def hold_client(self) -> None:
        """The upstream takes no more: stop reading the body."""
        self._client.pause_for_upstream()
        if self._phase == _HEAD and not self.request_done:
            # It is the upstream now that keeps all waiting, and has the time that it has for an answer.
            self._is_held = True
            self._held_since = self._client.gateway.loop.time()
            self._client.set_deadline(self._response_timeout)

    def release_client(self) -> None:
        """The upstream takes more."""
        self._client.resume_for_upstream()
        if self._is_held:
            self._is_held = False
            self._body_began += self._client.gateway.loop.time() - self._held_since
            if self._phase == _HEAD:
                self._client.set_deadline(self._body_seconds())

    # Sending the request

    def _read_body(self, data: bytes, start: int) -> tuple[bytes, int]:
        """The payload in `data` from `start` on, and where it ends; raises BrokenChunkError."""
        decoder = self._body_decoder
        if decoder is None:
            end = min(len(data), start + self._body_left)
            self._body_left -= end - start
            self.request_done = self._body_left == 0
            return data[start:end], end
        before = decoder.units
        pieces = decoder.feed(data, start)
        self.request_done = decoder.done
        # In one piece: thousands of pieces of a byte each would take fifty times their room.
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._body_size += len(payload)
        if not self._charge((decoder.units - before) // 2, also_address=True):
            raise BrokenChunkError("it comes in too many small chunks")
        return payload, decoder.position

    def _body_seconds(self) -> float:
        """How long the next piece of the body may take: each wins some time, but the whole must not drip in forever."""
        patience = self._client.patience
        if self._body_decoder is None:
            received = (self._request.content_length or 0) - self._body_left
        else:
            received = self._body_size
        began = self._body_began
        return min(patience, began + patience + received / SLOWEST_BODY - self._client.gateway.loop.time())

    def _pass_body(self, payload: bytes) -> None:
        if self._body_decoder is None:
            self._to_upstream(payload)
        elif out := frame(payload) + (LAST_CHUNK if self.request_done else b""):
            self._to_upstream(out)

    async def _connect(self) -> None:
        try:
            connection = await self._client.gateway.pool.connect(self._upstream_at)
        except UnreachableError as error:
            if self._phase != _OVER:
                self._fail(Reason.UPSTREAM_UNREACHABLE, str(error))
            return
        except DescriptorsUsedUp as error:
            # Whoever runs this tells the operator; nothing is known of the environment.
            if self._phase != _OVER:
                self._fail(Reason.UNAVAILABLE, str(error))
            raise
        except Exception:
            # A mistake of ours: whoever runs this logs it, and the visitor must not wait for the answer's time limit.
            if self._phase != _OVER:
                self._fail(Reason.UNAVAILABLE, "no connection was made")
            raise
        if self._phase == _OVER:
            connection.abort()
        elif connection.lost:
            # It said something before it was asked, or closed at once: nobody would tell this exchange of it later.
            self.upstream_lost(None)
        elif self._admitted is not None and (reason := self._admitted.reason()) is not None:
            connection.abort()
            self._refuse(reason, None, read=self.request_done)
        else:
            self._attach(connection)

    def _attach(self, connection: UpstreamConnection) -> None:
        self._upstream = connection
        connection.exchange = self
        credentials = self._request.values.get(b"authorization")
        if credentials is not None and credentials.lower().startswith(_SIGNS_IN_CONNECTION):
            connection.signs_in = True
            self._client.signs_in_on = connection
        if self._stash:
            connection.write(b"".join([self._request_head, *self._stash]))
            self._stash.clear()
            self._client.resume_for_upstream()
        else:
            connection.write(self._request_head)
        if self._client.write_paused:
            connection.pause_reading()

    def _to_upstream(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.write(data)
        elif self._phase == _HEAD:
            self._stash.append(data)
            self._client.pause_for_upstream()

    def _may_repeat(self) -> bool:
        return self._reused and self._untouched and self._request.method in _REPEATABLE and not self._request.has_body

    # Reading the answer

    def _read_head(self, data: bytes) -> None:
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0 and len(data) <= MAX_HEAD:
                self._buffer = data
                return
            if end < 0 or end > MAX_HEAD:
                self._fail(Reason.UPSTREAM_BROKEN, f"its answer's head is larger than {MAX_HEAD} bytes")
                return
            try:
                head = read_response_head(data[: end + 4])
            except ValueError as error:
                self._fail(Reason.UPSTREAM_BROKEN, f"its answer is refused: {error}")
                return
            data = data[end + 4 :]
            if head.status >= 200:
                self._buffer = b""
                self._start_answer(head, data)
                return
            if head.status == 101:
                self._buffer = b""
                self._switch(head, data)
                return
            self._informational += 1
            if self._informational > MAX_INTERIM:
                self._fail(Reason.UPSTREAM_BROKEN, f"it sent more than {MAX_INTERIM} interim answers")
                return
            if self._request.minor == 1:
                self._client.write(informational_head(head))

    def _frame_answer(self, head: ResponseHead) -> bytes:
        """Find how long the answer's body is, and say it to the client; returns the field line for that."""
        request, length = self._request, head.content_length
        if request.method == b"HEAD" or head.status in (204, 304):
            self._phase = _COUNTED
            return b"" if length is None or head.status == 204 else b"Content-Length: %d\r\n" % length
        if length is not None:
            self._phase = _COUNTED
            self._left = length
            return b"Content-Length: %d\r\n" % length
        self._phase = _CHUNKED if head.chunked else _UNTIL_CLOSE
        self._decoder = ChunkedDecoder() if head.chunked else None
        self._streams_events = any(
            lower == b"content-type" and value.lower().startswith(b"text/event-stream")
            for lower, _, value in head.fields
        )
        if request.minor == 1:
            self._frames = True
            return b"Transfer-Encoding: chunked\r\n"
        # HTTP/1.0 knows no other end of such a body than the connection's.
        self._closes_client = True
        return b""

    def _start_answer(self, head: ResponseHead, data: bytes) -> None:
        client = self._client
        lines = [status_line(head.status), *self._answer.fields(head), self._frame_answer(head)]
        self._reusable = head.keep_alive and _ends_where_it_says(head, self._request)
        if not self.request_done:
            # An answer before the request's end: what is left of the body may never come.
            self._closes_client = True
        if self._closes_client or client.gateway.draining:
            self._closes_client = True
            lines.append(b"Connection: close\r\n")
        elif self._request.minor == 0:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        client.set_deadline(None)
        client.answered = True
        head_bytes = b"".join(lines)
        if self._phase == _COUNTED and not self._frames and len(data) <= self._left:
            # One system call for all that is here: most answers are small and arrive whole.
            client.write_parts(head_bytes, data)
            self._left -= len(data)
            self._is_large = self._left > 0 or len(data) > _SMALL
            if not self._left:
                self._finish()
            return
        self._is_large = True
        client.write(head_bytes)
        if data or (self._phase == _COUNTED and not self._left):
            self.from_upstream(data)

    def _pass_chunks(self, data: bytes, start: int) -> int:
        """Pass on the payload of one step; returns where it ends."""
        decoder = self._decoder
        assert decoder is not None  # noqa: S101 - set together with the phase
        before = decoder.units
        try:
            pieces = decoder.feed(data, start)
        except BrokenChunkError:
            self.cut()
            return len(data)
        if pieces:
            self._deliver(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if decoder.done:
            self._reusable = self._reusable and decoder.position == len(data)
            self._finish()
        elif not self._charge((decoder.units - before) // 2):
            self.cut()
        return decoder.position

    def _deliver(self, data: bytes) -> None:
        """Pass a piece of the answer's body to the client."""
        self._client.write(frame(data) if self._frames else data)

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        key = self._request.values.get(b"sec-websocket-key", b"")
        if not self._upgrade or not is_accepted(key, head):
            self._fail(Reason.UPSTREAM_BROKEN, "it switched protocols without being asked, or not as asked")
            return
        if not self._offers_extensions() and any(lower == b"sec-websocket-extensions" for lower, _, _ in head.fields):
            self._fail(Reason.UPSTREAM_BROKEN, "it accepted an extension of WebSockets that was not offered")
            return
        self._phase = _TUNNEL
        self._from_server = self._follow_server()
        self._client.answered = True
        self._client.write(switching_head(self._answer, head))
        self._client.set_deadline(WEBSOCKET_IDLE)
        if data:
            self._take_step(data, 0)
        self._client.tunnel_opened()

    def _offers_extensions(self) -> bool:
        """Whether the upstream may accept an extension (RFC 6455, section 4.1)."""
        return b"sec-websocket-extensions" in self._request.values

    def _follow_server(self) -> Frames:
        """What finds where the upstream's frames end."""
        return Frames(masked=False, extensions=True)

    def _pass_frames(self, data: bytes, start: int) -> int:
        """Pass on what the upstream says in one step; what we have to say goes between two of its messages.

        Returns where the step ends.
        """
        frames = self._from_server
        before = frames.units
        boundaries = frames.feed(data, start)
        end = frames.position
        if not boundaries or not (self._to_say or self._leaving):
            self._client.write(data[start:end])
        elif self._leaving:
            self._client.write(data[start : boundaries[0]])
            self._close_with(GOING_AWAY, "The server restarts.")
        else:
            said, self._to_say = self._to_say, b""
            self._client.write(data[start : boundaries[0]] + said + data[boundaries[0] : end])
        if not self._charge(frames.units - before) and self._phase == _TUNNEL:
            self._overrun()
        return end

    def _overrun(self) -> None:
        """Close a tunnel that takes too much work."""
        if self._from_server.at_boundary:
            self._close_with(POLICY_VIOLATION, "Too many frames.")
        else:
            self.cut()

    def _say(self, frame: bytes) -> None:
        """Put a whole message of ours into a tunnel, now or when the upstream's present one is complete."""
        if self._from_server.at_boundary:
            self._client.write(frame)
        else:
            self._to_say = frame

    def _close_with(self, code: int, reason: str) -> None:
        """Close a tunnel in order; no message of the upstream's may be under way."""
        self._end()
        self._drop_upstream()
        self._client.write(close_frame(code, reason))
        self._client.linger(_CLOSE_SECONDS)

    # Ends

    def _finish(self) -> None:
        """The upstream has said all."""
        self._release_upstream()
        if self._frames:
            self._client.write(LAST_CHUNK)
        self._conclude()

    def _conclude(self) -> None:
        """The client has been told all: its connection is free, or closed."""
        self._end()
        if self.entry is not None and self._is_large:
            # Its end may still lie in our buffers or the kernel's for as long as a slow client likes.
            self._client.hold_tail(self.entry, self.visitor)
        self._client.exchange_over(keep_alive=not self._closes_client, request_done=self.request_done)

    def _release_upstream(self) -> None:
        """The upstream has said all: its connection is free for the next request, or closed."""
        self._phase = _ANSWERED
        connection, self._upstream = self._upstream, None
        if connection is not None:
            connection.exchange = None
            if self._reusable and self.request_done and not self._upgrade:
                self._client.gateway.pool.give_back(self._upstream_at, self._holder, connection)
            else:
                connection.close()

    def _end(self) -> None:
        self._phase = _OVER
        self._unread = b""
        if self.entry is not None:
            self.entry.live.discard(self)

    def _drop_upstream(self) -> None:
        connection, self._upstream = self._upstream, None
        if connection is not None:
            connection.exchange = None
            connection.abort()

    def _refuse(self, reason: Reason, detail: str | None, *, read: bool = False, request_id: str | None = None) -> None:
        """The request itself turns out to be wrong; `read` says that nothing of it is still to come."""
        self._end()
        self._drop_upstream()
        self._client.refuse(reason, detail, read=read, request_id=request_id)

    def _fail(self, reason: Reason, cause: str) -> None:
        """The upstream did not answer as it should; the visitor learns that, the log learns why."""
        self._end()
        self._drop_upstream()
        if self.entry is None:
            # Our own application failed, which is nothing that an environment's owner could mend.
            reason = Reason.UNAVAILABLE
        self._client.upstream_failed(reason, self._upstream_at.owner, cause, self.entry)
