"""What view-only links refused, and what they may call besides."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.environments import EnvironmentChange
from guestpass.domain.environment import Environment
from guestpass.domain.errors import Invalid
from guestpass.domain.view_only import WRITE_METHODS
from guestpass.web.api.paths import EnvironmentId
from guestpass.web.dashboard.forms import SentForm
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Changing, Looking, Owner

router = APIRouter(prefix="/environments/{envId}/view-only")


@router.get("")
async def show_view_only(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """Show what was refused, each with a button that allows it, and what is allowed."""
    summary, _ = await services.overview.one(owner.principal, env_id)
    calls = await services.api.environments.refused_calls(owner.principal, env_id)
    opened = summary.environment.read_only_allow
    return render(
        request,
        "view_only.html",
        summary=summary,
        refused=[call for call in calls if f"{call.model}/{call.method}" not in opened],
        opened=opened,
        write_methods=WRITE_METHODS,
    )


@router.post("/open")
async def open_method(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Let view-only links ask for one more method or address."""
    method = form.text("method")
    try:
        await _change(services, owner, env_id, lambda opened: [*opened, method])
    except Invalid as refused:
        # The list was right before, so what is wrong is what was added.
        reasons = "; ".join(error.message for error in refused.errors)
        raise Invalid.one(method[:200] or "method", f"can't be allowed: it {reasons}") from None
    return go(request, f"/environments/{env_id}/view-only", owner=owner, said=f"View-only links may now call {method}.")


@router.post("/close")
async def close_method(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Have view-only links refuse a method or an address again."""
    method = form.text("method")
    await _change(services, owner, env_id, lambda opened: [each for each in opened if each != method])
    return go(request, f"/environments/{env_id}/view-only", owner=owner, said=f"View-only links refuse {method} again.")


class _ChangedMeanwhile(Exception):
    """Somebody else has changed the list at the same moment."""


async def _change(
    services: DashboardServices, owner: Owner, env_id: str, make: Callable[[Sequence[str]], Sequence[str]]
) -> None:
    """Replace what is allowed by what `make` makes of them; raises Invalid."""
    while True:
        opened = (await services.api.environments.get(owner.principal, env_id)).read_only_allow

        def check(now: Environment, opened: Sequence[str] = opened) -> None:
            if now.read_only_allow != opened:
                raise _ChangedMeanwhile

        change = EnvironmentChange(read_only_allow=make(opened))
        with contextlib.suppress(_ChangedMeanwhile):
            await services.api.environments.change(owner.principal, env_id, change, check=check)
            return
