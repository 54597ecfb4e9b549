"""Middleware of the dashboard: listener, host and origin checks, and fields of all responses."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestpass.app import handover
from guestpass.storage.outages import OUTAGES, cause_of, in_words
from guestpass.telemetry import Faults
from guestpass.web.dashboard.failures import elsewhere, foreign_origin, unavailable, unexpected
from guestpass.web.dashboard.static import static_answer
from guestpass.web.pages import COMMON_FIELDS
from guestpass.web.problems import Problem, respond
from guestpass.web.request_context import RequestContext

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_FIELDS: Final = (
    *COMMON_FIELDS,
    ("Content-Security-Policy", POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_log = structlog.get_logger("guestpass.web")
_STREAM: Final = "/events"  # It has no end, so it is for GET alone.
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class Guard:
    """ASGI middleware that admits only requests on the admin listener for ADMIN_URL's host; changes need its Origin.

    Cookies and SameSite ignore ports, so a page on another port of this host could post a form with the session's
    cookie; Origin shows it (RFC 6454, section 7).
    """

    def __init__(self, app: ASGIApp, admin_url: str) -> None:
        self._app = app
        self._faults = Faults(_log)
        parts = urlsplit(admin_url)
        self._origin = admin_url
        self._host = parts.netloc
        self._default_port = _DEFAULT_PORTS[parts.scheme]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False
        if scope["method"] == "HEAD" and scope["path"] != _STREAM:
            scope = {**scope, "method": "GET"}  # The server sends no body.

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                fields = MutableHeaders(scope=message)
                for name, value in _FIELDS:
                    fields.setdefault(name, value)
            await send(message)

        try:
            await self._choose(scope)(scope, receive, send_guarded)
        except ClientDisconnect:
            return  # The client has disconnected.
        except OUTAGES as error:
            self._faults.warn(
                "database_unavailable", request_id=RequestContext.of(scope).request_id, cause=cause_of(error)
            )
            if started:
                raise
            await unavailable(Request(scope), in_words(error))(scope, receive, send_guarded)
        except Exception:
            route = getattr(scope.get("route"), "path", None)
            _log.exception(
                "request failed", request_id=RequestContext.of(scope).request_id, method=scope["method"], route=route
            )
            if started:
                raise  # The connection is then aborted, so that a partial page doesn't look complete.
            await unexpected(Request(scope))(scope, receive, send_guarded)

    def _choose(self, scope: Scope) -> ASGIApp:
        """Return the dashboard, or the response that replaces it."""
        headers = Headers(scope=scope)
        if headers.get(handover.ADMIN) != "1":
            return respond(scope, Problem(status=404, code="not_found", detail="There is nothing at this path."))
        if (file := static_answer(scope["path"])) is not None:
            return file
        if headers.get("host", "").lower().removesuffix(self._default_port) != self._host:
            return elsewhere(Request(scope), self._origin)
        if scope["method"] not in _SAFE and headers.get("origin", "").lower() != self._origin:
            return foreign_origin(Request(scope), self._origin)
        return self._app
