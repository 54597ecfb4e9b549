"""A request to Odoo: whole before Odoo sees it, and its answer taken as fast as Odoo gives it.

An Odoo worker serves one request at a time and waits for whoever is slow. So the request's body is spooled before
anything is connected, a turn is awaited, and what the visitor is too slow to take of the answer is spooled too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guestpass.app.link_cache import LinkEntry
from guestpass.app.notices import RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.odoo.fairness.examinations import BodyFinding, Question
from guestpass.odoo.fairness.examiner import SECONDS as EXAMINE_SECONDS
from guestpass.odoo.fairness.examiner import Examination, Examiner, NotExaminedError
from guestpass.odoo.fairness.fair_queue import WAIT_SECONDS, RequestQueue
from guestpass.odoo.fairness.spool import IN_MEMORY, Spool, SpoolRoom
from guestpass.odoo.http.json_bodies import is_little
from guestpass.odoo.http.response_filter import OdooResponse
from guestpass.outbound.findings import X_SENDFILE
from guestpass.wire.chunked import LAST_CHUNK, frame
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead, ResponseHead
from guestpass.wire.pool import Upstream
from guestpass.wire.run_queue import UNITS_A_STEP
from guestpass.wire.upstream_connection import UpstreamConnection

if TYPE_CHECKING:
    from guestpass.gateway.context import Admitted
    from guestpass.wire.client_connection import ClientConnection

_EXAMINED_LIKE_A_REQUEST: Final = 32 * 1024
"""Bytes of a body that take as much time to look at as a request does otherwise, at least."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an exchange with Odoo does when its turn comes.

    `readmit` decides once more, since much may have changed meanwhile: None is yes. `compose` builds the
    request's head for a body of so many bytes, or for none. Where the body decides what a request means, that is asked
    by `question`, and `act_on` makes of the finding what goes on in the body's stead (None is the body itself), what is
    answered without Odoo, or why it is refused; a body of more than `longest_examined` bytes is refused.
    """

    readmit: Callable[[], Reason | None]
    compose: Callable[[int | None], bytes]
    act_on: Callable[[BodyFinding], Examined]
    question: Question | None = None
    longest_examined: int = IN_MEMORY


@dataclass(frozen=True, slots=True)
class CallRefusal:
    """Why a body must not reach Odoo; `detail` is for the person who sent it."""

    reason: Reason
    detail: str | None = None


Examined = bytes | RenderedNotice | CallRefusal | None


class OdooExchange(Exchange):
    """An exchange that never lets a visitor hold an Odoo worker; `address` is what his bytes in the spool count for."""

    __slots__ = (
        "_body",
        "_examination",
        "_examiner",
        "_intake",
        "_odoo_answer",
        "_outflow",
        "_plan",
        "_pumping",
        "_turns",
        "_upstream_takes_more",
    )

    def __init__(
        self,
        client: ClientConnection,
        request: RequestHead,
        plan: Plan,
        upstream: Upstream,
        answer: OdooResponse,
        *,
        turns: RequestQueue,
        room: SpoolRoom,
        examiner: Examiner,
        entry: LinkEntry,
        visitor: str,
        admitted: Admitted,
        address: str,
        body_limit: int,
        response_timeout: float,
    ) -> None:
        super().__init__(
            client,
            request,
            b"",
            upstream,
            answer,
            body_limit=body_limit,
            response_timeout=response_timeout,
            entry=entry,
            visitor=visitor,
            admitted=admitted,
        )
        self._plan = plan
        self._odoo_answer = answer
        self._turns = turns
        holder = (visitor, entry.link.id, address)
        self._intake = Spool(room, holder, client.gateway.spawn, self._release_visitor)
        self._outflow = Spool(room, holder, client.gateway.spawn, self._release_odoo)
        self._examiner = examiner
        self._examination: Examination | None = None  # while the body is looked at beside the event loop
        self._body: bytes | None = None  # what is sent, where it is not in the intake's file
        self._pumping = False
        self._upstream_takes_more = asyncio.Event()
        self._upstream_takes_more.set()

    def begin(self) -> None:
        """Take the body first, then a turn."""
        if self.entry is not None:
            self.entry.live.add(self)
        if self.request_done:
            self._examine()
            return
        self._client.set_deadline(self._client.patience)
        if self._request.minor == 1 and self._request.values.get(b"expect", b"").lower() == b"100-continue":
            # Nobody upstream could say so: Odoo learns of the request when it is whole.
            self._client.write(_CONTINUE)

    def take_turn(self) -> None:
        """Send the request, if its link still lets it."""
        reason = self._plan.readmit()
        if reason is not None:
            self._refuse(reason, None, read=True)
            return
        if self._body is None and self._intake.is_in_memory:
            self._body = self._intake.take_all()
        if self._body is None and self._plan.question is not None:
            self._client.gateway.spawn(self._gather())
        else:
            self._send_request()

    async def _gather(self) -> None:
        """Bring a long call from its file into memory: where its session has ended, it is sent under another one."""
        pieces = []
        try:
            while piece := await self._intake.take():
                pieces.append(piece)
        except OSError:
            if not self._is_over:
                self._refuse(Reason.TOO_BUSY, "The upload could not be kept; try again later.")
            return
        if not self._is_over:
            self._body = b"".join(pieces)
            self.take_turn()

    def _examine(self) -> None:
        """The request is whole: look at its body, where that decides anything, before a turn is awaited."""
        question = self._plan.question
        if question is None:
            self._await_turn()
        elif self._intake.pending > self._plan.longest_examined:
            self._refuse(Reason.NOT_SHARED, "The body is larger than what can be looked at.")
        elif self._intake.is_in_memory and is_little(body := self._intake.peek()):
            self._go_on(question.answer(body))
        elif not self._charge(UNITS_A_STEP * (1 + self._intake.pending // _EXAMINED_LIKE_A_REQUEST), also_address=True):
            self._refuse(Reason.TOO_MANY_REQUESTS, "Too many long calls have been looked at.")
        else:
            self._client.set_deadline(EXAMINE_SECONDS)
            self._examination = Examination(self.entry.link.id if self.entry is not None else "")
            self._client.gateway.spawn(self._examine_beside(self._examination, question))

    async def _examine_beside(self, examination: Examination, question: Question) -> None:
        """Have another process look at a body that would hold this one up."""
        size = self._intake.pending
        try:
            finding = await self._examiner.examine(examination, question, size, self._intake.look_through())
        except NotExaminedError as error:
            if not self._is_over:
                self._refuse_unexamined(error)
            return
        self._examination = None
        if finding is not None and not self._is_over:
            self._go_on(finding)

    def _refuse_unexamined(self, error: NotExaminedError) -> None:
        gateway = self._client.gateway
        request_id = gateway.next_request_id()
        gateway.faults.tell(
            "body_not_examined",
            self.entry.link.id if self.entry is not None else None,
            request_id=request_id,
            cause=str(error),
            effect="the call gets 503",
            remedy="look at the memory, the processes and the processor time that this machine has left",
        )
        self._refuse(Reason.TOO_BUSY, "The body could not be examined.", request_id=request_id)

    def _go_on(self, finding: BodyFinding) -> None:
        examined = self._plan.act_on(finding)
        if examined is None:
            self._await_turn()
        elif isinstance(examined, bytes):
            self._intake.replace(examined)
            self._await_turn()
        elif isinstance(examined, CallRefusal):
            self._refuse(examined.reason, examined.detail, read=True)
        else:
            self._end()
            self._client.answer_instead(examined)

    def _send_request(self) -> None:
        size = None
        if self._request.has_body:
            size = len(self._body) if self._body is not None else self._intake.pending
        self._request_head = self._plan.compose(size)
        self._reach_upstream()

    def client_takes_no_more(self) -> None:
        """Odoo is read on; only an event stream waits for its reader."""
        if self._streams_events:
            super().client_takes_no_more()

    def client_takes_more(self) -> None:
        """Go on with what is spooled."""
        if self._streams_events:
            super().client_takes_more()
        elif self._outflow.pending and not self._pumping:
            self._pumping = True
            self._client.gateway.spawn(self._pump())

    def hold_client(self) -> None:
        """Odoo takes no more of the body at the moment; the client has nothing to do with that."""
        self._upstream_takes_more.clear()

    def release_client(self) -> None:
        """Odoo takes more of the body."""
        self._upstream_takes_more.set()

    # The request

    def _pass_body(self, payload: bytes) -> None:
        if payload and not self._intake.put(payload):
            self._refuse_for_room()
            return
        if self._intake.is_congested:
            self._client.pause_for_upstream()
        if self.request_done:
            self._examine()

    def _refuse_for_room(self) -> None:
        """The visitor, his link or his address holds as much as it may."""
        gateway, link = self._client.gateway, self.entry.link.id if self.entry is not None else None
        request_id = gateway.next_request_id()
        gateway.tell_of_client(
            "spool_used_up",
            self._intake.address,
            request_id=request_id,
            link=link,
            effect="uploads get 503, and answers wait in Odoo",
            remedy="raise GUESTPASS_SPOOL_LIMIT or GUESTPASS_SPOOL_LIMIT_PER_VISITOR, where that is no attack",
        )
        self._refuse(Reason.TOO_BUSY, "There is no room for this upload at the moment.", request_id=request_id)

    def _release_visitor(self) -> None:
        if self._intake.failed:
            self._refuse(Reason.TOO_BUSY, "The upload could not be kept; try again later.")
        else:
            self._client.resume_for_upstream()

    def _await_turn(self) -> None:
        self._client.set_deadline(WAIT_SECONDS)
        if not self._turns.enter(self):
            self._refuse(Reason.TOO_BUSY, "Too many requests wait for this environment.")

    def timed_out(self) -> None:
        """Also for a turn that did not come in time."""
        if self.request_done and not self._turns.holds(self) and self._upstream is None and not self._is_over:
            if self._outflow.pending:
                self.cut()
            elif self._examination is not None:
                self._refuse_unexamined(NotExaminedError(f"it took more than {EXAMINE_SECONDS:.0f} s"))
            else:
                self._refuse(Reason.TOO_BUSY, f"No turn came within {WAIT_SECONDS:.0f} seconds.")
        else:
            super().timed_out()

    def _attach(self, connection: UpstreamConnection) -> None:
        if self._body is not None:
            self._request_head += self._body
        super()._attach(connection)
        if self._body is None:
            self._client.gateway.spawn(self._send_body())

    async def _send_body(self) -> None:
        try:
            while data := await self._intake.take():
                if self._upstream is None:
                    return
                self._upstream.write(data)
                await self._upstream_takes_more.wait()
        except OSError as error:
            if not self._is_over:
                self._fail(Reason.UNAVAILABLE, f"the spooled body can't be read: {error.strerror or error}")

    # The answer

    def _start_answer(self, head: ResponseHead, data: bytes) -> None:
        if self._odoo_answer.names_a_file(head):
            if self.entry is not None:
                self._client.gateway.visits.found(self.entry.environment, X_SENDFILE)
            self._fail(Reason.ACCELERATED_FILE, "it answered with X-Accel-Redirect, which only its own nginx can serve")
            return
        super()._start_answer(head, data)

    def _frame_answer(self, head: ResponseHead) -> bytes:
        framing = super()._frame_answer(head)
        if not self._odoo_answer.is_encoded:
            return framing
        if self._odoo_answer.encoder is None:
            return b""
        # The length is known when the last byte is compressed, so it can't be said before the first one.
        if self._request.minor == 1:
            self._frames = True
            return b"Transfer-Encoding: chunked\r\n"
        self._closes_client = True
        return b""

    def _deliver(self, data: bytes) -> None:
        encoder = self._odoo_answer.encoder
        if encoder is not None:
            data = encoder.feed(data)
            if self._is_streaming:
                data += encoder.flush()
        if data:
            self._send(frame(data) if self._frames else data)

    def _send(self, data: bytes) -> None:
        """Write what the client takes at once; the rest waits in its order."""
        if self._streams_events or not (self._client.write_paused or self._outflow.pending or self._pumping):
            self._client.write(data)
        elif (not self._outflow.put(data) or self._outflow.is_congested) and self._upstream is not None:
            # Past the quotas, or faster than the disk, Odoo has to wait after all.
            self._upstream.pause_reading()

    def _release_odoo(self) -> None:
        if self._outflow.failed:
            self.cut()
        elif self._upstream is not None:
            self._upstream.resume_reading()

    async def _pump(self) -> None:
        """Bring what is spooled to the client for as long as it takes any."""
        try:
            while self._outflow.pending and not self._client.write_paused and not self._is_over:
                self._client.write(await self._outflow.take())
        except OSError:
            self.cut()
            return
        finally:
            self._pumping = False
        if self._is_over or self._outflow.pending:
            return
        if self._upstream is not None:
            self._upstream.resume_reading()
        elif self._is_answered:
            self._conclude()

    # Ends

    def _finish(self) -> None:
        self._release_upstream()
        self._turns.leave(self)
        encoder = self._odoo_answer.encoder
        if encoder is not None and (rest := encoder.finish()):
            self._send(frame(rest) if self._frames else rest)
        if self._frames:
            self._send(LAST_CHUNK)
        if not (self._outflow.pending or self._pumping):
            self._conclude()

    def _release_upstream(self) -> None:
        # A connection over which the body was not sent to its end can't carry another request.
        self._reusable = self._reusable and not self._intake.pending
        super()._release_upstream()

    def _end(self) -> None:
        super()._end()
        if self._examination is not None:
            self._examination.give_up()
            self._examination = None
        self._turns.leave(self)
        self._intake.close()
        self._outflow.close()
        self._upstream_takes_more.set()
