"""One link: what it allows, who came, who was turned away, and all that can be done to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.links import OwnedLink
from guestpass.domain.access import Scope
from guestpass.domain.account import Account
from guestpass.domain.environment import Environment, Kind
from guestpass.domain.errors import FieldError, Invalid, NotFound
from guestpass.domain.link import EventKind, ShareLink, ShareType
from guestpass.domain.reasons import Reason
from guestpass.web.api.paths import EnvironmentId, LinkId, VisitorId
from guestpass.web.dashboard.dialogs import done
from guestpass.web.dashboard.forms import Filled, SentForm
from guestpass.web.dashboard.link_forms import FOR_OWNERS, FOR_VISITORS, TERM_FIELDS, TERMS, read_term, values_of
from guestpass.web.dashboard.link_words import agent, describe_event, describe_refusal
from guestpass.web.dashboard.links import Cursor, link_path, link_topics
from guestpass.web.dashboard.pages import go, is_partial, render
from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Changing, Looking, Owner
from guestpass.web.dashboard.share_dialog import send_anew
from guestpass.web.dashboard.visits_chart import Period, axes_of, read_bars

VISITORS_ON_A_PAGE: Final = 25
HISTORY_ON_A_PAGE: Final = 20
_CHANGES: Final = tuple(kind for kind in EventKind if kind is not EventKind.OPENED)
_LONGEST_TYPED: Final = 40
Shown = Annotated[Period, Query(alias="period")]
Openings = Annotated[bool, Query(alias="openings")]

router = APIRouter(prefix="/environments/{envId}/links/{linkId}")


@router.get("")
async def show_link(
    request: Request,
    owner: Looking,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    period: Shown = Period.MONTH,
    visitors: Cursor = None,
    history: Cursor = None,
    openings: Openings = False,
) -> Response:
    """The whole page; `visitors` and `history` say where these lists go on."""
    return await _page(
        request, owner, env_id, link_id, services, period=period, visitors=visitors, history=history, openings=openings
    )


@router.get("/head")
async def show_head(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """What stands above all else, for a page that heard of a change."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    environment = await _environment(services, owner, env_id)
    locked_until = await _locked_until(services, owner, owned)
    return render(request, "link_head.html", owned=owned, environment=environment, locked_until=locked_until)


