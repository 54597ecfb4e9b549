"""Middleware for all responses: HEAD, common fields, and unexpected errors."""

from __future__ import annotations

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestpass.storage.outages import OUTAGES, cause_of, in_words
from guestpass.telemetry import Faults
from guestpass.web.pages import DATA_FIELDS
from guestpass.web.problems import respond, unavailable, unexpected
from guestpass.web.request_context import RequestContext

_log = structlog.get_logger("guestpass.web")
_FIELDS = tuple((name.lower().encode(), value.encode()) for name, value in DATA_FIELDS)


class Envelope:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._faults = Faults(_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # RFC 9110, section 9.3.2: HEAD is GET without the content.
        without_content = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if without_content else scope
        started = False

        async def send_enveloped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                fields = list(message.get("headers", ()))
                present = {name for name, _ in fields}
                message["headers"] = fields + [field for field in _FIELDS if field[0] not in present]
            elif without_content and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            await self._app(inner, receive, send_enveloped)
        except ClientDisconnect:
            return  # The client has disconnected.
        except OUTAGES as error:
            self._faults.warn(
                "database_unavailable", request_id=RequestContext.of(scope).request_id, cause=cause_of(error)
            )
            if started:
                raise
            await respond(scope, unavailable(in_words(error)))(inner, receive, send_enveloped)
        except Exception:
            # Log the route's template, not the path, which may contain a share token.
            route = getattr(inner.get("route"), "path", None)
            _log.exception(
                "request failed", request_id=RequestContext.of(scope).request_id, method=scope["method"], route=route
            )
            if started:
                raise  # The server then aborts the connection, so that a partial response doesn't look complete.
            await respond(scope, unexpected())(inner, receive, send_enveloped)
