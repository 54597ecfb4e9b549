"""The ASGI application that the gateway reaches over a private socket."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from guestpass.web import health, problems, tls_allowed
from guestpass.web.api import accounts, branding, environments, installation, share_lists, share_records, shares
from guestpass.web.api.document import Application
from guestpass.web.api.documents import DOCS_FIELDS, render_docs
from guestpass.web.envelope import Envelope
from guestpass.web.pages import DATA_FIELDS
from guestpass.web.problems import answer
from guestpass.web.services import WebServices
from guestpass.web.visitor import login

__all__ = ["WebServices", "create_application"]


def create_application(services: WebServices | None = None) -> Application:
    """Create the API and visitors' pages; `state.services` can also be set later, before the first request.

    It trusts the fields of `guestpass.app.handover`, so only the gateway may reach it. The gateway has checked the
    path for the listener, Host and Origin.
    """
    application = Application(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    application.state.services = services
    for routes in (shares, share_records, share_lists, environments, accounts, branding, installation, login, health):
        application.include_router(routes.router)
    application.include_router(tls_allowed.router)
    problems.install(application)
    application.add_middleware(Envelope)

    document = application.openapi()
    _serve(application, "/api/openapi.json", (("Content-Type", "application/json"), *DATA_FIELDS), json.dumps(document))
    _serve(application, "/api/docs", DOCS_FIELDS, render_docs(document).decode())
    return application


def _serve(application: Application, path: str, fields: tuple[tuple[str, str], ...], text: str) -> None:
    """Add a route that serves a constant text."""
    body = text.encode()

    async def show(_request: Request) -> Response:
        return answer(200, fields, body)

    application.add_route(path, show, methods=["GET"], include_in_schema=False)
