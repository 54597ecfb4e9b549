"""Take a request whole before an Odoo is sent any of it: its workers serve one at a time and wait for slow clients."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from guestpass.app.notices import RenderedNotice
from guestpass.app.ports import NotAskedError
from guestpass.app.visitor_sessions import NoSession
from guestpass.domain.reasons import Reason
from guestpass.gateway.fault_log import FaultLog
from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, Question
from guestpass.odoo.fairness.examiner import SECONDS as EXAMINE_SECONDS
from guestpass.odoo.fairness.examiner import Examination, Examiner, NotExaminedError
from guestpass.odoo.fairness.repeated_calls import examine
from guestpass.odoo.fairness.spool import Holder, Spool, SpoolRoom
from guestpass.odoo.http.json_bodies import SHORT, is_little
from guestpass.wire.run_queue import UNITS_A_STEP
from guestpass.wire.runtime import Runtime
from guestpass.wire.stages import ExchangeControl
from guestpass.wire.upstream_connection import UpstreamConnection

_EXAMINED_LIKE_A_REQUEST: Final = 32 * 1024
"""Bytes of a body that take as much time to look at as a request does otherwise, at least."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class CallRefusal:
    """Why a body must not reach Odoo; `detail` is for the person who sent it."""

    reason: Reason
    detail: str | None = None


Examined = bytes | RenderedNotice | CallRefusal | None


class RequestPlan(Protocol):
    """What is made of a request when it is whole.

    Where the body decides what a request means, that is asked by `question`; a body of more than `longest_examined`
    bytes is refused then.
    """

    @property
    def question(self) -> Question | None:
        """What is asked of the body; None where it decides nothing."""
        ...

    @property
    def longest_examined(self) -> int:
        """Bytes."""
        ...

    def compose(self, size: int | None) -> bytes:
        """The head for Odoo, for a body of so many bytes, or for none."""
        ...

    async def ask(self, finding: BodyFinding) -> BodyFinding:
        """Ask Odoo what the finding depends on; raises NotAskedError and NoSession."""
        ...

    def act_on(self, finding: BodyFinding) -> Examined:
        """What goes on in the body's stead (None for itself), is answered without Odoo, or why it is refused."""
        ...