@router.get("/preview")
async def open_as_visitor(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """Lead to what a visitor sees, past the password: an address that works once, within a minute.

    It is a GET, since a form's answer may not lead away from the dashboard; the session's cookie is SameSite=Strict, so
    that no other page can ask for it.
    """
    owner.principal.require(Scope.SHARES_WRITE)
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    passes, now = services.api.passes, services.api.clock.now()
    ticket = passes.write_ticket(passes.issue_preview(link_id, owned.link.version, int(now.timestamp())))
    return go(request, f"{owned.url}?preview={ticket}")


@router.get("/terms")
async def show_terms(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """What the link allows, each with a button to change it."""
    return await _terms(request, owner, env_id, link_id, services)


@router.get("/edit/{term}")
async def show_edit(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, term: str, services: Services
) -> Response:
    """The same with one of them as a form."""
    owner.principal.require(Scope.SHARES_WRITE)
    return await _terms(request, owner, env_id, link_id, services, editing=_known(term))


@router.post("/edit/{term}")
async def edit(
    request: Request,
    owner: Changing,
    env_id: EnvironmentId,
    link_id: LinkId,
    term: str,
    services: Services,
    form: SentForm,
) -> Response:
    """Save what the form changes of that one."""
    fields = TERMS[_known(term)]

    def check(now: ShareLink) -> None:
        form.check_meanwhile(form.changed(fields), values_of(now))

    try:
        await services.api.links.change(owner.principal, env_id, link_id, read_term(term, form), check=check)
    except Invalid as refused:
        now = await services.api.links.get(owner.principal, env_id, link_id)
        filled = Filled.refused(form, fields, refused.errors, values_of(now.link))
        return await _terms(request, owner, env_id, link_id, services, editing=term, form=filled, status=422)
    if is_partial(request):
        return await _terms(request, owner, env_id, link_id, services)
    return go(request, link_path(env_id, link_id), owner=owner, said="Saved.")


@router.get("/visits")
async def show_visits(
    request: Request,
    owner: Looking,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    period: Shown = Period.MONTH,
) -> Response:
    """Chart and table of visits over time."""
    if not is_partial(request):
        return go(request, f"{link_path(env_id, link_id)}?period={period}")
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    drawn = await _visits(services, owner, env_id, link_id, period)
    return render(request, "link_visits.html", owned=owned, **drawn)


@router.get("/visitors")
async def show_visitors(
    request: Request,
    owner: Looking,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    visitors: Cursor = None,
) -> Response:
    """Who came."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    shown = await _visitors(services, owner, env_id, link_id, visitors)
    return render(request, "link_visitors.html", owned=owned, **shown)


@router.get("/refusals")
async def show_refusals(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """Who was turned away, and why."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    shown = await _refusals(services, owner, env_id, link_id)
    return render(request, "link_refusals.html", owned=owned, **shown)


@router.get("/history")
async def show_history(
    request: Request,
    owner: Looking,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    history: Cursor = None,
    openings: Openings = False,
) -> Response:
    """Who changed what, and when."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    shown = await _history(services, owner, env_id, link_id, history, openings=openings)
    return render(request, "link_history.html", owned=owned, **shown)


@router.get("/visitors/{visitorId}/end")
async def show_end(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, visitor_id: VisitorId, services: Services
) -> Response:
    """What the end of a visit means, before it is confirmed."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    return render(request, "end_visit.html", owned=owned, visitor_id=visitor_id)


@router.post("/visitors/{visitorId}/end")
async def end_visit(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, visitor_id: VisitorId, services: Services
) -> Response:
    """Cut one visitor off."""
    await services.api.records.end_visit(owner.principal, env_id, link_id, visitor_id)
    said = "The visit is over. The link stays open."
    return done(request, owner, said, path=link_path(env_id, link_id), topics=link_topics(env_id, link_id))


@router.post("/unlock")
async def unlock(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """Forget all wrong passwords, so that everybody can try again."""
    await services.api.password_tries.unlock(owner.principal, env_id, link_id)
    said = "The password can be tried again, from everywhere."
    return done(request, owner, said, path=link_path(env_id, link_id), topics=link_topics(env_id, link_id))


@router.get("/rotate")
async def show_rotation(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """What a new URL means, before it is confirmed."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    return render(request, "rotate_link.html", owned=owned)


@router.post("/rotate")
async def rotate(
    request: Request,
    owner: Changing,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    accepted: Annotated[str, Header(alias="accept-language")] = "",
) -> Response:
    """Give the link a new URL, and show what to send."""
    owned = await services.api.links.rotate(owner.principal, env_id, link_id)
    return send_anew(request, owner, owned, accepted)


@router.get("/remove")
async def show_removal(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """What a removal takes away, before it is confirmed."""
    return await _removal(request, owner, env_id, link_id, services, Filled({}))


@router.post("/remove")
async def remove(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, services: Services, form: SentForm
) -> Response:
    """Remove the link and all that was written down of it, once its name was typed."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    wanted = _typed(owned)
    if form.text("confirmation") != wanted:
        wrong = [FieldError("confirmation", f"must be {wanted}; nothing was removed")]
        filled = Filled.refused(form, ("confirmation",), wrong)
        return await _removal(request, owner, env_id, link_id, services, filled, status=422)
    await services.api.links.remove(owner.principal, env_id, link_id)
    path = f"/environments/{env_id}" if owner.may(Scope.ENVIRONMENTS_READ) else "/links"
    return go(request, path, owner=owner, said="The link is removed for good.")


async def _page(
    request: Request,
    owner: Owner,
    env_id: str,
    link_id: str,
    services: DashboardServices,
    *,
    period: Period = Period.MONTH,
    visitors: str | None = None,
    history: str | None = None,
    openings: bool = False,
    status: int = 200,
    editing: str | None = None,
    form: Filled | None = None,
) -> Response:
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    environment = await _environment(services, owner, env_id)
    return render(
        request,
        "link.html",
        status=status,
        owned=owned,
        environment=environment,
        locked_until=await _locked_until(services, owner, owned),
        **await _visits(services, owner, env_id, link_id, period),
        **await _visitors(services, owner, env_id, link_id, visitors),
        **await _refusals(services, owner, env_id, link_id),
        **await _history(services, owner, env_id, link_id, history, openings=openings),
        **await _terms_values(services, owner, owned, environment, editing, form),
    )


async def _terms(
    request: Request,
    owner: Owner,
    env_id: str,
    link_id: str,
    services: DashboardServices,
    *,
    editing: str | None = None,
    form: Filled | None = None,
    status: int = 200,
) -> Response:
    """The terms alone where htmx asks, else the page with them."""
    if not is_partial(request):
        return await _page(request, owner, env_id, link_id, services, editing=editing, form=form, status=status)
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    environment = await _environment(services, owner, env_id)
    values = await _terms_values(services, owner, owned, environment, editing, form)
    return render(request, "link_terms.html", status=status, owned=owned, environment=environment, **values)


async def _terms_values(
    services: DashboardServices,
    owner: Owner,
    owned: OwnedLink,
    environment: Environment | None,
    editing: str | None,
    form: Filled | None,
) -> dict[str, Any]:
    accounts: list[Account] = []
    if editing == "visitors" and environment is not None and environment.kind is Kind.ODOO:
        accounts = await services.api.accounts.list_all(owner.principal, environment.id)
    return {
        "editing": editing,
        "form": form or Filled.now(values_of(owned.link)),
        "accounts": accounts,
        "for_owners": FOR_OWNERS,
        "for_visitors": FOR_VISITORS,
        "term_fields": TERM_FIELDS,
    }


async def _visits(
    services: DashboardServices, owner: Owner, env_id: str, link_id: str, period: Period
) -> dict[str, Any]:
    bars = await read_bars(services.api.records, owner.principal, env_id, link_id, period)
    return {
        "period": period,
        "bars": bars,
        "axes": axes_of(bars),
    }


async def _visitors(
    services: DashboardServices, owner: Owner, env_id: str, link_id: str, cursor: str | None
) -> dict[str, Any]:
    page = await services.api.records.visitors(
        owner.principal, env_id, link_id, limit=VISITORS_ON_A_PAGE, cursor=cursor
    )
    return {"visitors": page, "visitors_from": cursor, "agent": agent}


async def _refusals(services: DashboardServices, owner: Owner, env_id: str, link_id: str) -> dict[str, Any]:
    refusals = await services.api.records.refusals(owner.principal, env_id, link_id)
    return {
        "refusals": [describe_refusal(each) for each in refusals],
        "had_no_tries": any(each.reason == Reason.TRIES_USED_UP for each in refusals),
    }


async def _history(
    services: DashboardServices, owner: Owner, env_id: str, link_id: str, cursor: str | None, *, openings: bool
) -> dict[str, Any]:
    page = await services.api.records.history(
        owner.principal,
        env_id,
        link_id,
        kinds=tuple(EventKind) if openings else _CHANGES,
        limit=HISTORY_ON_A_PAGE,
        cursor=cursor,
    )
    lines = [describe_event(event) for event in page.items]
    return {"lines": lines, "older": page.next_cursor, "history_from": cursor, "openings": openings}


async def _removal(
    request: Request,
    owner: Owner,
    env_id: str,
    link_id: str,
    services: DashboardServices,
    form: Filled,
    status: int = 200,
) -> Response:
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    return render(request, "remove_link.html", status=status, owned=owned, typed=_typed(owned), form=form)


async def _environment(services: DashboardServices, owner: Owner, env_id: str) -> Environment | None:
    """The link's environment; None for who may not look at environments."""
    if not owner.may(Scope.ENVIRONMENTS_READ):
        return None
    return await services.api.environments.get(owner.principal, env_id)


async def _locked_until(services: DashboardServices, owner: Owner, owned: OwnedLink) -> datetime | None:
    """Until when nobody can try the link's password."""
    link = owned.link
    if link.share_type is not ShareType.PASSWORD:
        return None
    return await services.api.password_tries.locked_until(owner.principal, link.environment.id, link.id)


def _typed(owned: OwnedLink) -> str:
    """What is typed to remove the link for good: its label, where it has one that can be typed."""
    label = owned.link.label
    return label if label is not None and len(label) <= _LONGEST_TYPED else owned.link.id


def _known(term: str) -> str:
    if term not in TERMS:
        raise NotFound("setting", term)
    return term
