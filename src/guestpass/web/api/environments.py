"""Environments: the running applications that links lead to."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from guestpass.app.paging import PAGE
from guestpass.domain.environment import Environment
from guestpass.web.api.models import (
    EnvironmentBody,
    EnvironmentPatch,
    EnvironmentRequest,
    EnvironmentsBody,
    EnvironmentsQuery,
    RefusedCallsBody,
)
from guestpass.web.api.owners import DOCUMENTED_SCHEME, EnvironmentsReader, EnvironmentsWriter
from guestpass.web.api.paths import EnvironmentId
from guestpass.web.api.problem_models import problems
from guestpass.web.api.requests import request_body
from guestpass.web.bodies import Further, json_body
from guestpass.web.media_types import JSON_PATCHES
from guestpass.web.services import Services, WebServices

router = APIRouter(prefix="/api/environments", tags=["Environments"], dependencies=DOCUMENTED_SCHEME)
_FURTHER: Final = Further(EnvironmentPatch, lambda services, body: services.environments.errors_of(body.as_change()))


@router.get(
    "",
    operation_id="listEnvironments",
    response_description="The environments.",
    summary="List environments",
    responses=problems(401, 403, 422, 500),
)
async def list_environments(
    principal: EnvironmentsReader, services: Services, query: Annotated[EnvironmentsQuery, Query()]
) -> EnvironmentsBody:
    """Returns every environment of the caller's organisation, by name. Needs the scope `environments:read`.

    With `limit` or `cursor` a page at a time: the next is the same request with `nextCursor` as `cursor`.
    """
    if query.limit is None and query.cursor is None:
        environments = await services.environments.list_all(principal)
        return EnvironmentsBody.of(environments, await services.findings.of(environments))
    page = await services.environments.page(principal, limit=query.limit or PAGE, cursor=query.cursor)
    return EnvironmentsBody.of(page.items, await services.findings.of(page.items), page)


@router.post(
    "",
    operation_id="createEnvironment",
    response_description="The new environment.",
    summary="Register an environment",
    status_code=201,
    responses={
        201: {"headers": {"Location": {"description": "The environment's path.", "schema": {"type": "string"}}}},
        **problems(400, 401, 403, 409, 413, 415, 422, 500),
    },
    openapi_extra=request_body(
        EnvironmentRequest, {"id": "staging", "name": "Staging", "url": "http://10.0.0.5:8069", "kind": "odoo"}
    ),
)
async def create_environment(
    principal: EnvironmentsWriter,
    services: Services,
    response: Response,
    body: Annotated[EnvironmentRequest, Depends(json_body(EnvironmentRequest, further=_FURTHER))],
) -> EnvironmentBody:
    """Registers a running application, so that links can lead to it. Needs the scope `environments:write`.

    It is checked before the answer, within half a minute: what was found stands in `findings`, and never prevents
    the registration.
    """
    environment = await services.environments.add(principal, body.as_new_environment())
    response.headers["Location"] = f"/api/environments/{environment.id}"
    return await _shown(environment, services)


@router.get(
    "/{envId}",
    operation_id="getEnvironment",
    response_description="The environment.",
    summary="Show an environment",
    responses=problems(401, 403, 404, 500),
)
async def get_environment(principal: EnvironmentsReader, env_id: EnvironmentId, services: Services) -> EnvironmentBody:
    """Returns one environment. Needs the scope `environments:read`."""
    return await _shown(await services.environments.get(principal, env_id), services)


@router.patch(
    "/{envId}",
    operation_id="changeEnvironment",
    response_description="The environment as it is now.",
    summary="Change an environment",
    responses=problems(400, 401, 403, 404, 413, 415, 422, 500),
    openapi_extra=request_body(
        EnvironmentPatch, {"maintenance": {"message": "Back at 14:00."}}, media_types=JSON_PATCHES
    ),
)
async def change_environment(
    principal: EnvironmentsWriter,
    env_id: EnvironmentId,
    services: Services,
    body: Annotated[EnvironmentPatch, Depends(json_body(EnvironmentPatch, further=_FURTHER))],
) -> EnvironmentBody:
    """Changes the given fields. A new url keeps links and passes. Needs the scope `environments:write`.

    Visitors whom their link signs in to Odoo are signed in anew after another url, database or publicUrl. Where the
    change is about how the environment is reached, it is checked as when it was registered.
    """
    return await _shown(await services.environments.change(principal, env_id, body.as_change()), services)


@router.post(
    "/{envId}/check",
    operation_id="checkEnvironment",
    response_description="The environment with what was found.",
    summary="Check an environment again",
    responses=problems(401, 403, 404, 500),
)
async def check_environment(
    principal: EnvironmentsWriter, env_id: EnvironmentId, services: Services
) -> EnvironmentBody:
    """Checks the environment as at its registration, within half a minute. Needs the scope `environments:write`."""
    return await _shown(await services.environments.check(principal, env_id), services)


@router.get(
    "/{envId}/refused-calls",
    operation_id="listRefusedCalls",
    response_description="The methods and addresses.",
    summary="List the refused calls of view-only links",
    responses=problems(401, 403, 404, 500),
)
async def list_refused_calls(
    principal: EnvironmentsReader, env_id: EnvironmentId, services: Services
) -> RefusedCallsBody:
    """Returns what view-only links refused, most often first. Needs the scope `environments:read`.

    Methods and addresses that only read are allowed by `readOnlyAllow`, as `model/method`.
    """
    return RefusedCallsBody.of(await services.environments.refused_calls(principal, env_id))


@router.delete(
    "/{envId}",
    operation_id="removeEnvironment",
    response_description="The environment and its links are gone.",
    summary="Remove an environment",
    status_code=204,
    responses=problems(401, 403, 404, 500),
)
async def remove_environment(principal: EnvironmentsWriter, env_id: EnvironmentId, services: Services) -> None:
    """Removes an environment with all its links and cuts their visitors off. Needs the scope `environments:write`."""
    await services.environments.remove(principal, env_id)


async def _shown(environment: Environment, services: WebServices) -> EnvironmentBody:
    findings = await services.findings.of([environment])
    return EnvironmentBody.of(environment, findings[environment.key])
