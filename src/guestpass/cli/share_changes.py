"""`guestpass share edit`, `extend`, `resume`, `unlock` and `rotate`: change existing links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from guestpass.app.links import LinkChange
from guestpass.cli import output
from guestpass.cli.clearing import clear_option, cleared, require_given_or_cleared
from guestpass.cli.connection import Backend, work
from guestpass.cli.durations import Until, until
from guestpass.cli.link_options import CLEARABLE, ForOwners, ForVisitorsChanged, link_fields
from guestpass.cli.lookup import find_link
from guestpass.cli.option_groups import with_groups
from guestpass.cli.options import ORG, AsJSON, LinkName, Org, Yes
from guestpass.cli.passwords import MakePassword, Password, PasswordCommand, choose_password
from guestpass.cli.sending import QR, MessageIn, print_link
from guestpass.cli.session import WRONG, Stopped, confirm
from guestpass.domain.errors import Invalid
from guestpass.domain.link import Status
from guestpass.system import SystemClock
from guestpass.web.api.link_models import ShareLinkBody

app = typer.Typer()

Clearable = StrEnum("Clearable", {each: each for each in CLEARABLE})  # type: ignore[misc]


@app.command("edit", cls=PasswordCommand)
@with_groups
def edit(
    link_name: LinkName,
    expires: Annotated[
        Until | None,
        typer.Option(
            "--expires",
            parser=until,
            metavar="DURATION",
            help="How long the link works from now on, such as 24h or 7d, or until when, such as 2026-03-31.",
        ),
    ] = None,
    *,
    for_owners: ForOwners,
    password: Password = None,
    make_password: MakePassword = False,
    for_visitors: ForVisitorsChanged,
    clear: Annotated[list[Clearable] | None, clear_option(CLEARABLE)] = None,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Change the given fields of a link.

    The rest stays; --clear removes optional fields. The URL stays, and visitors notice at once.
    An option that may be given several times replaces the whole list. A new password must be typed by visitors who
    are in, too.
    """
    require_given_or_cleared(
        password=password,
        sign_in_as=for_visitors.sign_in_as,
        max_visitors=for_visitors.max_visitors,
        allow_ip=for_visitors.allow_ip,
    )
    password, made = choose_password(password, make=make_password)
    given = link_fields(for_owners, for_visitors)
    if password is not None:
        given["password"] = password or None
    if expires is not None:
        given |= expires.fields()
    if "max_visitors" in given:
        given["max_visitors"] = _number(given["max_visitors"])
    given |= cleared(clear or (), CLEARABLE, given)
    if not given:
        raise Stopped(WRONG, "Say what to change; `guestpass share edit --help` has what can be.")
    link = _change(org, link_name, given)
    if as_json:
        print_link(link, as_json=True, made=made)
    else:
        typer.echo(f"The share link {link.id} is changed.")
        if made is not None:
            typer.echo(f"Password: {made}")
    output.tell(link.warnings)


@app.command("extend")
def extend(
    link_name: LinkName,
    more: Annotated[
        Until,
        typer.Argument(
            parser=until,
            metavar="DURATION",
            help="How much longer, such as 7d, or until when, such as 2026-03-31.",
            show_default=False,
        ),
    ],
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Let a link work for longer.

    Adds to its present end, or counts from now on if it has expired.
    """

    async def prolong(backend: Backend) -> ShareLinkBody:
        link = await find_link(backend, link_name)
        end = more.moment or max(link.expires_at, SystemClock().now()) + (more.lifetime or timedelta())
        try:
            return await backend.change_link(link.environment_id, link.id, LinkChange(expires_at=end))
        except Invalid as refused:
            raise Invalid([replace(error, field="DURATION") for error in refused.errors]) from None

    _print_end(work(org, prolong), as_json=as_json)


@app.command("resume")
def resume(
    link_name: LinkName,
    expires: Annotated[
        Until | None,
        typer.Option(
            "--expires",
            parser=until,
            metavar="DURATION",
            help="How long it works from now on; needed where it has expired.",
        ),
    ] = None,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Open a paused link again, with the same URL."""
    given: dict[str, Any] = {"active": True}
    if expires is not None:
        given |= expires.fields()
    _print_end(_change(org, link_name, given), as_json=as_json)


@app.command("unlock")
def unlock(link_name: LinkName, org: Org = ORG, as_json: AsJSON = False) -> None:
    """Accept passwords again after many wrong ones."""

    async def forget(backend: Backend) -> str:
        link = await find_link(backend, link_name)
        await backend.unlock(link.environment_id, link.id)
        return link.id

    id = work(org, forget)
    if as_json:
        output.print_json({"unlocked": id})
        return
    typer.echo(f"The password of the share link {id} can be tried again, from everywhere.")


@app.command("rotate")
def rotate(
    link_name: LinkName,
    qr: QR = False,
    message: MessageIn = None,
    org: Org = ORG,
    yes: Yes = False,
    as_json: AsJSON = False,
) -> None:
    """Give a link a new URL and print it.

    Whoever opens the old one reads that it was replaced; visitors who are in are cut off.
    """

    async def find(backend: Backend) -> ShareLinkBody:
        return await find_link(backend, link_name)

    link = work(org, find)
    there = f"; {link.visitors_now} visitor(s) are there now" if link.visitors_now else ""
    what = output.printable(f"{link.id} of {link.environment_id}")
    confirm(f"Give the share link {what} a new URL? The old one opens nothing from then on{there}.", yes=yes)

    async def replace_url(backend: Backend) -> ShareLinkBody:
        return await backend.rotate_link(link.environment_id, link.id)

    print_link(work(org, replace_url), as_json=as_json, qr=qr, language=message)


def _change(org: str, link_name: str, given: Mapping[str, Any]) -> ShareLinkBody:
    async def change(backend: Backend) -> ShareLinkBody:
        link = await find_link(backend, link_name)
        return await backend.change_link(link.environment_id, link.id, LinkChange(**given))

    return work(org, change)


def _print_end(link: ShareLinkBody, *, as_json: bool) -> None:
    """Print a link's end, and how to resume it if it is paused."""
    if as_json:
        output.print_json(link)
        return
    until = output.moment(link.expires_at)
    if link.status is Status.DEACTIVATED:
        typer.echo(f"The share link {link.id} works until {until}, once it is opened: it is paused.")
        output.note(f"guestpass share resume {link.id}")
    else:
        typer.echo(f"The share link {link.id} works until {until}.")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(
            "must be a whole number; for any number: --clear max-visitors", param_hint="--max-visitors"
        ) from None
