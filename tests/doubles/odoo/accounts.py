"""Logging in: by form, by JSON and by XML-RPC the same thing happens."""

from __future__ import annotations

import time

from tests.doubles.odoo.store import AccessDenied, Database, User
from tests.doubles.odoo.visit import Visit

_FAILURES = 5
TOO_MANY = "Too many login failures, please wait a bit before trying again."


def check(visit: Visit, db: Database, login: str, password: str, base_location: str | None) -> User:
    """The user whose password this is, unless the worker has shut the door to the source address.

    A system user's login moves web.base.url to `base_location`. Raises AccessDenied.
    """
    source, failures = visit.remote_addr, visit.worker.failures
    count, latest = failures.get(source, (0, 0.0))
    if count >= _FAILURES and time.monotonic() - latest < visit.world.settings.throttle_seconds:
        raise AccessDenied(TOO_MANY)
    try:
        user = db.authenticate(login, password)
    except AccessDenied:
        failures[source] = (count + 1, time.monotonic())
        raise
    failures.pop(source, None)
    if user.system and base_location and not db.parameters.get("web.base.url.freeze"):
        db.parameters["web.base.url"] = base_location.rstrip("/")
    return user


def log_in(visit: Visit, user: User) -> None:
    """Make the session the user's, under a new id; a user with a second factor is half in."""
    session = visit.session
    if user.totp:
        session.half_login = user.id
        session.uid = None
        session.dirty = True
        return
    complete(visit, user)


def complete(visit: Visit, user: User) -> None:
    """The session is the user's from now on."""
    session = visit.session
    session.half_login = None
    session.uid, session.login = user.id, user.login
    session.db = visit.database.name
    visit.world.sessions.rotate(session)