class BodyIntake:
    """The body of one request, in memory or in the spool; what `holder` has there counts for them."""

    __slots__ = (
        "_body",
        "_examination",
        "_examiner",
        "_exchange",
        "_fault_log",
        "_holder",
        "_is_composed",
        "_plan",
        "_room",
        "_runtime",
        "_spool",
        "_takes_more",
    )

    def __init__(
        self,
        runtime: Runtime,
        fault_log: FaultLog,
        plan: RequestPlan,
        room: SpoolRoom,
        holder: Holder,
        examiner: Examiner,
    ) -> None:
        self._runtime = runtime
        self._fault_log = fault_log
        self._plan = plan
        self._room = room
        self._holder = holder
        self._examiner = examiner
        self._exchange: ExchangeControl | None = None
        self._spool: Spool | None = None
        self._examination: Examination | None = None  # while the body is looked at beside the event loop
        self._body: bytes | None = None  # what is sent, where it is not in the spool's file
        self._is_composed = False  # its turn has come
        self._takes_more: asyncio.Event | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether all of the request is at hand once it was sent."""
        return self._body is not None

    @property
    def is_sent(self) -> bool:
        """Whether Odoo was given the whole body; else its connection can't carry another request."""
        return self._spool is None or not self._spool.pending

    def begin(self, exchange: ExchangeControl) -> None:
        """Take the body first."""
        self._exchange = exchange
        if exchange.request_done:
            if self._plan.question is None:
                exchange.proceed()
            else:
                self._examine(exchange)
            return
        client, head = exchange.client, exchange.request
        client.set_deadline(client.patience)
        if head.minor == 1 and head.values.get(b"expect", b"").lower() == b"100-continue":
            # Odoo can't answer this: it is sent the request when the body is whole.
            client.write(_CONTINUE)

    def take(self, payload: bytes) -> None:
        """Keep a piece of the body."""
        exchange, spool = self._exchange, self._spool
        if exchange is None:
            return
        if spool is None:
            if exchange.request_done and self._take_whole(exchange, payload):
                return
            spool = self._spool = Spool(self._room, self._holder, self._runtime.spawn, self._relieved)
        if payload and not spool.put(payload):
            self._refuse_for_room(exchange)
            return
        if spool.is_congested:
            exchange.client.pause_for_upstream()
        if exchange.request_done:
            self._examine(exchange)

    def _take_whole(self, exchange: ExchangeControl, body: bytes) -> bool:
        """Send a small body that came in one piece, without the spool unless it has to wait for its turn.

        Returns whether that was done: a body that takes long to look at goes into the spool first.
        """
        question = self._plan.question
        if question is None:
            if len(body) > SHORT:
                return False
        elif not is_little(body):
            return False
        self._body = body
        if question is None:
            exchange.proceed()
        else:
            self._go_on(exchange, examine(question, body))
        if not (self._is_composed or exchange.is_over):
            self._keep(exchange)
        return True

    def _keep(self, exchange: ExchangeControl) -> None:
        """Count a body that waits for its turn among what its visitor has in the spool."""
        body, self._body = self._body, None
        self._spool = Spool(self._room, self._holder, self._runtime.spawn, self._relieved)
        if body and not self._spool.put(body):
            self._refuse_for_room(exchange)

    def _relieved(self) -> None:
        """The spool has caught up with its file, or lost it."""
        exchange = self._exchange
        if exchange is None:
            return
        if self._spool is not None and self._spool.failed:
            exchange.refuse(Reason.TOO_BUSY, "The upload could not be kept; try again later.")
        else:
            exchange.client.resume_for_upstream()

    def _refuse_for_room(self, exchange: ExchangeControl) -> None:
        """Refuse a body where the visitor, their link or their address holds as much as it may."""
        _, link, address = self._holder
        request_id = self._fault_log.next_request_id()
        self._fault_log.of_client(
            "spool_used_up",
            address,
            request_id=request_id,
            link=link,
            effect="uploads get 503, and answers wait in Odoo",
            remedy="raise GUESTPASS_SPOOL_LIMIT or GUESTPASS_SPOOL_LIMIT_PER_VISITOR, where that is no attack",
        )
        exchange.refuse(Reason.TOO_BUSY, "There is no room for this upload at the moment.", request_id=request_id)

    # What the body means

    def _examine(self, exchange: ExchangeControl) -> None:
        """Look at a whole body, where that decides anything, before a turn is awaited."""
        question, spool = self._plan.question, self._spool
        if question is None:
            exchange.proceed()
            return
        pending = 0 if spool is None else spool.pending
        if pending > self._plan.longest_examined:
            exchange.refuse(Reason.NOT_SHARED, "The body is too large to be examined.")
        elif (spool is None or spool.is_in_memory) and is_little(body := b"" if spool is None else spool.peek()):
            self._go_on(exchange, examine(question, body))
        elif not exchange.client.charge(UNITS_A_STEP * (1 + pending // _EXAMINED_LIKE_A_REQUEST), also_address=True):
            exchange.refuse(Reason.TOO_MANY_REQUESTS, "Too many long calls have been examined.")
        else:
            exchange.client.set_deadline(EXAMINE_SECONDS)
            self._examination = Examination(self._holder[1])
            self._runtime.spawn(self._examine_beside(exchange, self._examination, question))

    async def _examine_beside(self, exchange: ExchangeControl, examination: Examination, question: Question) -> None:
        """Have another process look at a body that would hold this one up."""
        spool = self._spool
        if spool is None:
            return
        try:
            finding = await self._examiner.examine(examination, question, spool.pending, spool.look_through())
        except NotExaminedError as error:
            if not exchange.is_over:
                self._refuse_unexamined(exchange, error)
            return
        self._examination = None
        if finding is not None and not exchange.is_over:
            self._go_on(exchange, finding)

    def timed_out(self) -> None:
        """An examination takes too long."""
        if self._exchange is not None:
            error = NotExaminedError(f"it took more than {EXAMINE_SECONDS:.0f} s")
            self._refuse_unexamined(self._exchange, error)

    def _refuse_unexamined(self, exchange: ExchangeControl, error: NotExaminedError) -> None:
        request_id = self._fault_log.next_request_id()
        self._fault_log.faults.warn(
            "body_not_examined",
            self._holder[1],
            request_id=request_id,
            cause=str(error),
            effect="the call gets 503",
            remedy="look at the memory, the processes and the processor time that this machine has left",
        )
        exchange.refuse(Reason.TOO_BUSY, "The body could not be examined.", request_id=request_id)

    def _go_on(self, exchange: ExchangeControl, finding: BodyFinding) -> None:
        if finding.outcome is Outcome.DEPENDS:
            exchange.client.set_deadline(EXAMINE_SECONDS)
            self._runtime.spawn(self._ask(exchange, finding))
            return
        examined = self._plan.act_on(finding)
        if examined is None:
            exchange.proceed()
        elif isinstance(examined, bytes):
            if self._spool is not None:
                self._spool.replace(examined)
            else:
                self._body = examined
            exchange.proceed()
        elif isinstance(examined, CallRefusal):
            exchange.refuse(examined.reason, examined.detail, read=True)
        else:
            exchange.withdraw()
            exchange.client.answer_instead(examined.status, examined.fields, examined.body)

    async def _ask(self, exchange: ExchangeControl, finding: BodyFinding) -> None:
        """Go on when Odoo has said what the finding depends on."""
        try:
            found = await self._plan.ask(finding)
        except NoSession as error:
            reason = error.reason
        except NotAskedError as error:
            if not exchange.is_over:
                self._refuse_unexamined(exchange, NotExaminedError(f"Odoo could not be asked about it: {error}"))
            return
        except Exception:
            if not exchange.is_over:
                exchange.refuse(Reason.UNAVAILABLE, None, read=True)
            raise
        else:
            if not exchange.is_over:
                self._go_on(exchange, found)
            return
        if not exchange.is_over:
            exchange.refuse(reason, None, read=True)

    # Sending

    def send_instead(self, body: bytes) -> None:
        """Have this body sent when the next turn is taken."""
        self._body = body

    def compose(self) -> bytes | None:
        """The head for Odoo; None while a long call is brought from its file into memory."""
        exchange, spool = self._exchange, self._spool
        if exchange is None:
            return None
        self._is_composed = True
        if self._body is None:
            if spool is None:
                self._body = b""
            elif spool.is_in_memory:
                self._body = spool.take_all()
            elif self._plan.question is not None:
                # Where its session has ended, it is sent under another one.
                self._runtime.spawn(self._gather(exchange, spool))
                return None
        if self._body is not None:
            return self._plan.compose(len(self._body) if self._body or exchange.request.has_body else None)
        return self._plan.compose(None if spool is None else spool.pending)

    async def _gather(self, exchange: ExchangeControl, spool: Spool) -> None:
        pieces = []
        try:
            while piece := await spool.take():
                pieces.append(piece)
        except OSError:
            if not exchange.is_over:
                exchange.refuse(Reason.TOO_BUSY, "The upload could not be kept; try again later.")
            return
        if not exchange.is_over:
            self._body = b"".join(pieces)
            exchange.take_turn()

    def send(self, connection: UpstreamConnection, head: bytes) -> None:
        """Send the request, at once where it is in memory."""
        if self._body is not None:
            connection.write(head + self._body if self._body else head)
            return
        connection.write(head)
        self._takes_more = asyncio.Event()
        self._takes_more.set()
        if self._exchange is not None and self._spool is not None:
            self._runtime.spawn(self._send_file(self._exchange, self._spool, connection, self._takes_more))

    @staticmethod
    async def _send_file(
        exchange: ExchangeControl, spool: Spool, connection: UpstreamConnection, takes_more: asyncio.Event
    ) -> None:
        try:
            while data := await spool.take():
                if exchange.upstream is not connection:
                    return
                connection.write(data)
                await takes_more.wait()
        except OSError as error:
            if not exchange.is_over:
                exchange.fail(Reason.UNAVAILABLE, f"the spooled body can't be read: {error.strerror or error}")

    def upstream_takes_no_more(self) -> None:
        """Odoo takes no more of the body at the moment; the client has nothing to do with that."""
        if self._takes_more is not None:
            self._takes_more.clear()

    def upstream_takes_more(self) -> None:
        """Odoo takes more of the body."""
        if self._takes_more is not None:
            self._takes_more.set()

    def close(self) -> None:
        """Let go of the body."""
        if self._examination is not None:
            self._examination.give_up()
            self._examination = None
        if self._spool is not None:
            self._spool.close()
        if self._takes_more is not None:
            self._takes_more.set()
