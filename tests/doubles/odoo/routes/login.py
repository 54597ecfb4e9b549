"""Login and logout."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.doubles.odoo import accounts, answers, pages
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.cookies import expired_cookie
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.store import AccessDenied, DatabaseRefused
from tests.doubles.odoo.visit import Visit

_FRAMING = [("X-Frame-Options", "SAMEORIGIN"), ("Content-Security-Policy", "frame-ancestors 'self'")]


def _form(visit: Visit, error: str = "", *, second_step: bool = False) -> Answer:
    page = pages.login(visit, error, second_step=second_step)
    if not error and not second_step:
        measured = "/web/login?redirect=%2Fodoo%3F" if "redirect" in visit.query else "/web/login"
        page = pages.sized(visit, page, measured)
    return answers.page(page, fields=_FRAMING)


@route("/web/login", methods=("GET", "POST"), auth="none")
def login(visit: Visit) -> Answer:
    """The form, and what it sends."""
    if visit.db is None:
        return visit.go("/web/database/selector")
    if visit.method != "POST":
        if visit.logged_in and visit.query.get("redirect"):
            return visit.go(_inside(visit.query["redirect"]))
        return _form(visit)
    try:
        user = accounts.check(
            visit, visit.database, visit.form.get("login", ""), visit.form.get("password", ""), visit.url_root
        )
    except AccessDenied as denied:
        return _form(visit, str(denied) if str(denied) == accounts.TOO_MANY else "Wrong login/password")
    accounts.log_in(visit, user)
    if user.totp:
        return visit.go("/web/login/totp")
    wanted = visit.form.get("redirect") or visit.query.get("redirect")
    return visit.go(_inside(wanted) if wanted else ("/my" if user.portal else "/odoo"))


@route("/web/login/totp", methods=("GET", "POST"))
def second_step(visit: Visit) -> Answer:
    """The code of a second factor."""
    user = visit.database.users.get(visit.session.half_login or 0)
    if user is None:
        return visit.go("/web/login")
    if visit.method == "POST":
        if visit.form.get("totp_token") == user.totp:
            accounts.complete(visit, user)
            return visit.go("/odoo")
        return _form(visit, "Verification failed, please double-check the 6-digit code", second_step=True)
    return _form(visit, second_step=True)


def _inside(wanted: str) -> str:
    """A redirect stays on this host: what a URL says before its path is dropped."""
    parts = urlsplit(wanted)
    inside = parts.path or "/"
    return f"{inside}?{parts.query}" if parts.query else inside


@route("/web/session/logout", auth="none")
def logout(visit: Visit) -> Answer:
    """End the session; sockets of it stay open until they speak."""
    visit.session = visit.world.sessions.end(visit.session)
    visit.cookies_out.append(expired_cookie("cids"))
    wanted = visit.query.get("redirect")
    return visit.go(_inside(wanted) if wanted else "/odoo")


@route("/web/session/destroy", auth="user", kind="json")
def destroy(visit: Visit) -> None:
    """The same by JSON."""
    visit.session = visit.world.sessions.end(visit.session)


@route("/web/session/authenticate", auth="none", kind="json")
def authenticate(visit: Visit) -> dict[str, Any]:
    """Log in by JSON: any database of the server, no token. Answers the whole session_info."""
    params = visit.params
    name = params["db"]
    db = visit.world.databases.get(name)
    if db is None or name not in visit.world.databases_for(visit.host):
        raise DatabaseRefused(
            'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  '
            f'database "{name}" does not exist\n'
        )
    user = accounts.check(visit, db, params["login"], params["password"], visit.url_root)
    visit.db = db
    visit.session.db = db.name
    accounts.log_in(visit, user)
    if user.totp:
        return {"uid": None}
    return pages.session_info(visit)


@route("/web/session/get_session_info", auth="user", kind="json")
def session_info(visit: Visit) -> dict[str, Any]:
    """The session_info alone."""
    visit.session.dirty = True
    return pages.session_info(visit)


@route("/web/session/check", auth="user", kind="json")
def session_check(visit: Visit) -> None:
    """Nothing, as long as the session lives."""
    del visit
