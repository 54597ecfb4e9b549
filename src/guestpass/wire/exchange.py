"""One request and its response: heads and bytes between a client's connection and an upstream's.

A state machine without a task and without an await on a pooled connection: both sides call in here, and what they bring
is passed on at once. What a profile needs besides are stages (`wire.stages`).
"""

from __future__ import annotations

from typing import Final

from guestpass.wire.chunked import LAST_CHUNK, BrokenChunkError, frame
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.connector import UnreachableError
from guestpass.wire.descriptors import NoDescriptorError
from guestpass.wire.failures import Failure
from guestpass.wire.heads import RequestHead, ResponseHead
from guestpass.wire.pool import Holder, Upstream
from guestpass.wire.request_body import RequestBody
from guestpass.wire.response_heads import STATUS_LINES, informational_head, switching_head
from guestpass.wire.response_reader import CHUNKED, COUNTED, NO_BODY, UNTIL_CLOSE, BrokenResponseError, ResponseReader
from guestpass.wire.roles import RequestOwner
from guestpass.wire.runtime import Runtime
from guestpass.wire.stages import Gate, Intake, Outflow, ResponseFilter, ResponseRewriter, Socket
from guestpass.wire.steps import Steps
from guestpass.wire.tunnel import Tunnel
from guestpass.wire.upstream_connection import HELD, UpstreamConnection
from guestpass.wire.websocket_handshake import is_accepted

_SMALL: Final = 64 * 1024
_SIGNS_IN_CONNECTION: Final = (b"ntlm", b"negotiate")
_REPEATABLE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})

# Where an exchange is. Plain numbers: to find the member of an enumeration costs three times as much, many times over.
_INTAKE: Final = 1  # a stage takes the request, and nothing was sent
_WAITING: Final = 2  # for its turn
_HEAD: Final = 3  # the request is on its way, the response's head has not arrived
_HELD: Final = 4  # it has, and the response is held back
_BODY: Final = 5  # its body arrives
_ANSWERED: Final = 6  # all of it has arrived, and the client has yet to take some
_OVER: Final = 7


