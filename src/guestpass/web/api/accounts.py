"""Accounts of an environment: whom links can sign visitors in as."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from guestpass.web.api.account_models import AccountBody, AccountRequest, AccountsBody
from guestpass.web.api.owners import DOCUMENTED_SCHEME, EnvironmentsReader, EnvironmentsWriter
from guestpass.web.api.paths import AccountName, EnvironmentId
from guestpass.web.api.problem_models import problems
from guestpass.web.api.requests import request_body
from guestpass.web.bodies import json_body
from guestpass.web.services import Services

router = APIRouter(prefix="/api/environments/{envId}/accounts", tags=["Accounts"], dependencies=DOCUMENTED_SCHEME)


@router.get(
    "",
    operation_id="listAccounts",
    response_description="The accounts.",
    summary="List accounts",
    responses=problems(401, 403, 404, 500),
)
async def list_accounts(principal: EnvironmentsReader, env_id: EnvironmentId, services: Services) -> AccountsBody:
    """Returns the accounts that links of an Odoo can sign visitors in as. Needs the scope `environments:read`."""
    return AccountsBody.of(await services.accounts.list_all(principal, env_id))


@router.post(
    "",
    operation_id="addAccount",
    response_description="The new account.",
    summary="Add an account, or renew its password",
    status_code=201,
    responses={
        200: {"model": AccountBody, "description": "The account that was there, with these credentials from now on."},
        **problems(400, 401, 403, 404, 413, 415, 422, 500),
    },
    openapi_extra=request_body(AccountRequest, {"name": "demo", "login": "demo", "password": "correct horse"}),
)
async def add_account(
    principal: EnvironmentsWriter,
    env_id: EnvironmentId,
    services: Services,
    response: Response,
    body: Annotated[AccountRequest, Depends(json_body(AccountRequest))],
) -> AccountBody:
    """Keeps the credentials of an Odoo user, once Odoo has accepted them. Needs the scope `environments:write`.

    Where there is an account of that name (or, without a name, of that login) its credentials are replaced: links go
    on with the new ones, which is how a changed password is renewed.
    """
    account = await services.accounts.put(principal, env_id, body.as_credentials(), name=body.name)
    response.status_code = 201 if account.revision == 1 else 200
    return AccountBody.of(account)


@router.delete(
    "/{name}",
    operation_id="removeAccount",
    response_description="The account is forgotten.",
    summary="Remove an account",
    status_code=204,
    responses=problems(401, 403, 404, 409, 500),
)
async def remove_account(
    principal: EnvironmentsWriter, env_id: EnvironmentId, name: AccountName, services: Services
) -> None:
    """Forgets an account, unless active links still sign their visitors in as it: deactivate these first.

    Needs the scope `environments:write`.
    """
    await services.accounts.remove(principal, env_id, name)
