"""Share links of an environment."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from guestpass.app.paging import PAGE
from guestpass.web.api.link_models import LinkPatch, LinkRequest, LinksQuery, ShareLinkBody, ShareLinksBody
from guestpass.web.api.models import MessageBody
from guestpass.web.api.owners import DOCUMENTED_SCHEME, SharesReader, SharesWriter
from guestpass.web.api.paths import EnvironmentId, LinkId
from guestpass.web.api.problem_models import problems
from guestpass.web.api.requests import request_body
from guestpass.web.bodies import Further, json_body
from guestpass.web.media_types import JSON_PATCHES
from guestpass.web.services import Services

router = APIRouter(prefix="/api/environments/{envId}/share", tags=["Share links"], dependencies=DOCUMENTED_SCHEME)
_OF_NEW_LINK: Final = Further(LinkRequest, lambda services, body: services.links.errors_of(body.as_new_link()))
_OF_CHANGE: Final = Further(LinkPatch, lambda services, body: services.links.errors_of(body.as_change()))


@router.get(
    "",
    operation_id="listShareLinks",
    response_description="The links.",
    summary="List share links",
    responses=problems(401, 403, 404, 422, 500),
    response_model_exclude_unset=True,
)
async def list_share_links(
    principal: SharesReader,
    env_id: EnvironmentId,
    services: Services,
    query: Annotated[LinksQuery, Query()],
) -> ShareLinksBody:
    """Returns all share links for an environment, newest first. Needs the scope `shares:read`.

    With `limit` or `cursor` a page at a time: the next is the same request with `nextCursor` as `cursor`.
    """
    if query.limit is None and query.cursor is None:
        links = await services.links.list_all(principal, env_id, query.status)
        return ShareLinksBody(share_links=[ShareLinkBody.of(link) for link in links], total=len(links))
    limit = query.limit or PAGE
    page = await services.links.page(principal, env_id, query.status, limit=limit, cursor=query.cursor)
    return ShareLinksBody(
        share_links=[ShareLinkBody.of(link) for link in page.items],
        total=page.total or 0,
        next_cursor=page.next_cursor,
    )


@router.post(
    "",
    operation_id="createShareLink",
    response_description="The new link.",
    summary="Create a share link",
    status_code=201,
    responses=problems(400, 401, 403, 404, 413, 415, 422, 500),
    openapi_extra=request_body(
        LinkRequest, {"expiresIn": "24h", "label": "For the auditors", "password": "correct horse"}, required=False
    ),
)
async def create_share_link(
    principal: SharesWriter,
    env_id: EnvironmentId,
    services: Services,
    body: Annotated[LinkRequest, Depends(json_body(LinkRequest, optional=True, further=_OF_NEW_LINK))],
) -> ShareLinkBody:
    """Creates a new share link for an environment (token or password protected). Needs the scope `shares:write`."""
    return ShareLinkBody.of(await services.links.create(principal, env_id, body.as_new_link()))


@router.get(
    "/{linkId}",
    operation_id="getShareLink",
    response_description="The link.",
    summary="Show a share link",
    responses=problems(401, 403, 404, 500),
)
async def get_share_link(
    principal: SharesReader, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> ShareLinkBody:
    """Returns one share link. Needs the scope `shares:read`."""
    return ShareLinkBody.of(await services.links.get(principal, env_id, link_id))


@router.patch(
    "/{linkId}",
    operation_id="changeShareLink",
    response_description="The link as it is now.",
    summary="Change a share link",
    responses=problems(400, 401, 403, 404, 413, 415, 422, 500),
    openapi_extra=request_body(
        LinkPatch, {"expiresIn": "7d", "label": "For the auditors", "maxVisitors": 3}, media_types=JSON_PATCHES
    ),
)
async def change_share_link(
    principal: SharesWriter,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    body: Annotated[LinkPatch, Depends(json_body(LinkPatch, further=_OF_CHANGE))],
) -> ShareLinkBody:
    """Changes the given fields; its URL stays, and visitors notice at once. Needs the scope `shares:write`.

    A new password must be typed by visitors who are in, too. Whoever may not be let in any more is cut off.
    """
    return ShareLinkBody.of(await services.links.change(principal, env_id, link_id, body.as_change()))


@router.post(
    "/{linkId}/rotate",
    operation_id="rotateShareLink",
    response_description="The link with its new URL.",
    summary="Give a share link a new URL",
    responses=problems(401, 403, 404, 500),
)
async def rotate_share_link(
    principal: SharesWriter, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> ShareLinkBody:
    """Replaces a link's URL and keeps its record. Needs the scope `shares:write`.

    Whoever opens the old URL reads that the link was replaced (410); visitors who are in are cut off, and need the new
    one.
    """
    return ShareLinkBody.of(await services.links.rotate(principal, env_id, link_id))


@router.delete(
    "/{linkId}",
    operation_id="deactivateShareLink",
    response_description="Deactivated, now or before.",
    summary="Deactivate a share link",
    responses=problems(401, 403, 404, 500),
)
async def deactivate_share_link(
    principal: SharesWriter, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> MessageBody:
    """Deactivates a share link (soft delete): it opens nothing from now on, its visitors are cut off, its record stays.

    A second time changes nothing. Needs the scope `shares:write`.
    """
    if await services.links.deactivate(principal, env_id, link_id):
        return MessageBody(message="The share link is deactivated.")
    return MessageBody(message="The share link was deactivated before.")


@router.delete(
    "/{linkId}/permanent",
    operation_id="removeShareLink",
    response_description="The record is gone.",
    summary="Remove a share link",
    status_code=204,
    responses=problems(401, 403, 404, 500),
)
async def remove_share_link(
    principal: SharesWriter, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> None:
    """Permanently removes a share link record. Needs the scope `shares:write`."""
    await services.links.remove(principal, env_id, link_id)
