"""`guestpass share`: share links."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from guestpass.app.links import NewLink, OwnedLink
from guestpass.app.passwords import suggest_password
from guestpass.cli import output
from guestpass.cli.options import ORG, AsJSON, EnvironmentId, LinkId, Org, Yes, duration
from guestpass.cli.session import act, ask_password, confirm
from guestpass.domain.access import Principal
from guestpass.domain.link import Access, ShareType, Status
from guestpass.system import SystemEntropy
from guestpass.web.api.link_models import ShareLinkBody, ShareLinksBody

if TYPE_CHECKING:
    from guestpass.wiring import Core

app = typer.Typer(help="Share links.", no_args_is_help=True)


@app.command("create")
def create(
    environment_id: EnvironmentId,
    expires: Annotated[
        timedelta | None,
        typer.Option(
            "--expires",
            parser=duration,
            metavar="DURATION",
            help="How long the link works, such as 24h, 7d or 1h30m.",
            show_default="7d, or MAX_LINK_LIFETIME if that is less",
        ),
    ] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="TEXT", help="What you call the link.")] = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password",
            metavar="TEXT",
            help="The password that visitors must type. With - it is asked for, or read from standard input, so that "
            "it stands in no list of processes.",
        ),
    ] = None,
    share_type: Annotated[
        ShareType | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="token or password; password without --password makes a password and prints it.",
            show_default="password if one is given, else token",
        ),
    ] = None,
    sign_in_as: Annotated[
        str | None,
        typer.Option(
            "--sign-in-as",
            metavar="NAME",
            help="The account (`guestpass account add`) that visitors are signed in to Odoo as.",
            show_default="they sign in themselves",
        ),
    ] = None,
    view_only: Annotated[
        bool,
        typer.Option(
            "--view-only",
            help="Visitors of an Odoo may look and change nothing. A guard: Odoo's access rights are the boundary.",
        ),
    ] = False,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Make a share link and print its URL."""
    if password == "-":
        password = ask_password(confirmed=True)
    made = None
    if share_type is ShareType.PASSWORD and password is None:
        password = made = suggest_password(SystemEntropy())
    new = NewLink(
        expires_in=expires,
        label=label,
        password=password,
        share_type=share_type,
        access=Access.READ_ONLY if view_only else Access.FULL,
        sign_in_as=sign_in_as,
    )

    async def make(core: Core, who: Principal) -> OwnedLink:
        return await core.links.create(who, environment_id, new)

    owned = act(org, make)
    if as_json:
        body = ShareLinkBody.of(owned).model_dump(mode="json", by_alias=True)
        output.print_json(body if made is None else body | {"password": made})
    else:
        typer.echo(owned.url)
        if made is not None:
            typer.echo(f"Password: {made}")
        output.note(f"The share link {owned.link.id} works until {output.moment(owned.link.expires_at)}.")
    output.tell(owned.warnings)


@app.command("list")
def list_all(
    environment_id: EnvironmentId,
    status: Annotated[
        Status | None,
        typer.Option("--status", metavar="STATUS", help="Only links that are active, deactivated or expired."),
    ] = None,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """List an environment's links, newest first."""

    async def read(core: Core, who: Principal) -> list[OwnedLink]:
        return await core.links.list_all(who, environment_id, status)

    links = act(org, read)
    if as_json:
        bodies = [ShareLinkBody.of(owned) for owned in links]
        output.print_json(ShareLinksBody(share_links=bodies, total=len(bodies)))
        return
    output.print_table(
        ["ID", "LABEL", "TYPE", "ACCESS", "SIGNED IN AS", "STATUS", "EXPIRES", "VISITS"],
        [
            (
                owned.link.id,
                owned.link.label or "-",
                owned.link.share_type.value,
                _access(owned),
                owned.link.account or "-",
                owned.status.value,
                output.moment(owned.link.expires_at),
                str(owned.link.visits),
            )
            for owned in links
        ],
    )


@app.command("show")
def show(environment_id: EnvironmentId, link_id: LinkId, org: Org = ORG, as_json: AsJSON = False) -> None:
    """Show one link, with its URL."""

    async def read(core: Core, who: Principal) -> OwnedLink:
        return await core.links.get(who, environment_id, link_id)

    owned = act(org, read)
    if as_json:
        output.print_json(ShareLinkBody.of(owned))
        return
    link = owned.link
    output.print_facts(
        [
            ("id", link.id),
            ("environment", link.environment.id),
            ("label", link.label or "-"),
            ("type", link.share_type.value),
            ("access", _access(owned)),
            ("signed in as", _signed_in_as(owned)),
            ("url", owned.url),
            ("status", owned.status.value),
            ("made", f"{output.moment(link.created_at)} by {link.created_by}"),
            ("expires", output.moment(link.expires_at)),
            ("deactivated", output.moment(link.deactivated_at)),
            ("last opened", output.moment(link.last_opened_at)),
            ("visits", f"{link.visits} by {link.visitors} visitor(s)"),
            *((f"warning {each.code}", f"{each.detail} {each.remedy}") for each in owned.warnings),
        ]
    )


@app.command("deactivate")
def deactivate(environment_id: EnvironmentId, link_id: LinkId, org: Org = ORG) -> None:
    """Switch a link off at once; its record stays."""

    async def switch_off(core: Core, who: Principal) -> None:
        await core.links.deactivate(who, environment_id, link_id)

    act(org, switch_off)
    typer.echo(f"The share link {link_id} is deactivated.")


@app.command("remove")
def remove(environment_id: EnvironmentId, link_id: LinkId, org: Org = ORG, yes: Yes = False) -> None:
    """Remove a link and its record for good; its visitors are cut off."""

    async def take_away(core: Core, who: Principal) -> None:
        await core.links.remove(who, environment_id, link_id)

    confirm(f"Remove the share link {link_id} of {environment_id} for good?", yes=yes)
    act(org, take_away)
    typer.echo(f"The share link {link_id} is removed.")


def _access(owned: OwnedLink) -> str:
    return "view-only" if owned.link.access is Access.READ_ONLY else "full"


def _signed_in_as(owned: OwnedLink) -> str:
    if owned.link.account is None:
        return "-"
    return f"{owned.link.account} ({owned.account.login if owned.account is not None else 'removed'})"
