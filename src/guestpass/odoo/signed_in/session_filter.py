"""Follow the Odoo session of a visitor: it is sent to Odoo with each request, and never to the visitor.

Where Odoo moves a session to another id, that is written down before its response goes on, so that no worker is left
with an id that is dead. Where Odoo has ended a session, a new one is made and the request repeated: Odoo refused it
before it did anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from guestpass.app.link_cache import LinkEntry
from guestpass.app.ports import NotAskedError, SessionEndedError
from guestpass.app.visitor_sessions import NoSession, VisitorSession, VisitorSessions
from guestpass.domain.reasons import Reason
from guestpass.gateway.fault_log import FaultLog
from guestpass.odoo.http.blocked_paths import is_path
from guestpass.odoo.http.json_bodies import read_little
from guestpass.odoo.signed_in.session_cookie import session_set_by, without_session
from guestpass.odoo.signed_in.session_mask import SessionMask
from guestpass.wire.heads import RequestHead, ResponseHead
from guestpass.wire.runtime import Runtime
from guestpass.wire.stages import ExchangeControl

_LOGIN: Final = b"/web/login"
# Where Odoo asks for the password of a session that it has locked (its module auth_timeout).
_LOCKED: Final = b"/auth-timeout/check-identity"
EXPIRED_CODE: Final = 100
"""The code of the error by which Odoo says that a session has ended."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
# A response that says "expired" holds a traceback, but no more; what is longer is a result and goes on at once.
_LONGEST_ERROR: Final = 64 * 1024


class SessionUse:
    """The session under which one request goes up; `current` is None for a request that makes none.

    `readmit` says why the request may not go on, None where it may: no visitor is signed in for one that may not.
    """

    __slots__ = ("_address", "_ends_at", "_entry", "_moved_to", "_readmit", "_sessions", "_visitor", "current")

    def __init__(
        self,
        sessions: VisitorSessions,
        entry: LinkEntry,
        visitor: str,
        address: str,
        current: VisitorSession | None,
        readmit: Callable[[], Reason | None],
        ends_at: datetime | None = None,
    ) -> None:
        self._sessions = sessions
        self._entry = entry
        self._visitor = visitor
        self._address = address
        self._readmit = readmit
        self._ends_at = ends_at
        self._moved_to: bytes | None = None
        self.current = current

    @property
    def link_id(self) -> str:
        """The link that signs the visitor in."""
        return self._entry.link.id

    async def renew(self) -> None:
        """Get another one in place of one that Odoo has ended; raises NoSession."""
        self.current = await self._sessions.obtain(
            self._entry,
            self._visitor,
            self._address,
            ends_at=self._ends_at,
            instead_of=self.current,
            readmit=self._readmit,
        )

    async def count(self, model: str, domain: Sequence[object]) -> int:
        """How many records match, as far as the visitor may read them; raises NoSession and NotAskedError."""
        ended = None
        while True:
            if self.current is None or self.current is ended:
                await self.renew()
            session = self.current
            if session is None:
                raise NoSession(Reason.UNAVAILABLE)
            try:
                counted = await self._sessions.count(session, model, domain, address=self._address)
            except SessionEndedError:
                if ended is not None:
                    raise NotAskedError("it ends each session at once") from None
                ended = session
                continue
            if counted.moved_to is not None and counted.moved_to.encode("latin-1") != session.id:
                await self.moved(counted.moved_to.encode("latin-1"))
            return counted.records

    async def moved(self, id: bytes) -> None:
        """Odoo goes on under this id."""
        self._moved_to = id
        if self.current is not None:
            await self._sessions.moved(self._entry.link.id, self._visitor, self.current, id)

    def mask(self) -> SessionMask:
        """What takes the session's ids out of an answer."""
        ids = [] if self.current is None else [self.current.id]
        return SessionMask(ids if self._moved_to is None else [*ids, self._moved_to])


class SentRequest(Protocol):
    """A request that was sent."""

    @property
    def is_repeatable(self) -> bool:
        """Whether all of it is at hand, so that it could be sent once more."""
        ...


class NextFilter(Protocol):
    """What decides about a response once nothing is to be said of its session."""

    def takes(self, exchange: ExchangeControl, head: ResponseHead, data: bytes, /) -> bool:
        """Whether the response, of whose body `data` is there, does not simply go on."""
        ...

    def more(self, held: bytearray, /, *, ended: bool) -> None:
        """More has arrived of a response that it holds, or its connection has `ended`."""
        ...


