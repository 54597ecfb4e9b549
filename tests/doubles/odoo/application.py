"""From a request to its answer: session, database, route, rights, handler, cookies. The order is Odoo's."""

from __future__ import annotations

import re

from tests.doubles.odoo import answers, jsonrpc, pages, routing
from tests.doubles.odoo.answers import Answer, Refusal
from tests.doubles.odoo.cookies import language_cookie, session_cookie
from tests.doubles.odoo.routes import load
from tests.doubles.odoo.routes.files import static_file
from tests.doubles.odoo.routing import Route
from tests.doubles.odoo.store import OdooError
from tests.doubles.odoo.visit import Visit

UPLOAD_LIMIT = 128 * 1024 * 1024
_NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
}

# The client's cookie would not follow.
_NEVER_ROTATED = {"/websocket/peek_notifications", "/websocket/update_bus_presence"}

load()


def respond(visit: Visit) -> Answer:
    """The answer to a complete request, with its cookies and the fields that Odoo adds to everything."""
    if not visit.peer_host:
        return _finish(visit, answers.problem(500, _NAMES[500], "The server encountered an internal error."))
    static = static_file(visit)
    if static is not None:
        visit.saves_session = False
        return _finish(visit, static)
    visit.open_session()
    try:
        answer = _answer(visit)
    except Refusal as refusal:
        answer = _refuse(visit, refusal)
    except OdooError as error:
        status = 403 if error.name.endswith(("AccessError", "AccessDenied")) else 400
        answer = answers.problem(status, _NAMES[status], str(error))
    return _finish(visit, answer)


def _answer(visit: Visit) -> Answer:
    if "//" in visit.path:
        # The one redirect that names scheme and host whatever the Werkzeug.
        merged = re.sub("/{2,}", "/", visit.raw_path)
        query = f"?{visit.query_string}" if visit.query_string else ""
        return answers.redirect(visit.url_root.rstrip("/") + merged + query, status=308)
    language = re.fullmatch(r"/[a-z]{2}(?:_[A-Z]{2})?(/.*)?", visit.path)
    if language and visit.db is not None and visit.path.partition("/")[2].partition("/")[0] in {"en", "en_US"}:
        return visit.go(language.group(1) or "/")
    chosen = visit.query.get("db")
    if chosen and visit.path in {"/web", "/odoo", "/web/login", "/"} and chosen != visit.session.db:
        if chosen in visit.world.databases_for(visit.host):
            visit.session.db, visit.session.uid, visit.session.dirty = chosen, None, True
            return visit.go(f"{visit.raw_path}?{visit.query_string}", status=302)
        return visit.go("/web/database/selector")
    found, captured = routing.find(visit)
    visit.saves_session = found.saves_session
    if found.auth != "none":
        visit.check_session()
    return _json(visit, found, captured) if found.kind == "json" else _http(visit, found, captured)


def _http(visit: Visit, found: Route, captured: dict[str, str]) -> Answer:
    if found.auth == "user" and not visit.logged_in:
        wanted = answers.quoted(f"{visit.path}?{visit.query_string}")
        return visit.go(f"/web/login?redirect={wanted}")
    if len(visit.body) > UPLOAD_LIMIT:
        raise Refusal(413)
    unsafe = visit.method not in {"GET", "HEAD", "OPTIONS", "TRACE"}
    if found.csrf and unsafe and visit.values.get("csrf_token") != visit.session.csrf_token:
        raise Refusal(400, "Session expired (invalid CSRF token)")
    answer = found.handler(visit, **captured)
    assert isinstance(answer, Answer)
    return answer


def _json(visit: Visit, found: Route, captured: dict[str, str]) -> Answer:
    if visit.content_type not in {"application/json", "application/json-rpc"}:
        raise Refusal(415, "Request inferred type is compatible with ['http'] but the route is type='json'.")
    try:
        _ = visit.call
    except ValueError:
        raise Refusal(400, "Invalid JSON data") from None
    except RecursionError as error:
        return jsonrpc.failed(visit, error)
    if found.auth == "user" and not visit.logged_in:
        return jsonrpc.failed(visit, jsonrpc.SessionExpired())
    try:
        result = found.handler(visit, **captured)
    except (OdooError, Refusal, LookupError, TypeError, ValueError) as error:
        return jsonrpc.failed(visit, error)
    return result if isinstance(result, Answer) else jsonrpc.succeeded(visit, result)


def _refuse(visit: Visit, refusal: Refusal) -> Answer:
    if visit.content_type == "application/json" and refusal.status == 404:
        return jsonrpc.failed(visit, refusal)
    if refusal.status == 404 and visit.db is not None:
        answer = answers.page(pages.missing(visit), status=404)
        visit.session.dirty = True
        # The layout is rendered several times over, and each pass leaves its cookies behind.
        answer.cookies.append(language_cookie())
        answer.repeat_cookies = 4
        return answer
    return answers.problem(refusal.status, _NAMES[refusal.status], refusal.description or _NAMES[refusal.status])


def _finish(visit: Visit, answer: Answer) -> Answer:
    cookies = [*answer.cookies, *visit.cookies_out]
    if visit.saves_session and visit.path not in _NEVER_ROTATED and visit.world.rotation_due(visit.session):
        visit.session = visit.world.rotate_softly(visit.session)
        visit.session.dirty = True
    session = visit.session
    if session.dirty and visit.saves_session:
        visit.world.sessions.keep(session)
        session.dirty = False
        cookies.append(("Set-Cookie", session_cookie(session.sid)))
    cookies *= answer.repeat_cookies
    kind = answer.field("Content-Type") or ""
    image = kind.startswith("image/") or (answer.status == 304 and visit.path.startswith("/web/image"))
    guarded = image or (visit.path.startswith("/web/content") and answer.streamed)
    late = [("Content-Security-Policy", "default-src 'none'")] if guarded else []
    length = [("Content-Length", str(len(answer.body)))] if answer.page and not answer.close_delimited else []
    answer.fields = [
        *answer.fields,
        *cookies,
        ("X-Content-Type-Options", "nosniff"),
        *late,
        *answer.late,
        *length,
    ]
    return answer
