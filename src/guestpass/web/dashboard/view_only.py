"""What view-only links refused, and what is opened for them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.environments import EnvironmentChange
from guestpass.domain.errors import Invalid
from guestpass.domain.view_only import WRITE_METHODS
from guestpass.web.api.paths import EnvironmentId
from guestpass.web.dashboard.forms import SentForm
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking

router = APIRouter(prefix="/environments/{envId}/view-only")


@router.get("")
async def show_view_only(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """Refused methods, each with a button that opens it; and those that are open."""
    glance, _ = await services.overview.one(owner.principal, env_id)
    calls = await services.api.environments.refused_calls(owner.principal, env_id)
    opened = glance.environment.read_only_allow
    return render(
        request,
        "view_only.html",
        glance=glance,
        refused=[call for call in calls if f"{call.model}/{call.method}" not in opened],
        opened=opened,
        write_methods=WRITE_METHODS,
    )


@router.post("/open")
async def open_method(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Let view-only links call one more method."""
    method = form.text("method")
    environment = await services.api.environments.get(owner.principal, env_id)
    change = EnvironmentChange(read_only_allow=[*environment.read_only_allow, method])
    try:
        await services.api.environments.change(owner.principal, env_id, change)
    except Invalid as refused:
        # The list was right before, so what is wrong is the method.
        reasons = "; ".join(error.message for error in refused.errors)
        raise Invalid.one(method[:200] or "method", f"can't be opened: it {reasons}") from None
    return go(request, f"/environments/{env_id}/view-only", owner=owner, said=f"View-only links may now call {method}.")


@router.post("/close")
async def close_method(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Have view-only links refuse a method again."""
    method = form.text("method")
    environment = await services.api.environments.get(owner.principal, env_id)
    kept = [each for each in environment.read_only_allow if each != method]
    await services.api.environments.change(owner.principal, env_id, EnvironmentChange(read_only_allow=kept))
    return go(request, f"/environments/{env_id}/view-only", owner=owner, said=f"View-only links refuse {method} again.")
