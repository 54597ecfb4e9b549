"""What a server says of itself to commands that ask it from elsewhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request

import guestpass
from guestpass.domain.access import Principal
from guestpass.web.api.account_models import WarningBody
from guestpass.web.api.owners import DOCUMENTED_SCHEME, authenticate
from guestpass.web.api.problem_models import problems
from guestpass.web.api.shapes import ResponseModel
from guestpass.web.request_context import RequestContext
from guestpass.web.services import Services

router = APIRouter(prefix="/api/installation", tags=["Installation"], dependencies=DOCUMENTED_SCHEME)


class InstallationBody(ResponseModel):
    """The server that answers, and how it sees the caller."""

    version: str = Field(examples=["1.0.0"])
    public_url: str = Field(examples=["https://share.example.com"])
    link_domain: str | None = Field(description="Null: all links open on `publicUrl`.", examples=["links.example.com"])
    client_address: str = Field(
        description="The caller's address; a proxy's word for it counts if it is in TRUSTED_PROXIES.",
        examples=["192.0.2.7"],
    )
    org: str = Field(description="The organisation that the caller acts in.", examples=["default"])
    findings: list[WarningBody] = Field(description="What the operator should know.")


@router.get(
    "",
    operation_id="getInstallation",
    response_description="The installation.",
    summary="Show the installation",
    responses=problems(401, 500),
)
async def get_installation(
    request: Request, principal: Annotated[Principal, Depends(authenticate)], services: Services
) -> InstallationBody:
    """Returns the version, the addresses that links are made for, and what the operator should know.

    Needs a bearer token of any scope.
    """
    return InstallationBody(
        version=guestpass.__version__,
        public_url=services.addresses.public_url,
        link_domain=services.addresses.link_domain,
        client_address=RequestContext.of(request.scope).client_address,
        org=principal.org,
        findings=[WarningBody.of(each) for each in services.installation_findings()],
    )
