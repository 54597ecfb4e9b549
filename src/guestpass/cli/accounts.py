"""`guestpass account`: whom links can sign visitors in to an Odoo as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from guestpass.app.accounts import SignInCredentials, refusal_of, warnings_of
from guestpass.cli import output
from guestpass.cli.options import ORG, AsJSON, EnvironmentId, Org, Yes
from guestpass.cli.session import act, ask_password, confirm
from guestpass.domain.access import Principal
from guestpass.domain.account import Account
from guestpass.web.api.account_models import AccountBody, AccountsBody

if TYPE_CHECKING:
    from guestpass.wiring import Core

app = typer.Typer(help="Accounts of an Odoo that links can sign visitors in as.", no_args_is_help=True)


@app.command("add")
def add(
    environment_id: EnvironmentId,
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
    """Try the credentials of an Odoo user and keep them; the same again renews a changed password.

    The password is asked for, or read from standard input, and kept encrypted. Links of the account go on with it.
    """
    credentials = SignInCredentials(login=login, password=ask_password(confirmed=False), allow_admin=allow_admin)

    async def keep(core: Core, who: Principal) -> Account:
        return await core.accounts.put(who, environment_id, credentials, name=name)

    account = act(org, keep)
    if as_json:
        output.print_json(AccountBody.of(account))
    else:
        what = "added" if account.revision == 1 else "renewed"
        typer.echo(
            f"The account {account.name} is {what}. Share it: guestpass share create {environment_id} --sign-in-as "
            f"{account.name}"
        )
    output.tell(warnings_of(account))


@app.command("list")
def list_all(environment_id: EnvironmentId, org: Org = ORG, as_json: AsJSON = False) -> None:
    """List an environment's accounts, by name."""

    async def read(core: Core, who: Principal) -> list[Account]:
        return await core.accounts.list_all(who, environment_id)

    accounts = act(org, read)
    if as_json:
        output.print_json(AccountsBody.of(accounts))
        return
    output.print_table(
        ["NAME", "LOGIN", "RIGHTS", "ADDED", "REFUSED"],
        [
            (
                account.name,
                account.login,
                "administrator" if account.is_admin else "user",
                f"{output.moment(account.created_at)} by {account.created_by}",
                output.moment(account.refused_at),
            )
            for account in accounts
        ],
    )
    output.tell([finding for account in accounts if (finding := refusal_of(account)) is not None])


@app.command("remove")
def remove(
    environment_id: EnvironmentId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.", show_default=False)],
    org: Org = ORG,
    yes: Yes = False,
) -> None:
    """Forget an account; refused while active links sign their visitors in as it."""

    async def take_away(core: Core, who: Principal) -> None:
        await core.accounts.remove(who, environment_id, name)

    confirm(f"Remove the account {name} of {environment_id} for good?", yes=yes)
    act(org, take_away)
    typer.echo(f"The account {name} is removed.")
