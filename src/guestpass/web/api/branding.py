"""How the organisation looks to the people whom it sends links."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends

from guestpass.domain.branding import Branding, Logo
from guestpass.domain.errors import Invalid
from guestpass.web.api.branding_models import LONGEST_BRANDING, BrandingBody, BrandingRequest
from guestpass.web.api.owners import DOCUMENTED_SCHEME, EnvironmentsReader, EnvironmentsWriter
from guestpass.web.api.problem_models import problems
from guestpass.web.api.requests import request_body
from guestpass.web.bodies import json_body
from guestpass.web.logos import read_logo
from guestpass.web.services import Services

router = APIRouter(prefix="/api/branding", tags=["Branding"], dependencies=DOCUMENTED_SCHEME)


@router.get(
    "",
    operation_id="getBranding",
    response_description="The branding.",
    summary="Show the branding",
    responses=problems(401, 403, 500),
)
async def get_branding(principal: EnvironmentsReader, services: Services) -> BrandingBody:
    """Returns how the organisation looks to its visitors. Needs the scope `environments:read`."""
    return BrandingBody.of(await services.branding.get(principal))


@router.put(
    "",
    operation_id="putBranding",
    response_description="The branding as visitors see it from now on.",
    summary="Set the branding",
    responses=problems(400, 401, 403, 413, 415, 422, 500),
    openapi_extra=request_body(
        BrandingRequest, {"name": "Harbour Supplies", "colour": "#2f5bd7", "contact": "mailto:help@example.com"}
    ),
)
async def put_branding(
    principal: EnvironmentsWriter,
    services: Services,
    body: Annotated[BrandingRequest, Depends(json_body(BrandingRequest, longest=LONGEST_BRANDING))],
) -> BrandingBody:
    """Replaces name, logo, colour and contact on every page that visitors are shown, and on cards in chats.

    Needs the scope `environments:write`.
    """
    logo = await _logo(body.logo) if body.logo else None
    branding = Branding(name=body.name, logo=logo, colour=body.colour, contact=body.contact)
    return BrandingBody.of(await services.branding.put(principal, branding))


@router.delete(
    "",
    operation_id="removeBranding",
    response_description="Visitors see the product's own pages.",
    summary="Remove the branding",
    status_code=204,
    responses=problems(401, 403, 500),
)
async def remove_branding(principal: EnvironmentsWriter, services: Services) -> None:
    """Removes name, logo, colour and contact. Needs the scope `environments:write`."""
    await services.branding.remove(principal)


async def _logo(url: str) -> Logo:
    try:
        return await asyncio.to_thread(read_logo, url)
    except ValueError as error:
        raise Invalid.one("logo", str(error)) from None
