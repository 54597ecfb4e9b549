"""Sessions as Odoo keeps them: any well-formed id is good, and a login or logout moves to a new one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass, field, replace

# Odoo's ids are 84 characters of the URL-safe alphabet.
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{84}")
# A soft rotation keeps this much of the id, by which forms are known.
_STATIC = 42


@dataclass
class Session:
    """One visitor's session; `dirty` makes the answer set the cookie."""

    sid: str
    db: str | None = None
    uid: int | None = None
    login: str | None = None
    token: str | None = None  # valid for the user as of their login
    half_login: int | None = None  # a user whose second factor is still missing
    identity_checked: float | None = None  # when the password was given once more
    website: int | None = None  # the website that was forced
    debug: str = ""
    polls_bus: bool = False  # it asked for what it missed on the bus
    dirty: bool = False
    cart: list[int] = field(default_factory=list)
    requests: int = 0  # since its id is what it is
    created: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    next_sid: str | None = None  # what a soft rotation went on to
    deletion: float | None = None  # when that makes an end of this id

    @property
    def csrf_token(self) -> str:
        """What forms of this session must carry."""
        return hmac.new(b"csrf", self.sid[:_STATIC].encode(), hashlib.sha1).hexdigest() + "o"


@dataclass(frozen=True)
class Ended:
    """A logged-in session that is no more. `how`: logout, expired, or invalid where its token no longer fitted."""

    sid: str
    db: str | None
    login: str | None
    how: str


class Sessions:
    """All sessions of the server, whatever their database."""

    def __init__(self) -> None:
        self._kept: dict[str, Session] = {}
        self._ended: list[Ended] = []
        self._lock = threading.RLock()

    def open(self, sid: str | None, lifetime: float) -> Session:
        """The session of a cookie: the kept one, a new one under the same id, or one with an id of its own.

        One that was not saved for `lifetime` seconds is gone.
        """
        with self._lock:
            session = self._kept.get(sid or "")
            now = time.monotonic()
            if session is not None and now - session.saved > lifetime:
                self._forget(session, "expired")
            elif session is not None and session.deletion is not None and now >= session.deletion:
                del self._kept[session.sid]
            elif session is not None:
                return session
        if sid is not None and _WELL_FORMED.fullmatch(sid):
            return Session(sid)
        return Session(_new_id(), dirty=True)

    def keep(self, session: Session) -> None:
        """Remember a session that was touched."""
        with self._lock:
            session.saved = time.monotonic()
            self._kept[session.sid] = session

    def current(self, sid: str) -> Session | None:
        """The session that an id stands for now, be it under the id of a rotation."""
        with self._lock:
            session = self._kept.get(sid)
            if session is not None and session.next_sid is not None:
                return self.current(session.next_sid) or session
            return session

    def rotate(self, session: Session) -> None:
        """Give the session a new id; the former is nobody's from now on."""
        with self._lock:
            self._kept.pop(session.sid, None)
            session.sid = _new_id()
            session.dirty = True
            session.requests, session.created = 0, time.monotonic()
            self.keep(session)

    def rotate_softly(self, session: Session, grace: float) -> Session:
        """The session under a new id; the former stays good for `grace` seconds and leads to the same new one."""
        with self._lock:
            if session.next_sid is not None:
                return self._kept.get(session.next_sid, session)
            now = time.monotonic()
            sid = session.sid[:_STATIC] + _new_id()[_STATIC:]
            fresh = replace(session, sid=sid, requests=0, created=now, saved=now, dirty=True)
            session.next_sid, session.deletion = sid, now + grace
            self._kept[sid] = fresh
            return fresh

    def end(self, session: Session, how: str) -> Session:
        """Log out: a fresh session under a new id; the database stays chosen."""
        with self._lock:
            self._forget(session, how)
            fresh = Session(_new_id(), db=session.db, debug=session.debug, dirty=True)
            self._kept[fresh.sid] = fresh
        return fresh

    def expire(self, login: str | None = None) -> int:
        """Forget all sessions, or those of one login; says how many."""
        with self._lock:
            gone = [each for each in self._kept.values() if login is None or each.login == login]
            for session in gone:
                self._forget(session, "expired")
        return len(gone)

    def age(self, seconds: float, login: str | None = None) -> None:
        """Make sessions, or those of one login, older than they are: for rotations, graces and lifetimes."""
        with self._lock:
            for session in self._kept.values():
                if login is None or session.login == login:
                    session.created -= seconds
                    session.saved -= seconds
                    if session.deletion is not None:
                        session.deletion -= seconds

    def listed(self) -> list[Session]:
        """All that are kept."""
        with self._lock:
            return list(self._kept.values())

    def ended(self) -> list[Ended]:
        """The logged-in ones that ended, in order."""
        with self._lock:
            return list(self._ended)

    def _forget(self, session: Session, how: str) -> None:
        if self._kept.pop(session.sid, None) is not None and session.uid is not None and session.next_sid is None:
            self._ended.append(Ended(session.sid, session.db, session.login, how))


def _new_id() -> str:
    return secrets.token_urlsafe(63)