class SessionFilter:
    """What a response says of the session; without `sent` the request is never repeated.

    `then` is asked as well before a response goes on.
    """

    __slots__ = ("_exchange", "_fault_log", "_head", "_is_taken", "_repeated", "_runtime", "_sent", "_then", "_use")

    def __init__(
        self,
        runtime: Runtime,
        fault_log: FaultLog,
        use: SessionUse,
        sent: SentRequest | None = None,
        then: NextFilter | None = None,
    ) -> None:
        self._runtime = runtime
        self._fault_log = fault_log
        self._use = use
        self._sent = sent
        self._then = then
        self._repeated = False
        self._is_taken = False  # the response is in the hands of `then`
        self._exchange: ExchangeControl | None = None
        self._head: ResponseHead | None = None  # of a response whose body says whether the session has ended

    def take(self, exchange: ExchangeControl, head: ResponseHead, data: bytes) -> None:
        """Follow the session, or renew it."""
        self._exchange, self._is_taken = exchange, False
        if head.status in _REDIRECTS:
            if self._may_repeat() and _leads_to_login(head) and not is_path(exchange.request.path, _LOGIN):
                self._renew(exchange)
                return
        elif _may_say_expired(exchange.request, head):
            if len(data) < (head.content_length or 0):
                if _is_json(head) and self._may_repeat():
                    self._head = head
                    exchange.hold(data, pause=False)
                    return
            elif _says_expired(data) and _is_json(head) and self._may_repeat():
                self._renew(exchange)
                return
        if head.block is None:  # Nothing that sets a cookie is shared.
            moved_to, head = self._session_of(head)
            if moved_to is not None:
                exchange.hold(data, pause=True)
                self._runtime.spawn(self._write_down(exchange, moved_to, head, data))
                return
        if self._then is None:
            exchange.pass_on(head, data)
            return
        self._is_taken = self._then.takes(exchange, head, data)
        if not self._is_taken:
            exchange.pass_on(head, data)

    def more(self, held: bytearray, *, ended: bool) -> None:
        """Where the body says whether the session has ended, read it as soon as it is whole."""
        exchange, head = self._exchange, self._head
        if self._is_taken and self._then is not None:
            self._then.more(held, ended=ended)
            return
        if exchange is None or head is None or (not ended and len(held) < (head.content_length or 0)):
            return
        self._head = None
        if _says_expired(held):
            self._renew(exchange)
            return
        moved_to, head = self._session_of(head)
        if moved_to is not None:
            exchange.hold(bytes(held), pause=True)
            self._runtime.spawn(self._write_down(exchange, moved_to, head, bytes(held)))
        else:
            self._release(exchange, head, bytes(held))

    def _session_of(self, head: ResponseHead) -> tuple[bytes | None, ResponseHead]:
        """The id that the response moves the session to, if it does, and the head for the visitor."""
        id, current = session_set_by(head.fields), self._use.current
        moves = current is not None and id is not None and id != current.id
        return (id if moves else None), without_session(head)

    async def _write_down(self, exchange: ExchangeControl, id: bytes, head: ResponseHead, data: bytes) -> None:
        try:
            await self._use.moved(id)
        except Exception:
            # The response is right all the same; the visitor's next request will meet an ended session, and renew it.
            self._fault_log.log.exception("odoo_session_not_written", link=self._use.link_id)
        if not exchange.is_over:
            self._release(exchange, head, data)

    def _release(self, exchange: ExchangeControl, head: ResponseHead, data: bytes) -> None:
        if not self._is_taken_on(exchange, head, data):
            exchange.release(head)

    def _is_taken_on(self, exchange: ExchangeControl, head: ResponseHead, data: bytes) -> bool:
        self._is_taken = self._then is not None and self._then.takes(exchange, head, data)
        return self._is_taken

    def _may_repeat(self) -> bool:
        """Whether the request could be sent once more, under another session."""
        return (
            not self._repeated and self._sent is not None and self._sent.is_repeatable and self._use.current is not None
        )

    def _renew(self, exchange: ExchangeControl) -> None:
        self._repeated = True
        exchange.discard_response()
        self._runtime.spawn(self._repeat(exchange))

    async def _repeat(self, exchange: ExchangeControl) -> None:
        try:
            await self._use.renew()
        except NoSession as error:
            if not exchange.is_over:
                exchange.refuse(error.reason, None, read=True)
            return
        except Exception:
            if not exchange.is_over:
                exchange.refuse(Reason.UNAVAILABLE, None, read=True)
            raise
        if not exchange.is_over:
            exchange.take_turn()


def _leads_to_login(head: ResponseHead) -> bool:
    """Whether a redirect leads to a form for a password, as Odoo's does without a session, or with a locked one."""
    try:
        path = urlsplit(head.first(b"location").decode("latin-1")).path.encode("latin-1")
    except ValueError:
        return False
    return is_path(path, _LOGIN) or is_path(path, _LOCKED)


def _may_say_expired(request: RequestHead, head: ResponseHead) -> bool:
    """Whether the body, where it is JSON, can be an error of JSON-RPC and has to be read before it is passed on."""
    length = head.content_length
    return request.method == b"POST" and head.status == 200 and length is not None and 0 < length <= _LONGEST_ERROR


def _is_json(head: ResponseHead) -> bool:
    return head.first(b"content-type").partition(b";")[0].strip().lower() == b"application/json"


def _says_expired(body: bytes | bytearray) -> bool:
    if b"SessionExpired" not in body and b"CheckIdentity" not in body:
        return False
    answer = read_little(bytes(body))
    error = answer.get("error") if isinstance(answer, dict) else None
    return isinstance(error, dict) and error.get("code") == EXPIRED_CODE
