from __future__ import annotations

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from guestpass.web.dashboard.guard import Guard
from guestpass.web.dispatch import Dispatch

ADMIN = {"X-Guestpass-Admin": "1"}


def saying(text: str) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(text)(scope, receive, send)

    return application


async def ask(application: ASGIApp, path: str, headers: dict[str, str]) -> httpx2.Response:
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8081", headers=headers) as web:
        return await web.get(path)


@pytest.mark.parametrize("path", ["/", "/environments", "/events", "/sign-in", "/apix", "/healthz/more", "/static/a/b"])
async def test_what_came_in_by_the_admin_listener_is_the_dashboards(path: str) -> None:
    application = Dispatch(saying("common"), saying("dashboard"))
    assert (await ask(application, path, ADMIN)).text == "dashboard"


@pytest.mark.parametrize("path", ["/api/environments", "/api/docs", "/share/gp_x/login", "/healthz", "/readyz"])
async def test_what_others_have_an_address_for_is_the_same_on_both(path: str) -> None:
    application = Dispatch(saying("common"), saying("dashboard"))
    assert (await ask(application, path, ADMIN)).text == "common"


@pytest.mark.parametrize("claim", ["", "0", "true"])
async def test_nothing_that_came_in_elsewhere_reaches_the_dashboard(claim: str) -> None:
    headers = {"X-Guestpass-Admin": claim} if claim else {}
    application = Dispatch(saying("common"), Guard(saying("dashboard"), "http://localhost:8081"))
    for path in ("/", "/environments", "/sign-in"):
        assert (await ask(application, path, headers)).text == "common"
        # And if it did, it would find nothing there.
        answer = await ask(Guard(saying("dashboard"), "http://localhost:8081"), path, headers)
        assert answer.status_code == 404
        assert "dashboard" not in answer.text
