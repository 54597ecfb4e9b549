"""The dashboard of a worker as it is wired, without sockets: a test stands between two of its reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi.routing import iter_route_contexts
from tests.authenticators import FakeAuthenticator
from tests.built import built_application, user_agents
from tests.dashboard.owner import NAVIGATION
from tests.environment_checks import RecordingCheck

from guestpass.app import handover
from guestpass.domain.access import Principal
from guestpass.settings import load
from guestpass.web.dashboard.application import create_dashboard
from guestpass.web.dashboard.services import DashboardServices
from guestpass.wiring import Core, build_core, prepare
from guestpass.worker import OwnAnnouncer, Preloaded, Worker, build_worker

ANNA = Principal("anna")


@dataclass
class Dashboard:
    """One worker's dashboard, and what is behind it; `pages` are the paths of its GET routes."""

    worker: Worker
    services: DashboardServices
    pages: list[str]
    transport: httpx2.ASGITransport

    @property
    def core(self) -> Core:
        """The use cases."""
        return self.worker.core

    @asynccontextmanager
    async def signed_in(self, who: Principal = ANNA) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser in which somebody is signed in."""
        admin_url = self.core.settings.admin_url
        headers = {**NAVIGATION, "Origin": admin_url, handover.ADMIN: "1", handover.PAGE: "1"}
        async with httpx2.AsyncClient(transport=self.transport, base_url=admin_url, headers=headers) as web:
            invitation = await self.core.dashboard_sessions.invite(who)
            assert (await web.post(f"/open/{invitation}")).status_code == 303
            yield web


@asynccontextmanager
async def dashboard(database_url: str, folder: Path) -> AsyncIterator[Dashboard]:
    """A worker's dashboard over a database; every environment is a well Odoo that is played."""
    settings = load(
        {
            "GUESTPASS_DATA_DIR": str(folder),
            "GUESTPASS_DATABASE_URL": database_url,
            "GUESTPASS_ADMIN_URL": "http://localhost:8081",
            "GUESTPASS_SECRET_KEY": "s" * 48,
            "GUESTPASS_JWT_SECRET": "j" * 48,
        },
        system_file=folder / "none.toml",
    ).settings
    prepare(settings)
    announcer = OwnAnnouncer()
    core = build_core(settings, announcer)
    core.environments._checker = RecordingCheck()
    core.accounts._authenticator = FakeAuthenticator()
    with built_application() as api:
        async with asyncio.TaskGroup() as tasks:
            worker = build_worker(
                core,
                announcer,
                Preloaded(user_agents(), api, create_dashboard(settings.admin_url)),
                application_path=folder / "app.sock",
                asset_folder=folder / "assets",
                workers=1,
                is_ready=lambda: True,
                tasks=tasks,
            )
            await worker.feed.start()
            application: Any = worker.application.config.app
            pages = application._dashboard
            routes = iter_route_contexts(pages.routes)
            paths = [each.path for each in routes if each.path is not None and "GET" in (each.methods or ())]
            yield Dashboard(worker, pages.state.services, paths, httpx2.ASGITransport(application))
    await core.close()
