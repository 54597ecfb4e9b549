"""`guestpass account`: Odoo accounts that links sign visitors in as."""

from __future__ import annotations

from typing import Annotated

import typer

from guestpass.app.accounts import RIGHT, SignInCredentials
from guestpass.cli import output
from guestpass.cli.clearing import require_given
from guestpass.cli.connection import Backend, work
from guestpass.cli.lookup import find_environment
from guestpass.cli.options import ORG, AsJSON, EnvironmentName, Org, Yes
from guestpass.cli.session import ask_password, confirm
from guestpass.domain.account import ACCOUNT_NAME_PATTERN
from guestpass.domain.errors import NotFound
from guestpass.web.api.account_models import AccountBody, AccountsBody
from guestpass.web.api.models import EnvironmentBody

_REFUSED = "account_refused"

app = typer.Typer(help="Accounts of an Odoo that links can sign visitors in as.", no_args_is_help=True)


@app.command("add")
def add(
    environment_name: EnvironmentName,
    login: Annotated[
        str, typer.Argument(metavar="LOGIN", help="What the user signs in to Odoo with.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="How links name the account. An account of this name gets the new credentials.",
            show_default="that of the account with this login, else made from it",
        ),
    ] = None,
    allow_admin: Annotated[
        bool,
        typer.Option(
            "--allow-admin",
            help="Accept a user who administers Odoo: whoever has a link that signs in as one can run code there.",
        ),
    ] = False,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Try the credentials of an Odoo user and keep them; run it again to replace a changed password.

    The password is asked for, or read from standard input, and kept encrypted. Links of the account go on with it.
    """
    require_given(name=name)
    credentials = SignInCredentials(
        login=login, password=ask_password("the account", confirmed=False), allow_admin=allow_admin
    )

    async def keep(backend: Backend) -> tuple[str, AccountBody, bool]:
        id = await find_environment(backend, environment_name)
        return id, *await backend.put_account(id, credentials, name)

    id, account, is_new = work(org, keep, doing="Asking Odoo whether it accepts the user")
    if as_json:
        output.print_json(account)
    else:
        typer.echo(
            f"The account {account.name} is {'added' if is_new else 'renewed'}. Share it: guestpass share create {id} "
            f"--sign-in-as {account.name}"
        )
    output.tell(account.warnings)


@app.command("list")
def list_all(environment_name: EnvironmentName, org: Org = ORG, as_json: AsJSON = False) -> None:
    """List an environment's accounts, by name."""

    async def read(backend: Backend) -> tuple[AccountsBody, EnvironmentBody]:
        id = await find_environment(backend, environment_name)
        return await backend.accounts(id), await backend.environment(id)

    found, environment = work(org, read)
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        ["NAME", "LOGIN", "RIGHTS", "ADDED", "REFUSED"],
        [
            (
                account.name,
                account.login,
                _rights(account),
                f"{output.moment(account.created_at)} by {account.created_by}",
                output.moment(account.refused_at),
            )
            for account in found.accounts
        ],
    )
    output.tell([finding for finding in environment.findings if finding.code == _REFUSED])


def _rights(account: AccountBody) -> str:
    """What an account may do in Odoo that is dangerous, in short."""
    if account.is_admin:
        return "administrator"
    named = [each.code.removeprefix(RIGHT) for each in account.warnings if each.code.startswith(RIGHT)]
    return ", ".join(["user", *(each.replace("_", " ") for each in named)])


@app.command("remove")
def remove(
    environment_name: EnvironmentName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.", show_default=False)],
    org: Org = ORG,
    yes: Yes = False,
    as_json: AsJSON = False,
) -> None:
    """Forget an account; refused while active links sign their visitors in as it."""

    async def find(backend: Backend) -> str:
        id = await find_environment(backend, environment_name)
        if not ACCOUNT_NAME_PATTERN.fullmatch(name):
            # No account has such a name, and in a URL's path it could name another resource.
            raise NotFound("account", name)
        return id

    id = work(org, find)
    confirm(f"Remove the account {name} of {id} for good?", yes=yes)

    async def take_away(backend: Backend) -> None:
        await backend.remove_account(id, name)

    work(org, take_away)
    if as_json:
        output.print_json({"removed": name})
        return
    typer.echo(f"The account {name} is removed.")
