"""Route requests to the dashboard, or to the API and visitors' pages."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from guestpass.app import handover

_COMMON: Final = ("/api/", "/share/", "/s-proxy/")
_HEALTH: Final = frozenset({"/healthz", "/readyz"})


class Dispatch:
    """An ASGI application of both; the dashboard gets the admin listener's requests except those common to both."""

    def __init__(self, common: ASGIApp, dashboard: ASGIApp) -> None:
        self._common = common
        self._dashboard = dashboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to its application."""
        is_common = (
            scope["type"] != "http"
            or Headers(scope=scope).get(handover.ADMIN) != "1"
            or scope["path"] in _HEALTH
            or scope["path"].startswith(_COMMON)
        )
        await (self._common if is_common else self._dashboard)(scope, receive, send)
