"""Share links of all environments of an organisation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from guestpass.web.api.link_models import DeactivatedBody, FoundLinksBody, LinkIds, LinkSearchQuery
from guestpass.web.api.owners import DOCUMENTED_SCHEME, SharesReader, SharesWriter
from guestpass.web.api.problem_models import problems
from guestpass.web.api.requests import request_body
from guestpass.web.bodies import json_body
from guestpass.web.services import Services

router = APIRouter(prefix="/api/share-links", tags=["Share links"], dependencies=DOCUMENTED_SCHEME)


@router.get(
    "",
    operation_id="findShareLinks",
    response_description="A page of links.",
    summary="Find share links of all environments",
    responses=problems(401, 403, 422, 500),
)
async def find_share_links(
    principal: SharesReader, services: Services, query: Annotated[LinkSearchQuery, Query()]
) -> FoundLinksBody:
    """Returns links of all the organisation's environments, a page at a time. Needs the scope `shares:read`.

    The next page is the same request with `nextCursor` as `cursor`.
    """
    return FoundLinksBody.of(await services.links.find(principal, query.as_search()))


@router.post(
    "/deactivate",
    operation_id="deactivateShareLinks",
    response_description="What became of each link.",
    summary="Deactivate many share links",
    responses=problems(400, 401, 403, 413, 415, 422, 500),
    openapi_extra=request_body(LinkIds, {"ids": ["k7nq2w5d3mzr4xta", "b2xw6t4hqz5mc3ka"]}),
)
async def deactivate_share_links(
    principal: SharesWriter, services: Services, body: Annotated[LinkIds, Depends(json_body(LinkIds))]
) -> DeactivatedBody:
    """Deactivates links of any environments in one step, as one by one. Needs the scope `shares:write`."""
    return DeactivatedBody.of(await services.links.deactivate_many(principal, body.ids))
