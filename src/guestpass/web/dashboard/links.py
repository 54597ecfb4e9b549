"""An environment's links, and what is done to one of them at a click."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.links import LinkChange, LinkSearch
from guestpass.app.live import LINKS, environment_topic, link_topic
from guestpass.app.paging import CURSOR_LENGTH
from guestpass.domain.access import Scope
from guestpass.domain.errors import Invalid
from guestpass.domain.link import Status
from guestpass.web.api.paths import EnvironmentId, LinkId
from guestpass.web.dashboard.dialogs import done
from guestpass.web.dashboard.forms import Filled, SentForm
from guestpass.web.dashboard.link_forms import LIFETIME_FIELDS, offered_lifetimes, read_extension, suggested_extension
from guestpass.web.dashboard.pages import is_partial, render
from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Changing, Looking, Owner

ON_A_PAGE: Final = 50
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH)]

router = APIRouter(prefix="/environments/{envId}")
_LINK: Final = "/links/{linkId}"


def link_path(env_id: str, link_id: str) -> str:
    """Where a link's page is."""
    return f"/environments/{env_id}/links/{link_id}"


def link_topics(env_id: str, link_id: str) -> tuple[str, ...]:
    """What a change of a link concerns."""
    return (link_topic(link_id), environment_topic(env_id), LINKS)


@router.get("")
async def show_environment(
    request: Request, owner: Looking, env_id: EnvironmentId, services: Services, cursor: Cursor = None
) -> Response:
    """One environment with its links."""
    summary, _ = await services.overview.one(owner.principal, env_id)
    found = None
    if owner.may(Scope.SHARES_READ):
        found = await services.api.links.find(
            owner.principal, LinkSearch(environment_id=env_id, limit=ON_A_PAGE, cursor=cursor)
        )
    return render(request, "environment.html", summary=summary, found=found, cursor=cursor)


@router.get("/links")
async def show_links(
    request: Request, owner: Looking, env_id: EnvironmentId, services: Services, cursor: Cursor = None
) -> Response:
    """The table of links alone, for a page that heard of a change; without htmx the whole page."""
    if not is_partial(request):
        return await show_environment(request, owner, env_id, services, cursor)
    summary, _ = await services.overview.one(owner.principal, env_id)
    found = await services.api.links.find(
        owner.principal, LinkSearch(environment_id=env_id, limit=ON_A_PAGE, cursor=cursor)
    )
    return render(request, "links_of_environment.html", summary=summary, found=found, cursor=cursor)


@router.post(f"{_LINK}/pause")
async def pause(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, services: Services, form: SentForm
) -> Response:
    """Switch a link off until it is resumed."""
    await services.api.links.deactivate(owner.principal, env_id, link_id)
    said = "The link is paused: it opens nothing, and its visitors are cut off."
    return done(
        request, owner, said, path=_back(form.text("back"), env_id, link_id), topics=link_topics(env_id, link_id)
    )


@router.post(f"{_LINK}/resume")
async def resume(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, services: Services, form: SentForm
) -> Response:
    """Open a link again, with the same URL; raises Invalid where it has expired."""
    await services.api.links.change(owner.principal, env_id, link_id, LinkChange(active=True))
    path = _back(form.text("back"), env_id, link_id)
    return done(request, owner, "The link opens again.", path=path, topics=link_topics(env_id, link_id))


@router.get(f"{_LINK}/extend")
async def show_extension(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """Where it is chosen how long a link works from now on."""
    return await _extension(request, owner, env_id, link_id, services)


@router.post(f"{_LINK}/extend")
async def extend(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, services: Services, form: SentForm
) -> Response:
    """Give a link another end, and open it again where that was asked for."""
    try:
        before = await services.api.links.get(owner.principal, env_id, link_id)
        owned = await services.api.links.change(owner.principal, env_id, link_id, read_extension(form))
    except Invalid as refused:
        filled = Filled.refused(form, LIFETIME_FIELDS, refused.errors)
        return await _extension(request, owner, env_id, link_id, services, filled, status=422)
    said = (
        "The link works longer now." if owned.link.expires_at > before.link.expires_at else "The link ends sooner now."
    )
    if owned.status is not Status.ACTIVE:
        said = "Saved. The link stays paused."
    return done(request, owner, said, path=link_path(env_id, link_id), topics=link_topics(env_id, link_id))


async def _extension(
    request: Request,
    owner: Owner,
    env_id: str,
    link_id: str,
    services: DashboardServices,
    form: Filled | None = None,
    status: int = 200,
) -> Response:
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    lifetimes = offered_lifetimes(services.api.links.longest)
    if form is None:
        rest = owned.link.expires_at - services.api.clock.now()
        form = Filled({"lifetime": suggested_extension(lifetimes, rest), "active": True})
    return render(request, "extend_link.html", status=status, owned=owned, lifetimes=lifetimes, form=form)


def _back(place: str, env_id: str, link_id: str) -> str:
    """Where a button without scripts leads back to: where it stood."""
    places = {"environment": f"/environments/{env_id}", "links": "/links"}
    return places.get(place, link_path(env_id, link_id))
