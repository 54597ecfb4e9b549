"""The environments: all of them, and the state of each. The page of one is its links'."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.environments import EnvironmentChange
from guestpass.app.findings import SHARED_ORIGIN
from guestpass.domain.environment import Environment
from guestpass.domain.errors import FieldError, Invalid
from guestpass.web.api.paths import EnvironmentId
from guestpass.web.dashboard.forms import Filled, SentForm
from guestpass.web.dashboard.pages import go, is_partial, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking

ON_A_PAGE: Final = 50
_MAINTENANCE: Final = ("maintenance",)

router = APIRouter()


@router.get("/environments")
async def show_environments(
    request: Request,
    owner: Looking,
    services: Services,
    q: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """All environments; where htmx asks, only their table."""
    found = await services.overview.page(owner.principal, search=q, offset=(page - 1) * ON_A_PAGE, limit=ON_A_PAGE)
    shared = any(SHARED_ORIGIN in summary.findings for summary in found.summaries)
    return render(
        request,
        "environments_table.html" if is_partial(request) else "environments.html",
        found=found,
        search=q,
        page=page,
        pages=max(1, -(-found.total // ON_A_PAGE)),
        warnings=(*services.installation_findings(), *((SHARED_ORIGIN,) if shared else ())),
    )


@router.get("/environments/{envId}/row")
async def show_row(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """One row of the table of environments, for a page that heard of a change."""
    summary, _ = await services.overview.one(owner.principal, env_id)
    return render(request, "environment_row.html", summary=summary)


@router.get("/environments/{envId}/head")
async def show_head(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """What stands above each page of one environment, for a page that heard of a change."""
    summary, _ = await services.overview.one(owner.principal, env_id)
    return render(request, "environment_head.html", summary=summary)


@router.post("/environments/{envId}/check")
async def check(request: Request, owner: Changing, env_id: EnvironmentId, services: Services) -> Response:
    """Check the environment now."""
    environment = await services.api.environments.check(owner.principal, env_id)
    await services.reachability.check(environment)
    if is_partial(request):
        return await show_head(request, owner, env_id, services)
    return go(request, f"/environments/{env_id}", owner=owner, said="Checked just now.")


@router.get("/environments/{envId}/maintenance")
async def show_maintenance(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """Where the message is written that visitors see meanwhile."""
    summary, _ = await services.overview.one(owner.principal, env_id)
    form = Filled.now({"maintenance": summary.environment.maintenance})
    return render(request, "maintenance.html", summary=summary, form=form)


@router.post("/environments/{envId}/maintenance")
async def begin_maintenance(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Show visitors a message in place of the environment."""

    def check(now: Environment) -> None:
        form.check_meanwhile(_MAINTENANCE, {"maintenance": now.maintenance})

    try:
        if form.optional("maintenance") is None:
            raise Invalid.one("maintenance", "must not be empty")
        change = EnvironmentChange(maintenance=form.text("maintenance"))
        await services.api.environments.change(owner.principal, env_id, change, check=check)
    except Invalid as refused:
        summary, _ = await services.overview.one(owner.principal, env_id)
        now = {"maintenance": summary.environment.maintenance}
        filled = Filled.refused(form, _MAINTENANCE, refused.errors, now)
        return render(request, "maintenance.html", status=422, summary=summary, form=filled)
    return go(request, f"/environments/{env_id}", owner=owner, said="Visitors now see your message.")


@router.post("/environments/{envId}/maintenance/end")
async def end_maintenance(request: Request, owner: Changing, env_id: EnvironmentId, services: Services) -> Response:
    """Let visitors in again."""
    await services.api.environments.change(owner.principal, env_id, EnvironmentChange(maintenance=None))
    return go(request, f"/environments/{env_id}", owner=owner, said="Maintenance is over: links open again.")


@router.get("/environments/{envId}/remove")
async def show_removal(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """What a removal would end, before it is confirmed."""
    return await _removal(request, owner, env_id, services, Filled({}))


@router.post("/environments/{envId}/remove")
async def remove(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Remove it with all its links, once its id was typed."""
    if form.text("confirmation") != env_id:
        wrong = Filled.refused(
            form, ("confirmation",), [FieldError("confirmation", f"must be {env_id}; nothing was removed")]
        )
        return await _removal(request, owner, env_id, services, wrong, status=422)
    await services.api.environments.remove(owner.principal, env_id)
    return go(request, "/environments", owner=owner, said=f"The environment {env_id} and its links are removed.")


async def _removal(
    request: Request, owner: Looking, env_id: str, services: Services, form: Filled, status: int = 200
) -> Response:
    summary, _ = await services.overview.one(owner.principal, env_id)
    accounts = await services.api.accounts.list_all(owner.principal, env_id)
    return render(request, "remove_environment.html", status=status, summary=summary, accounts=len(accounts), form=form)
