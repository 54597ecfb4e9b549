"""Login and logout."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.odoo import accounts, answers, pages
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.calls import Call
from tests.doubles.odoo.cookies import expired_cookie
from tests.doubles.odoo.credentials import change_password
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.store import AccessDenied, AccessRefused, DatabaseRefused, UserMistake
from tests.doubles.odoo.visit import Visit

_FRAMING = [("X-Frame-Options", "SAMEORIGIN"), ("Content-Security-Policy", "frame-ancestors 'self'")]


def _form(visit: Visit, error: str = "", *, second_step: bool = False) -> Answer:
    page = pages.login(visit, error, second_step=second_step)
    if not error and not second_step:
        measured = "/web/login?redirect=%2Fodoo%3F" if "redirect" in visit.query else "/web/login"
        page = pages.sized(visit, page, measured)
    return answers.page(page, fields=_FRAMING)


@route("/web/login", auth="none")
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
            visit, visit.database, visit.values.get("login", ""), visit.values.get("password", ""), visit.url_root
        )
    except AccessDenied as denied:
        return _form(visit, str(denied) if str(denied) == accounts.TOO_MANY else "Wrong login/password")
    accounts.log_in(visit, user)
    if user.totp is not None:
        return visit.go("/web/login/totp")
    wanted = visit.values.get("redirect")
    return visit.go(_inside(wanted) if wanted else ("/my" if user.portal else "/odoo"))


@route("/web/login/totp")
def second_step(visit: Visit) -> Answer:
    """The code of a second factor."""
    user = visit.database.users.get(visit.session.half_login or 0)
    if user is None:
        return visit.go("/web/login")
    if visit.method == "POST":
        if visit.values.get("totp_token") == user.totp:
            accounts.note(visit, visit.database, user.login, "ok")
            accounts.complete(visit, user)
            return visit.go("/odoo")
        accounts.note(visit, visit.database, user.login, "denied")
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
    visit.session = visit.world.sessions.end(visit.session, "logout")
    visit.cookies_out.append(expired_cookie("cids"))
    wanted = visit.values.get("redirect")
    return visit.go(_inside(wanted) if wanted else "/odoo")


@route("/web/session/destroy", auth="user", kind="json")
def destroy(visit: Visit) -> None:
    """The same by JSON."""
    visit.session = visit.world.sessions.end(visit.session, "logout")


@route("/web/session/authenticate", auth="none", kind="json")
def authenticate(visit: Visit) -> dict[str, Any]:
    """Log in by JSON: any database of the server, no token. Answers the whole session_info."""
    params = visit.params
    name = params["db"]
    db = visit.world.databases.get(name)
    if visit.world.settings.dbfilter and name not in visit.world.databases_for(visit.host):
        raise AccessRefused("Database not found.")
    if db is None:
        raise DatabaseRefused(
            'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  '
            f'database "{name}" does not exist\n'
        )
    user = accounts.check(visit, db, params["login"], params["password"], visit.url_root)
    visit.db = db
    visit.session.db = db.name
    accounts.log_in(visit, user)
    if user.totp is not None:
        return {"uid": None}
    return pages.session_info(visit)


@route("/web/session/change_password", auth="user", kind="json")
def change_by_old_and_new(visit: Visit) -> dict[str, Any]:
    """Another password, as the user menu of versions before 17 sent it: named fields, the old one among them."""
    given = {str(each["name"]): str(each["value"]) for each in visit.params["fields"]}
    old, new, confirmed = (given.get(name, "") for name in ("old_pwd", "new_password", "confirm_pwd"))
    if not (old.strip() and new.strip() and confirmed.strip()):
        return {"error": "You cannot leave any password empty."}
    if new != confirmed:
        return {"error": "The new password and its confirmation must be identical."}
    try:
        change_password(_own(visit, "change_password", [old, new]))
    except AccessDenied:
        return {"error": "The old password you provided is incorrect, your password was not changed."}
    except UserMistake as mistake:
        return {"error": str(mistake)}
    return {"new_password": new}


def _own(visit: Visit, method: str, args: list[Any]) -> Call:
    return Call(visit.database, visit.user, visit.path, "res.users", method, args, session=visit.session)


@route("/web/reset_password", "/web/signup", auth="public")
def reset_password(visit: Visit) -> Answer:
    """Ask for a mail with a token, or choose a password with the token of such a mail."""
    given, db = visit.values, visit.database
    if visit.method == "POST" and given.get("token"):
        mail = next((each for each in db.records["mail.mail"].values() if each.get("token") == given["token"]), None)
        if mail is None or not given.get("password"):
            return _form(visit, "Invalid signup token")
        db.named(mail["email_to"]).password = given["password"]
        db.note(visit.author, "res.users", "password", [db.named(mail["email_to"]).id], {})
        return visit.go("/web/login")
    if visit.method == "POST" and given.get("login"):
        if any(user.login == given["login"] and user.active for user in db.users.values()):
            db.create(visit.author, "mail.mail", {"email_to": given["login"], "token": secrets.token_urlsafe(20)})
        return _form(visit, "Password reset instructions sent to your email")
    return _form(visit)


@route("/web/session/get_session_info", auth="user", kind="json")
def session_info(visit: Visit) -> dict[str, Any]:
    """The session_info alone."""
    visit.session.dirty = True
    return pages.session_info(visit)


@route("/web/session/check", auth="user", kind="json")
def session_check(visit: Visit) -> None:
    """Nothing, as long as the session lives."""
    del visit
