"""Exchanges of visitors who are signed in by their link: the session goes up, and never comes down.

Where Odoo moves a session to another id, that is written down before its answer goes on, so that no worker is left
with an id that is dead. Where Odoo has ended a session, a new one is made and the request repeated: Odoo refused it
before it did anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from guestpass.app.link_cache import LinkEntry
from guestpass.app.visitor_sessions import NoSession, VisitorSession, VisitorSessions
from guestpass.domain.reasons import Reason
from guestpass.odoo.bus.bus_socket import BusSocket
from guestpass.odoo.exchange import OdooExchange
from guestpass.odoo.http.blocked_paths import is_path
from guestpass.odoo.http.json_bodies import read_little
from guestpass.odoo.signed_in.session_cookie import session_set_by, without_session
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead, ResponseHead

_LOGIN: Final = b"/web/login"
_EXPIRED_CODE: Final = 100
# An answer that says "expired" holds a traceback, but no more; what is longer is a result and goes on at once.
_LONGEST_ERROR: Final = 64 * 1024

if TYPE_CHECKING:
    _Base = Exchange
else:
    _Base = object


@dataclass(slots=True)
class SessionUse:
    """The session under which one request goes up; `current` is None for a request that makes none.

    `readmit` says why the request may not go on, None where it may: nobody is signed in for one that may not.
    """

    sessions: VisitorSessions
    entry: LinkEntry
    visitor: str
    address: str
    current: VisitorSession | None
    readmit: Callable[[], Reason | None]
    ends_at: datetime | None = None

    async def renew(self) -> None:
        """Get another one in place of one that Odoo has ended; raises NoSession."""
        self.current = await self.sessions.obtain(
            self.entry,
            self.visitor,
            self.address,
            ends_at=self.ends_at,
            instead_of=self.current,
            readmit=self.readmit,
        )

    async def moved(self, id: bytes) -> None:
        """Odoo goes on under this id."""
        if self.current is not None:
            await self.sessions.moved(self.entry.link.id, self.visitor, self.current, id)


class _FollowsSession(_Base):
    """What both kinds of exchanges do about the session; while an id is written, the answer waits."""

    session: SessionUse  # given to it before it begins
    _held: bytearray | None = None
    _lost: tuple[Exception | None] | None = None

    def from_upstream(self, data: bytes) -> None:
        """Keep what comes while the answer waits."""
        if self._held is not None:
            self._held += data
            self._more_is_held()
        else:
            super().from_upstream(data)

    def upstream_lost(self, error: Exception | None) -> None:
        """Also that waits."""
        if self._held is not None and not self._is_over:
            self._upstream = None
            self._lost = (error,)
            self._more_is_held()
        else:
            super().upstream_lost(error)

    def _more_is_held(self) -> None:
        """Something more of the answer is there."""

    def _follow(self, head: ResponseHead, data: bytes, go_on: Callable[[ResponseHead, bytes], None]) -> None:
        """Go on with the answer, once the id that it moves the session to is written."""
        id = session_set_by(head.fields)
        head = without_session(head)
        current = self.session.current
        if current is None or id is None or id == current.id:
            self._let_go(head, data, go_on)
            return
        self._held = bytearray(data)
        if self._upstream is not None:
            self._upstream.pause_reading()
        self._client.gateway.spawn(self._write_down(id, head, go_on))

    async def _write_down(self, id: bytes, head: ResponseHead, go_on: Callable[[ResponseHead, bytes], None]) -> None:
        try:
            await self.session.moved(id)
        except Exception:
            # The answer is right all the same; this visitor's next request will meet an ended session, and renew it.
            self._client.gateway.log.exception("odoo_session_not_written", link=self.session.entry.link.id)
        if not self._is_over:
            held, self._held = self._held or b"", None
            self._let_go(head, bytes(held), go_on)

    def _let_go(self, head: ResponseHead, data: bytes, go_on: Callable[[ResponseHead, bytes], None]) -> None:
        lost, self._lost = self._lost, None
        go_on(head, data)
        if lost is not None:
            super().upstream_lost(lost[0])
        elif self._upstream is not None and not (self.is_tunnel and self._client.write_paused):
            self._upstream.resume_reading()


class SignedInTunnel(_FollowsSession, BusSocket):
    """A visitor's bus socket under his session."""

    def _start_answer(self, head: ResponseHead, data: bytes) -> None:
        self._follow(head, data, super()._start_answer)

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        self._follow(head, data, super()._switch)


class SignedInExchange(_FollowsSession, OdooExchange):
    """A visitor's request under his session."""

    _head: ResponseHead | None = None  # of an answer whose body says whether the session has ended
    _repeated = False

    def _start_answer(self, head: ResponseHead, data: bytes) -> None:
        if self._may_repeat_signed_in():
            if _leads_to_login(head) and not is_path(self._request.path, _LOGIN):
                self._renew()
                return
            if _may_say_expired(self._request, head):
                self._head, self._held = head, bytearray(data)
                self._more_is_held()
                return
        self._follow(head, data, super()._start_answer)

    def _more_is_held(self) -> None:
        head = self._head
        if head is None or self._held is None:
            return
        if self._lost is None and len(self._held) < (head.content_length or 0):
            return
        held, self._head, self._held = bytes(self._held), None, None
        if _says_expired(held):
            self._renew()
        else:
            self._follow(head, held, super()._start_answer)

    def _may_repeat_signed_in(self) -> bool:
        """Whether the request could be sent once more, under another session."""
        return not self._repeated and self.session.current is not None and self._body is not None

    def _renew(self) -> None:
        self._repeated = True
        self._held = self._lost = None
        self._drop_upstream()
        self._client.gateway.spawn(self._repeat())

    async def _repeat(self) -> None:
        try:
            await self.session.renew()
        except NoSession as error:
            if not self._is_over:
                self._refuse(error.reason, None, read=True)
            return
        except Exception:
            if not self._is_over:
                self._refuse(Reason.UNAVAILABLE, None, read=True)
            raise
        if not self._is_over:
            self._buffer = b""
            self._reused = False
            self.take_turn()


def _leads_to_login(head: ResponseHead) -> bool:
    """Whether Odoo sends the visitor to its login form, as it does where nobody is signed in."""
    if head.status not in (301, 302, 303, 307, 308):
        return False
    location = next((value for lower, _, value in head.fields if lower == b"location"), b"")
    try:
        path = urlsplit(location.decode("latin-1")).path.encode("latin-1")
    except ValueError:
        return False
    return is_path(path, _LOGIN)


def _may_say_expired(request: RequestHead, head: ResponseHead) -> bool:
    """Whether the body can be a JSON-RPC error, so that it has to be read before it is passed on."""
    kind = next((value for lower, _, value in head.fields if lower == b"content-type"), b"")
    return (
        request.method == b"POST"
        and head.status == 200
        and head.content_length is not None
        and 0 < head.content_length <= _LONGEST_ERROR
        and kind.partition(b";")[0].strip().lower() == b"application/json"
    )


def _says_expired(body: bytes) -> bool:
    if b"SessionExpired" not in body:
        return False
    answer = read_little(body)
    error = answer.get("error") if isinstance(answer, dict) else None
    return isinstance(error, dict) and error.get("code") == _EXPIRED_CODE
