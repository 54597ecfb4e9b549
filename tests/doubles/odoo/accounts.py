"""Logging in: by form, by JSON and by XML-RPC the same thing happens."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.doubles.odoo.store import AccessDenied, Database
from tests.doubles.odoo.users import User
from tests.doubles.odoo.visit import Visit
from tests.doubles.odoo.world import Attempt

TOO_MANY = "Too many login failures, please wait a bit before trying again."


def check(
    visit: Visit, db: Database, login: str, password: str, base_location: str | None, *, interactive: bool = True
) -> User:
    """The user whose password this is, unless the worker has shut the door to the source address.

    A system user's login moves web.base.url to `base_location`. Raises AccessDenied.
    """
    user = _guarded(visit, db, login, lambda: db.authenticate(login, password, interactive=interactive))
    if user.system and base_location and not db.parameters.get("web.base.url.freeze"):
        db.set_parameter("web.base.url", base_location.rstrip("/"))
    return user


def check_program(visit: Visit, db: Database, uid: int, password: str) -> User:
    """The user of that number, for a program that brings password or key with each call; raises AccessDenied."""
    user = db.users.get(uid)

    def known() -> User:
        if user is None or not user.active:
            raise AccessDenied("Access Denied")
        db.check_password(user, password, interactive=False)
        return user

    return _guarded(visit, db, user.login if user else str(uid), known)


def _guarded(visit: Visit, db: Database, login: str, known: Callable[[], User]) -> User:
    settings, failures = visit.world.settings, visit.worker.failures
    door = (db.name, visit.remote_addr)
    count, latest = failures.get(door, (0, 0.0))
    most = settings.throttle_failures
    if 0 < most <= count and time.monotonic() - latest < settings.throttle_seconds:
        note(visit, db, login, "throttled")
        raise AccessDenied(TOO_MANY)
    try:
        user = known()
    except AccessDenied:
        failures[door] = (count + 1, time.monotonic())
        note(visit, db, login, "denied")
        raise
    failures.pop(door, None)
    half = user.totp is not None and visit.path in _WITH_SECOND_STEP
    note(visit, db, login, "second factor" if half else "ok")
    return user


_WITH_SECOND_STEP = {"/web/login", "/web/session/authenticate"}


def note(visit: Visit, db: Database, login: str, outcome: str) -> None:
    """Write an attempt down."""
    worker, source = visit.worker.number, visit.remote_addr
    visit.world.attempts.append(Attempt(login, source, db.name, visit.path, outcome, worker, time.time()))


def log_in(visit: Visit, user: User) -> None:
    """Make the session the user's, under a new id; a user with a second factor is half in."""
    session = visit.session
    if user.totp is not None:
        session.half_login = user.id
        session.uid = None
        session.dirty = True
        return
    complete(visit, user)


def complete(visit: Visit, user: User) -> None:
    """The session is the user's from now on."""
    session, db = visit.session, visit.database
    session.half_login = None
    session.uid, session.login = user.id, user.login
    session.db = db.name
    visit.world.sessions.rotate(session)
    session.token = db.session_token(user.id, session.sid)
