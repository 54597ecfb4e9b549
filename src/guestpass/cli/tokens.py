"""`guestpass token`: bearer tokens for the API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from guestpass.cli import output
from guestpass.cli.durations import duration
from guestpass.cli.options import ORG, AsJSON, Org
from guestpass.cli.session import REFUSED, Stopped, act, operator, read_settings
from guestpass.data_directory import read_secret
from guestpass.domain.access import ALL_SCOPES, Principal, Scope
from guestpass.domain.durations import format_duration
from guestpass.signing.bearer import BearerRefused, BearerTokens
from guestpass.system import SystemClock, SystemEntropy

if TYPE_CHECKING:
    from guestpass.wiring import Core

app = typer.Typer(help="Bearer tokens for the API: without a command, print a new one.")

_LIFETIME = timedelta(days=30)
# The expiry of a token that is known by id only is unknown, so its revocation is kept for good.
_FOREVER = timedelta(days=36_500)


def _scopes(words: list[str]) -> frozenset[Scope]:
    names = [name for word in words for name in word.replace(",", " ").split()]
    try:
        return frozenset(Scope(name) for name in names) or ALL_SCOPES
    except ValueError:
        known = ", ".join(scope.value for scope in Scope)
        raise typer.BadParameter(f"must be one or more of {known}", param_hint="--scope") from None


@app.callback(invoke_without_command=True)
def issue(
    context: typer.Context,
    sub: Annotated[
        str | None,
        typer.Option("--sub", metavar="NAME", help="Who the token is for.", show_default="the operating system's user"),
    ] = None,
    org: Org = ORG,
    expires: Annotated[
        timedelta | None,
        typer.Option(
            "--expires",
            parser=duration,
            metavar="DURATION",
            help="How long it is good for, such as 24h.",
            show_default=format_duration(_LIFETIME),
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it may be used for; can be given several times.",
            show_default="every scope",
        ),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Print a bearer token for the API, or `revoke` one."""
    if context.invoked_subcommand is not None:
        return
    who = operator(org)
    who = Principal(sub if sub is not None else who.sub, org, _scopes(scope or []))
    if not (1 <= len(who.sub) <= 200 and who.sub.isprintable()):
        raise typer.BadParameter("must be 1 to 200 printable characters", param_hint="--sub")
    lifetime = expires if expires is not None else _LIFETIME
    if lifetime < timedelta(seconds=1):
        raise typer.BadParameter("must be at least 1s", param_hint="--expires")
    tokens = BearerTokens(read_secret(read_settings(), "jwt_secret"), SystemEntropy())
    text = tokens.issue(who, now=SystemClock().now(), lifetime=lifetime)
    bearer = tokens.read(text)
    if as_json:
        output.print_json(
            {
                "token": text,
                "jti": bearer.jti,
                "sub": who.sub,
                "org": who.org,
                "scope": " ".join(sorted(who.scopes)),
                "expiresAt": f"{bearer.expires_at:%Y-%m-%dT%H:%M:%SZ}",
            }
        )
        return
    output.note(
        f"For {output.printable(who.sub)} in the organisation {who.org}, until {output.moment(bearer.expires_at)}. "
        f"To end it sooner: guestpass token revoke {bearer.jti}"
    )
    typer.echo(text)


@app.command("revoke")
def revoke(
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN",
            show_default=False,
            help="The token, or better its id (jti): other users may see the arguments of a command.",
        ),
    ],
    as_json: AsJSON = False,
) -> None:
    """End a bearer token before its time, for every server of this database."""
    if not token.strip():
        raise typer.BadParameter("must not be empty", param_hint="TOKEN")

    async def withdraw(core: Core, _: Principal) -> str:
        if "." not in token:
            await core.revocation.revoke(token, core.clock.now() + _FOREVER)
            return token
        bearer = core.bearer.read(token)
        if bearer.jti is None:
            raise BearerRefused(
                "The bearer token has no id (jti), so it can't be revoked alone; a new JWT_SECRET ends all tokens."
            )
        await core.revocation.revoke(bearer.jti, bearer.expires_at)
        return bearer.jti

    try:
        jti = act(ORG, withdraw)
    except BearerRefused as refusal:
        raise Stopped(REFUSED, str(refusal)) from None
    if as_json:
        output.print_json({"revoked": jti})
        return
    typer.echo(f"The bearer token {jti} is revoked.")
