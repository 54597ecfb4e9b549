"""The dashboard as an application of its own: nothing of it is part of the API, or of its document."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guestpass.domain.access import Scope
from guestpass.web.dashboard import (
    accounts,
    all_links,
    branding,
    environment_forms,
    environments,
    events,
    failures,
    link,
    links,
    share_dialog,
    sign_in,
    view_only,
)
from guestpass.web.dashboard.guard import Guard
from guestpass.web.dashboard.services import DashboardServices
from guestpass.web.dashboard.sessions import Looking


def create_dashboard(admin_url: str, services: DashboardServices | None = None) -> FastAPI:
    """All pages over these services, which `state.services` may also be given before the first request.

    Each is guarded, see `Guard`.
    """
    application = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    application.state.services = services
    for module in (
        sign_in,
        events,
        environments,
        environment_forms,
        accounts,
        view_only,
        links,
        share_dialog,
        link,
        all_links,
        branding,
    ):
        application.include_router(module.router)
    application.add_api_route("/", _go_to_start, methods=["GET"])
    failures.install(application)
    application.add_middleware(Guard, admin_url=admin_url)
    # No other site can ask with a session's cookie, which is SameSite=Strict, and measure what comes back (BREACH).
    application.add_middleware(GZipMiddleware, minimum_size=1024)
    return application


async def _go_to_start(_request: Request, owner: Looking) -> Response:
    start = "/environments" if owner.may(Scope.ENVIRONMENTS_READ) else "/links"
    return RedirectResponse(start, 303)
