"""The typer application with all commands."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from guestpass import __version__
from guestpass.cli import (
    accounts,
    dashboard,
    doctor,
    environments,
    server,
    share_changes,
    share_records,
    shares,
    tokens,
    visitors,
)

app = typer.Typer(
    name="guestpass",
    help="Share links to running Odoo environments: they expire, may ask for a password, and can be switched off at "
    "once.",
    epilog="Exit status: 0 done; 1 refused, not found or not confirmed; 2 a wrong option, setting, key, token or "
    "database; 3 a server that can't be reached.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
share = typer.Typer(help="Share links.", no_args_is_help=True)


def _is_compiled() -> bool:
    """Whether this is the wheel whose gateway is compiled."""
    spec = find_spec("guestpass.wire.exchange")
    return spec is not None and spec.origin is not None and not spec.origin.endswith(".py")


def _print_version(asked: bool) -> None:
    if asked:
        built = " (gateway compiled)" if _is_compiled() else ""
        typer.echo(f"guestpass {__version__}{built}")
        raise typer.Exit


@app.callback()
def guestpass(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The options that stand before any command."""


app.command("serve")(server.serve)
app.command("settings")(server.show_settings)
app.add_typer(server.database, name="db")
app.command("doctor")(doctor.doctor)
app.command("open")(dashboard.open_dashboard)
app.add_typer(dashboard.sessions, name="sessions")
app.add_typer(tokens.app, name="token")
app.add_typer(environments.app, name="env")
app.add_typer(accounts.app, name="account")
for part in (shares, share_changes, share_records):
    share.add_typer(part.app)
app.add_typer(share, name="share")
app.add_typer(visitors.app, name="visitors")
