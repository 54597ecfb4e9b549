"""What was written down of a share link: its history, visits, visitors and refusals."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from guestpass.domain.link import EventKind
from guestpass.web.api.link_models import PageQuery
from guestpass.web.api.owners import DOCUMENTED_SCHEME, SharesReader, SharesWriter
from guestpass.web.api.paths import EnvironmentId, LinkId, VisitorId
from guestpass.web.api.problem_models import problems
from guestpass.web.api.record_models import (
    HistoryBody,
    HistoryQuery,
    PasswordTriesBody,
    RefusalsBody,
    VisitCountsBody,
    VisitorsBody,
    VisitsQuery,
)
from guestpass.web.services import Services

router = APIRouter(
    prefix="/api/environments/{envId}/share/{linkId}", tags=["Share links"], dependencies=DOCUMENTED_SCHEME
)


@router.get(
    "/history",
    operation_id="listShareLinkHistory",
    response_description="A page of events.",
    summary="List what happened to a share link",
    responses=problems(401, 403, 404, 422, 500),
)
async def list_history(
    principal: SharesReader,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    query: Annotated[HistoryQuery, Query()],
) -> HistoryBody:
    """Returns who did what and when, newest first. Needs the scope `shares:read`.

    Of changes it names the fields and never their values.
    """
    kinds = query.kind or tuple(EventKind)
    page = await services.records.history(
        principal, env_id, link_id, kinds=kinds, limit=query.limit, cursor=query.cursor
    )
    return HistoryBody.of(page)


@router.get(
    "/visits",
    operation_id="countShareLinkVisits",
    response_description="The counts.",
    summary="Count a share link's visits by hour or day",
    responses=problems(401, 403, 404, 422, 500),
)
async def count_visits(
    principal: SharesReader,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    query: Annotated[VisitsQuery, Query()],
) -> VisitCountsBody:
    """Returns how many visits began in each hour or day (UTC), oldest first. Needs the scope `shares:read`.

    From the link's creation on, but no more than the last 168 hours or 366 days.
    """
    return VisitCountsBody.of(query.by, await services.records.visits(principal, env_id, link_id, query.by))


@router.get(
    "/visitors",
    operation_id="listShareLinkVisitors",
    response_description="A page of visitors.",
    summary="List a share link's visitors",
    responses=problems(401, 403, 404, 422, 500),
)
async def list_visitors(
    principal: SharesReader,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    query: Annotated[PageQuery, Query()],
) -> VisitorsBody:
    """Returns who came through a link, those seen last first. Needs the scope `shares:read`.

    Of one link each worker tells 200 new visitors an hour apart for one address (in IPv6 one /64), and 2,000 for all.
    Whoever comes then is let in all the same, as one of the `others`; the link's `visits` and `visitors` count them.
    """
    page = await services.records.visitors(principal, env_id, link_id, limit=query.limit, cursor=query.cursor)
    return VisitorsBody.of(page, services.clock.now())


@router.delete(
    "/visitors/{visitorId}",
    operation_id="endVisit",
    response_description="The visit is over, now or before.",
    summary="End a visit",
    status_code=204,
    responses=problems(401, 403, 404, 500),
)
async def end_visit(
    principal: SharesWriter, env_id: EnvironmentId, link_id: LinkId, visitor_id: VisitorId, services: Services
) -> None:
    """Ends one visit and not the link: the visitor is cut off at once. Needs the scope `shares:write`.

    Whoever has the link (and its password) can open it again, and is another visitor then. To prevent that, give the
    link a new URL.
    """
    await services.records.end_visit(principal, env_id, link_id, visitor_id)


@router.get(
    "/password-tries",
    operation_id="showPasswordTries",
    response_description="Whether passwords are accepted.",
    summary="Say whether a share link accepts passwords",
    responses=problems(401, 403, 404, 500),
)
async def show_password_tries(
    principal: SharesReader, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> PasswordTriesBody:
    """Returns until when addresses that have failed can try no more, after too many wrong passwords of all of them.

    Others still can. Single addresses are locked out sooner; the link's refusals and history tell of those. Needs the
    scope `shares:read`.
    """
    return PasswordTriesBody(locked_until=await services.password_tries.locked_until(principal, env_id, link_id))


@router.delete(
    "/password-tries",
    operation_id="unlockPassword",
    response_description="Passwords are accepted from everywhere.",
    summary="Accept passwords again",
    status_code=204,
    responses=problems(401, 403, 404, 500),
)
async def unlock_password(principal: SharesWriter, env_id: EnvironmentId, link_id: LinkId, services: Services) -> None:
    """Forgets all wrong passwords of a link, so that every address can try again. Needs the scope `shares:write`."""
    await services.password_tries.unlock(principal, env_id, link_id)


@router.get(
    "/refusals",
    operation_id="listShareLinkRefusals",
    response_description="The refusals.",
    summary="List who was turned away at a share link",
    responses=problems(401, 403, 404, 500),
)
async def list_refusals(
    principal: SharesReader, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> RefusalsBody:
    """Returns the last 50 refusals at a link, newest first. Needs the scope `shares:read`.

    The page of a visitor who was turned away shows a request id; this list says the reason.
    """
    return RefusalsBody.of(await services.records.refusals(principal, env_id, link_id))