class Exchange:
    """A request on its way.

    `owner` is what is known of it besides its bytes, None for requests to our own application; it is asked again
    whenever something was waited for before the request was sent. `holder` is who alone uses the connection. The stages
    are those of `wire.stages`.
    """

    __slots__ = (
        "_body",
        "_body_limit",
        "_chunks",
        "_closes_client",
        "_end_behind_held",
        "_filter",
        "_gate",
        "_held",
        "_holder",
        "_intake",
        "_is_large",
        "_live",
        "_outflow",
        "_owner",
        "_phase",
        "_reader",
        "_request_head",
        "_response_timeout",
        "_reused",
        "_rewriter",
        "_runtime",
        "_socket",
        "_steps",
        "_streams_events",
        "_tunnel",
        "_upgrade",
        "_upstream_at",
        "client",
        "request",
        "request_done",
        "takes_bytes",
        "upstream",
        "visitor",
    )

    def __init__(
        self,
        client: ClientConnection,
        runtime: Runtime,
        request: RequestHead,
        request_head: bytes,
        upstream: Upstream,
        rewriter: ResponseRewriter,
        *,
        body_limit: int,
        response_timeout: float,
        upgrade: bool = False,
        owner: RequestOwner | None = None,
        holder: Holder = None,
        intake: Intake | None = None,
        gate: Gate | None = None,
        response_filter: ResponseFilter | None = None,
        outflow: Outflow | None = None,
        socket: Socket | None = None,
    ) -> None:
        self.client = client
        self.request = request
        self.upstream: UpstreamConnection | None = None
        has_body = request.has_body
        self.request_done = not has_body
        self.takes_bytes = has_body  # what the client sends next belongs to the request's body
        self.visitor = owner.visitor if owner is not None else None
        self._runtime = runtime
        self._request_head = request_head
        self._upstream_at = upstream
        self._rewriter = rewriter
        self._body_limit = body_limit
        self._response_timeout = response_timeout
        self._upgrade = upgrade
        self._owner = owner
        self._live = owner.live if owner is not None else None
        self._holder = holder
        self._intake = intake
        self._gate = gate
        self._filter = response_filter
        self._outflow = outflow
        self._socket = socket
        self._phase = _HEAD if intake is None else _INTAKE
        self._body = RequestBody(request, runtime.loop.time()) if has_body else None
        # The response
        self._reused = False
        self._reader: ResponseReader | None = None  # once a byte of it has arrived
        self._tunnel: Tunnel | None = None  # what took its place
        self._held: bytearray | None = None
        self._end_behind_held: tuple[Exception | None] | None = None
        self._steps: Steps | None = None
        self._chunks = False  # for the client
        self._is_large = False
        self._closes_client = upgrade or not request.keep_alive
        self._streams_events = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._phase == _OVER

    @property
    def is_endless(self) -> bool:
        """Whether it has no end of its own that a shutdown could wait for."""
        return self._streams_events

    @property
    def takes_steps(self) -> bool:
        """Whether more of the response's chunks are wanted."""
        return self._phase == _BODY

    def begin(self) -> None:
        """Send the request, over an idle connection where there is one."""
        if self._live is not None:
            self._live.add(self)
        if self._intake is None:
            self._reach_upstream()
        else:
            self._intake.begin(self)

    def proceed(self) -> None:
        """Wait at the gate until the request's turn comes."""
        gate = self._gate
        if gate is None:
            self.take_turn()
            return
        self._phase = _WAITING
        if not gate.enter(self):
            self.refuse(Failure.TOO_BUSY, "Too many requests wait for this environment.")
        elif self._phase == _WAITING:
            self.client.set_deadline(gate.patience)

    def take_turn(self) -> None:
        """Send the request, if it may still go on: who waits may lose the right to."""
        if not self.client.is_starting and self._owner is not None and (reason := self._owner.reason()) is not None:
            self.refuse(reason, None, read=True)
            return
        self._phase = _HEAD
        if self._intake is not None:
            head = self._intake.compose()
            if head is None:
                return
            self._request_head = head
        self._reach_upstream()

    def _reach_upstream(self) -> None:
        repeatable = self.request_done and self.request.method in _REPEATABLE
        connection = self._runtime.pool.take(
            self._upstream_at, self._holder, self.client.signs_in_on, repeatable=repeatable
        )
        self.client.set_deadline(self._response_timeout if self.request_done else self._body_seconds())
        if connection is not None:
            self._reused = True
            self._attach(connection)
        else:
            self._runtime.spawn(self._connect())

    # What the client's side brings

    def from_client(self, data: bytes, start: int) -> int:
        """Take bytes of the body, as many as one step may; returns where the others begin."""
        body = self._body
        if body is None:
            return start
        units = body.units
        try:
            payload = body.read(data, start)
        except BrokenChunkError as error:
            self.refuse(Failure.BAD_REQUEST, f"The request's body is not valid: {error}.")
            return len(data)
        self.request_done = body.is_done
        self.takes_bytes = not body.is_done
        if body.units != units and not self.client.charge((body.units - units) // 2, also_address=True):
            self.refuse(Failure.BAD_REQUEST, "The request's body is not valid: it comes in too many small chunks.")
            return len(data)
        if body.size > self._body_limit:
            self.refuse(Failure.BODY_TOO_LARGE, f"The body is larger than {self._body_limit} bytes.")
            return len(data)
        if self._phase <= _HELD and not body.is_done:
            self.client.set_deadline(self._body_seconds())
        elif self._phase == _HEAD:
            self.client.set_deadline(self._response_timeout)
        if self._intake is not None:
            self._intake.take(payload)
        else:
            self._pass_body(body, payload)
        return body.position

    def client_lost(self) -> None:
        """The client is gone: drop the request."""
        self._end()
        self._drop_upstream()

    def client_takes_no_more(self) -> None:
        """Stop reading from the upstream until the client has taken what is buffered, where no stage keeps it."""
        if self.upstream is not None and (self._outflow is None or self._streams_events):
            self.upstream.pause_reading()

    def client_takes_more(self) -> None:
        """Read on from the upstream, or go on with what was kept."""
        if self._outflow is not None and not self._streams_events:
            self._outflow.client_takes_more()
        elif self.upstream is not None:
            self.upstream.resume_reading()

    def timed_out(self) -> None:
        """The deadline passed: of a stage, of the response's head, or of the next piece of the body."""
        if self._phase > _HELD:
            self.cut()
        elif not (self.request_done or (self._body is not None and self._body.is_held)):
            self._end()
            self._drop_upstream()
            self.client.refuse_slow("The request's body arrived too slowly.")
        elif self._phase == _INTAKE and self._intake is not None:
            self._intake.timed_out()
        elif self._phase == _WAITING and self._gate is not None:
            self.refuse(Failure.TOO_BUSY, f"No turn came within {self._gate.patience:.0f} seconds.")
        else:
            self.fail(Failure.UPSTREAM_TIMEOUT, f"no answer within {self._response_timeout:.0f} s")

    def cut(self) -> None:
        """End both sides at once, so that nothing looks complete."""
        self._end()
        self._drop_upstream()
        self.client.abort()

    def go_away(self) -> None:
        """This worker ends, and so must an endless response."""
        self.cut()

    # What the upstream's side brings

    def from_upstream(self, data: bytes) -> None:
        """Take bytes of the response."""
        phase, reader = self._phase, self._reader
        if phase == _BODY and reader is not None:
            if self._steps is not None:
                self._steps.take(data)
                return
            payload = reader.read_body(data)
            if payload:
                self._deliver(payload)
            if reader.is_complete:
                self._finish()
        elif phase == _HEAD:
            if reader is None:
                reader = self._reader = ResponseReader(self.request.method)
            self._read_head(reader, data)
        elif phase == _HELD:
            assert self._held is not None  # noqa: S101 - set together with the phase
            self._held += data
            self._more_is_held(ended=False)

    def upstream_lost(self, error: Exception | None) -> None:
        """The upstream closed, or the connection broke."""
        self.upstream = None
        phase = self._phase
        if phase >= _ANSWERED or (self._steps is not None and self._steps.ends(error)):
            return
        if phase == _HELD:
            self._end_behind_held = (error,)
            self._more_is_held(ended=True)
        elif phase == _BODY and error is None and self._reader is not None and self._reader.framing == UNTIL_CLOSE:
            self._finish()
        elif phase != _HEAD:
            # The visitor must not take half a response for a whole one.
            self.cut()
        elif self._may_repeat():
            self._reused = False
            self._runtime.spawn(self._connect())
        else:
            self.fail(Failure.UPSTREAM_BROKEN, "it closed the connection before it had answered")

    def hold_client(self) -> None:
        """The upstream takes no more: stop reading the body."""
        if self._intake is not None:
            self._intake.upstream_takes_no_more()
            return
        self.client.pause_for_upstream()
        if self._body is not None and self._phase == _HEAD and not self.request_done:
            # It is the upstream now that keeps all waiting, and has the time that it has for a response.
            self._body.hold(self._runtime.loop.time())
            self.client.set_deadline(self._response_timeout)

    def release_client(self) -> None:
        """The upstream takes more."""
        if self._intake is not None:
            self._intake.upstream_takes_more()
            return
        self.client.resume_for_upstream()
        if self._body is not None and self._body.is_held:
            self._body.release(self._runtime.loop.time())
            if self._phase == _HEAD:
                self.client.set_deadline(self._body_seconds())

    # Sending the request

    def _body_seconds(self) -> float:
        """How long the next piece of the body may take."""
        patience = self.client.patience
        return patience if self._body is None else self._body.seconds(patience, self._runtime.loop.time())

    def _pass_body(self, body: RequestBody, payload: bytes) -> None:
        sent = body.framed(payload)
        if not sent:
            return
        if self.upstream is not None:
            self.upstream.write(sent)
        elif self._phase == _HEAD:
            body.stash.append(sent)
            self.client.pause_for_upstream()

    async def _connect(self) -> None:
        try:
            connection = await self._runtime.pool.connect(self._upstream_at)
        except UnreachableError as error:
            if self._phase != _OVER:
                self.fail(Failure.UPSTREAM_UNREACHABLE, str(error))
            return
        except NoDescriptorError as lack:
            # The task's owner logs it for the operator; it says nothing about the environment.
            if self._phase != _OVER:
                self.fail(Failure.UNAVAILABLE, str(lack))
            raise
        except Exception:
            # A mistake of ours: the task's owner logs it, and the visitor must not wait for the response's time limit.
            if self._phase != _OVER:
                self.fail(Failure.UNAVAILABLE, "no connection was made")
            raise
        if self._phase == _OVER:
            connection.abort()
        elif connection.lost:
            # It said something before it was asked, or closed at once, and would not report that again.
            self.upstream_lost(None)
        elif self._owner is not None and (reason := self._owner.reason()) is not None:
            connection.abort()
            self.refuse(reason, None, read=self.request_done)
        else:
            self._attach(connection)

    def _attach(self, connection: UpstreamConnection) -> None:
        self.upstream = connection
        connection.exchange = self
        credentials = self.request.values.get(b"authorization")
        if credentials is not None and credentials.lower().startswith(_SIGNS_IN_CONNECTION):
            connection.signs_in = True
            self.client.signs_in_on = connection
        if self._intake is not None:
            self._intake.send(connection, self._request_head)
        elif self._body is not None and self._body.stash:
            connection.write(b"".join([self._request_head, *self._body.stash]))
            self._body.stash.clear()
            self.client.resume_for_upstream()
        else:
            connection.write(self._request_head)
        if self.client.write_paused:
            self.client_takes_no_more()

    def _may_repeat(self) -> bool:
        return self._reused and self._reader is None and self.request.method in _REPEATABLE and self._body is None

    # Reading the response

    def _read_head(self, reader: ResponseReader, data: bytes) -> None:
        try:
            head = reader.next_head(data)
            while head is not None and reader.head is None:
                if self.request.minor == 1:
                    self.client.write(informational_head(head))
                head = reader.next_head(b"")
        except BrokenResponseError as error:
            self.fail(Failure.UPSTREAM_BROKEN, str(error))
            return
        if head is None:
            return
        if self._filter is not None:
            self._filter.take(self, head, reader.rest)
        elif head.status == 101:
            self._switch(head, reader.rest)
        else:
            self._start_response(head, reader.rest)

    def hold(self, data: bytes, *, pause: bool) -> None:
        """Keep the response back, `data` and what follows; with `pause` the upstream is not read meanwhile."""
        self._phase = _HELD
        self._held = bytearray(data)
        if pause and self.upstream is not None:
            self.upstream.pause_reading(HELD)

    def _more_is_held(self, *, ended: bool) -> None:
        if self._filter is not None and self._held is not None:
            self._filter.more(self._held, ended=ended)

    def release(self, head: ResponseHead) -> None:
        """Let the response that was held go on under this head."""
        held, self._held = self._held or b"", None
        ended, self._end_behind_held = self._end_behind_held, None
        self._phase = _HEAD
        if self.upstream is not None:
            self.upstream.resume_reading(HELD)
        self.pass_on(head, bytes(held))
        if ended is not None:
            (self._tunnel or self).upstream_lost(ended[0])

    def discard_response(self) -> None:
        """Drop the connection and what was held of its response: the request is going to be sent again."""
        self._phase = _HEAD
        self._reader = self._held = self._end_behind_held = None
        self._reused = False
        self._drop_upstream()

    def pass_on(self, head: ResponseHead, data: bytes) -> None:
        """Let the response go on; `data` is what is there of its body."""
        if head.status == 101:
            self._switch(head, data)
        else:
            self._start_response(head, data)

    def _start_response(self, head: ResponseHead, data: bytes) -> None:
        client, reader, outflow = self.client, self._reader, self._outflow
        assert reader is not None  # noqa: S101 - it has read the head
        lines = [STATUS_LINES[head.status], *self._rewriter.fields(head)]
        recodes = outflow is not None and outflow.recodes
        is_plain = reader.framing == NO_BODY or (reader.framing == COUNTED and not recodes)
        if not is_plain:
            self._frame_anew(head, lines)
        elif not recodes and head.content_length is not None and head.status != 204:
            lines.append(b"Content-Length: %d\r\n" % head.content_length)
        if not self.request_done:
            # A response before the request's end: what is left of the body may never come.
            self._closes_client = True
        if self._closes_client or self._runtime.draining:
            self._closes_client = True
            lines.append(b"Connection: close\r\n")
        elif self.request.minor == 0:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._phase = _BODY
        if not is_plain:
            client.respond(b"".join(lines), b"")
            self._begin_body(reader, data)
            return
        # One system call for all that is here: most responses are small and arrive whole.
        if len(data) == reader.left:
            is_whole = True
        else:
            data = reader.read_body(data)
            is_whole = reader.is_complete
        if outflow is not None:
            data = outflow.begin_with(data, is_whole=is_whole)
        client.respond(b"".join(lines), data)
        self._is_large = not is_whole or len(data) > _SMALL
        if is_whole:
            self._outflow = None  # It is given nothing more.
            self._finish()
        elif outflow is not None:
            outflow.begin(self, chunked=False, in_pieces=False, waits=False)

    def _begin_body(self, reader: ResponseReader, data: bytes) -> None:
        """Pass on a body that is framed anew."""
        self._is_large = True
        if reader.framing == CHUNKED:
            self._steps = Steps(self, self._runtime.run_queue, self.upstream)
        if self._outflow is not None:
            in_pieces = reader.framing != COUNTED
            self._outflow.begin(self, chunked=self._chunks, in_pieces=in_pieces, waits=self._streams_events)
        if data or reader.is_complete:
            self.from_upstream(data)

    def _frame_anew(self, head: ResponseHead, lines: list[bytes]) -> None:
        """Say where a body ends whose length is known when its last byte has been made."""
        if head.content_length is None:
            self._streams_events = any(
                lower == b"content-type" and value.lower().startswith(b"text/event-stream")
                for lower, _, value in head.fields
            )
        if self.request.minor == 1:
            self._chunks = True
            lines.append(b"Transfer-Encoding: chunked\r\n")
        else:
            # HTTP/1.0 knows no other end of such a body than the connection's.
            self._closes_client = True

    def take_step(self, data: bytes, start: int) -> int:
        """Pass on the payload of one step of chunks; returns where it ends."""
        reader = self._reader
        assert reader is not None  # noqa: S101 - it has read the head
        before = reader.units
        try:
            payload = reader.read_body(data, start)
        except BrokenResponseError:
            self.cut()
            return len(data)
        if payload:
            self._deliver(payload)
        if reader.is_complete:
            self._finish()
        elif not self.client.charge((reader.units - before) // 2):
            self.cut()
        return reader.position

    def _deliver(self, data: bytes) -> None:
        """Pass a piece of the response's body to the client."""
        if self._outflow is not None:
            self._outflow.take(data)
        else:
            self.client.write(frame(data) if self._chunks else data)

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        """Become a WebSocket, where the upstream agreed to what was asked."""
        values = self.request.values
        if not self._upgrade or not is_accepted(values.get(b"sec-websocket-key", b""), head):
            self.fail(Failure.UPSTREAM_BROKEN, "it switched protocols without being asked, or not as asked")
            return
        # A socket's stage reads the frames, which no extension may have changed (RFC 6455, section 4.1).
        offered = self._socket is None and b"sec-websocket-extensions" in values
        if not offered and any(lower == b"sec-websocket-extensions" for lower, _, _ in head.fields):
            self.fail(Failure.UPSTREAM_BROKEN, "it accepted an extension of WebSockets that was not offered")
            return
        client, connection = self.client, self.upstream
        self._end()
        self.upstream = None
        tunnel = self._tunnel = Tunnel(client, self._runtime, connection, self._owner, self._socket)
        client.answered = True
        client.write(switching_head(self._rewriter.fields(head)))
        client.tunnel_opened(tunnel)
        tunnel.begin()
        if data:
            tunnel.from_upstream(data)

    # Ends

    def _finish(self) -> None:
        """The upstream response is complete: its connection is free for the next request, or closed."""
        self._phase = _ANSWERED
        connection, self.upstream = self.upstream, None
        if connection is not None:
            connection.exchange = None
            is_sent = self.request_done if self._intake is None else self._intake.is_sent
            if self._reader is not None and self._reader.is_reusable and is_sent and not self._upgrade:
                self._runtime.pool.give_back(self._upstream_at, self._holder, connection)
            else:
                connection.close()
        outflow = self._outflow
        if outflow is None:
            if self._chunks:
                self.client.write(LAST_CHUNK)
            self.conclude()
            return
        self._leave_gate()
        if outflow.finish():
            self.conclude()

    def conclude(self) -> None:
        """The client has been given all: its connection is free, or closed."""
        self._end()
        if self._is_large:
            # Its end may still lie in our buffers or the kernel's for as long as a slow client likes.
            self.client.hold_tail()
        self.client.exchange_over(keep_alive=not self._closes_client, request_done=self.request_done)

    def _leave_gate(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave(self)

    def _end(self) -> None:
        self._phase = _OVER
        if self._live is not None:
            self._live.discard(self)
        if self._intake is not None:
            self._intake.close()
        if self._outflow is not None:
            self._outflow.close()
        if self._gate is not None:
            self._leave_gate()

    def _drop_upstream(self) -> None:
        connection, self.upstream = self.upstream, None
        if connection is not None:
            connection.exchange = None
            connection.abort()

    def refuse(self, reason: str, detail: str | None, *, read: bool = False, request_id: str | None = None) -> None:
        """Refuse the request, which turned out to be wrong; `read` says that nothing of it is still to come."""
        self._end()
        self._drop_upstream()
        self.client.refuse(reason, detail, read=read, request_id=request_id)

    def withdraw(self) -> None:
        """The request goes nowhere: its client is answered otherwise."""
        self._end()
        self._drop_upstream()

    def fail(self, reason: str, cause: str) -> None:
        """The upstream did not answer as it should; the visitor learns that, the log learns why."""
        self._end()
        self._drop_upstream()
        if self._live is None:
            # Our own application failed, which is nothing that an environment's owner could mend.
            reason = Failure.UNAVAILABLE
        self.client.upstream_failed(reason, self._upstream_at.owner, cause)
