"""The services that the dashboard uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from guestpass.app.dashboard_sessions import DashboardSessionService
from guestpass.app.live import LiveFeed
from guestpass.app.overview import Overview
from guestpass.app.reachability import Reachability
from guestpass.domain.finding import Finding
from guestpass.web.services import WebServices


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardServices:
    """The use cases behind the pages.

    `api` are those that the API has too, `admin_url` is the one origin on which the dashboard is used, and
    `installation_findings` tells what owners should know about how this installation is run.
    """

    api: WebServices
    sessions: DashboardSessionService
    overview: Overview
    reachability: Reachability
    live: LiveFeed
    admin_url: str
    installation_findings: Callable[[], Sequence[Finding]]

    @property
    def secure(self) -> bool:
        """Whether owners use https, so that cookies can be Secure."""
        return self.admin_url.startswith("https://")


def services_of(request: Request) -> DashboardServices:
    """The services that `create_dashboard` was given."""
    services: DashboardServices = request.app.state.services
    return services


Services = Annotated[DashboardServices, Depends(services_of)]
