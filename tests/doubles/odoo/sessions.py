"""Sessions as Odoo keeps them: any well-formed id is good, and a login or logout moves to a new one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass, field

# Odoo's ids are 84 characters of the URL-safe alphabet.
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{84}")
_GRACE = 60.0


@dataclass
class Session:
    """One visitor's session; `dirty` makes the answer set the cookie."""

    sid: str
    db: str | None = None
    uid: int | None = None
    login: str | None = None
    half_login: int | None = None  # a user whose second factor is still missing
    debug: str = ""
    dirty: bool = False
    cart: list[int] = field(default_factory=list)

    @property
    def csrf_token(self) -> str:
        """What forms of this session must carry."""
        return hmac.new(b"csrf", self.sid.encode(), hashlib.sha1).hexdigest() + "o"


class Sessions:
    """All sessions of the server, whatever their database."""

    def __init__(self) -> None:
        self._kept: dict[str, Session] = {}
        self._former: dict[str, tuple[Session, float]] = {}
        self._lock = threading.Lock()

    def open(self, sid: str | None) -> Session:
        """The session of a cookie: the kept one, a new one under the same id, or one with an id of its own."""
        with self._lock:
            if sid in self._kept:
                return self._kept[sid]
            if sid in self._former:
                session, until = self._former[sid]
                if time.monotonic() < until:
                    return session
        if sid is not None and _WELL_FORMED.fullmatch(sid):
            return Session(sid)
        return Session(_new_id(), dirty=True)

    def keep(self, session: Session) -> None:
        """Remember a session that was touched."""
        with self._lock:
            self._kept[session.sid] = session

    def alive(self, session: Session) -> bool:
        """Whether the session is still what it was when it was opened."""
        with self._lock:
            return self._kept.get(session.sid) is session

    def rotate(self, session: Session, *, grace: bool = False) -> Session:
        """Give the session a new id. The former is nobody's from now on, or with `grace` after a minute."""
        with self._lock:
            self._kept.pop(session.sid, None)
            if grace:
                self._former[session.sid] = (session, time.monotonic() + _GRACE)
            session.sid = _new_id()
            session.dirty = True
            self._kept[session.sid] = session
        return session

    def end(self, session: Session) -> Session:
        """Log out: a fresh session under a new id; the database stays chosen."""
        with self._lock:
            self._kept.pop(session.sid, None)
            fresh = Session(_new_id(), db=session.db, dirty=True)
            self._kept[fresh.sid] = fresh
        return fresh

    def expire(self, login: str | None = None) -> int:
        """Forget all sessions, or those of one login; says how many."""
        with self._lock:
            gone = [sid for sid, each in self._kept.items() if login is None or each.login == login]
            for sid in gone:
                del self._kept[sid]
            self._former.clear()
        return len(gone)

    def listed(self) -> list[Session]:
        """All that are kept."""
        with self._lock:
            return list(self._kept.values())


def _new_id() -> str:
    return secrets.token_urlsafe(63)
