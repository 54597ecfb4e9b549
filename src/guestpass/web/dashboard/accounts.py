"""Accounts of an Odoo that links can sign visitors in as."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.accounts import SignInCredentials, refusal_of
from guestpass.domain.account import Account
from guestpass.domain.errors import InUse, Invalid, NotFound
from guestpass.web.api.paths import AccountName, EnvironmentId
from guestpass.web.dashboard.forms import Filled, Form, SentForm
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Changing, Looking, Owner

_FIELDS: Final = ("login", "password", "name", "allowAdmin")

router = APIRouter(prefix="/environments/{envId}/accounts")


@router.get("")
async def show_accounts(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """The accounts, and a form for one more."""
    return await _accounts(request, owner, env_id, services, Filled({}))


@router.post("")
async def add_account(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Try the credentials and keep them."""
    try:
        account = await services.api.accounts.put(
            owner.principal, env_id, _credentials(form), name=form.optional("name")
        )
    except Invalid as refused:
        filled = Filled.refused(form, _FIELDS, refused.errors)
        return await _accounts(request, owner, env_id, services, filled, status=422)
    said = f"Odoo accepted the login. Links can sign visitors in as {account.name}."
    return go(request, f"/environments/{env_id}/accounts", owner=owner, said=said)


@router.get("/{name}")
async def show_account(
    request: Request, owner: Looking, env_id: EnvironmentId, name: AccountName, services: Services
) -> Response:
    """The form for new credentials of an account."""
    account = await services.api.accounts.get(owner.principal, env_id, name)
    form = Filled.now(_values(account))
    return await _account(request, owner, env_id, name, services, form)


@router.post("/{name}")
async def renew_account(
    request: Request, owner: Changing, env_id: EnvironmentId, name: AccountName, services: Services, form: SentForm
) -> Response:
    """Try the new credentials and keep them; links go on with them."""

    def check(now: Account | None) -> None:
        if now is None:
            raise NotFound("account", name)
        # Whoever leaves the login gives a password for the one that was shown.
        form.check_meanwhile(("login",), _values(now))

    try:
        await services.api.accounts.put(owner.principal, env_id, _credentials(form), name=name, check=check)
    except Invalid as refused:
        now = await services.api.accounts.get(owner.principal, env_id, name)
        filled = Filled.refused(form, _FIELDS, refused.errors, _values(now))
        return await _account(request, owner, env_id, name, services, filled, status=422)
    said = f"Odoo accepted the new credentials of {name}. Links go on with them."
    return go(request, f"/environments/{env_id}/accounts", owner=owner, said=said)


@router.get("/{name}/remove")
async def show_removal(
    request: Request, owner: Looking, env_id: EnvironmentId, name: AccountName, services: Services
) -> Response:
    """What a removal means, before it is confirmed."""
    return await _removal(request, owner, env_id, name, services)


@router.post("/{name}/remove")
async def remove_account(
    request: Request, owner: Changing, env_id: EnvironmentId, name: AccountName, services: Services
) -> Response:
    """Forget the account, unless active links need it."""
    try:
        await services.api.accounts.remove(owner.principal, env_id, name)
    except InUse as used:
        return await _removal(request, owner, env_id, name, services, why_not=str(used), status=409)
    return go(request, f"/environments/{env_id}/accounts", owner=owner, said=f"The account {name} is removed.")


def _values(account: Account) -> dict[str, object]:
    return {"login": account.login, "allowAdmin": account.is_admin}


def _credentials(form: Form) -> SignInCredentials:
    return SignInCredentials(
        login=form.text("login"), password=form.raw("password"), allow_admin=form.checked("allowAdmin")
    )


async def _accounts(
    request: Request, owner: Owner, env_id: str, services: DashboardServices, form: Filled, status: int = 200
) -> Response:
    summary, _ = await services.overview.one(owner.principal, env_id)
    accounts = await services.api.accounts.list_all(owner.principal, env_id)
    return render(
        request,
        "accounts.html",
        status=status,
        summary=summary,
        accounts=[(account, refusal_of(account)) for account in accounts],
        form=form,
        fields=_FIELDS,
    )


async def _account(
    request: Request, owner: Owner, env_id: str, name: str, services: DashboardServices, form: Filled, status: int = 200
) -> Response:
    summary, _ = await services.overview.one(owner.principal, env_id)
    account = await services.api.accounts.get(owner.principal, env_id, name)
    return render(request, "account.html", status=status, summary=summary, account=account, form=form, fields=_FIELDS)


async def _removal(
    request: Request,
    owner: Owner,
    env_id: str,
    name: str,
    services: DashboardServices,
    *,
    why_not: str | None = None,
    status: int = 200,
) -> Response:
    summary, _ = await services.overview.one(owner.principal, env_id)
    account = await services.api.accounts.get(owner.principal, env_id, name)
    return render(request, "remove_account.html", status=status, summary=summary, account=account, why_not=why_not)
