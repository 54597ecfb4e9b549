"""`guestpass share`: create, list, show, pause and remove share links."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from guestpass.app.links import LinkSearch, NewLink
from guestpass.app.paging import LONGEST_PAGE
from guestpass.app.ports import LinkSort
from guestpass.cli import output
from guestpass.cli.clearing import require_given
from guestpass.cli.completion import complete_environment
from guestpass.cli.connection import Backend, work
from guestpass.cli.durations import Until, duration, until
from guestpass.cli.link_options import ForOwners, ForVisitors, link_fields
from guestpass.cli.lookup import all_links, find_environment, find_link, find_links
from guestpass.cli.option_groups import values_of, with_groups
from guestpass.cli.options import ORG, AsJSON, EnvironmentName, LinkName, LinkNames, Org, Yes
from guestpass.cli.passwords import MakePassword, Password, PasswordCommand, choose_password
from guestpass.cli.sending import QR, MessageIn, WithPassword, draw_qr, print_link
from guestpass.cli.session import confirm
from guestpass.domain.link import Access, ShareType, Status
from guestpass.system import SystemClock
from guestpass.web.api.link_models import DeactivatedBody, ShareLinkBody

app = typer.Typer()


@app.command("create", cls=PasswordCommand)
@with_groups
def create(
    environment: EnvironmentName,
    expires: Annotated[
        Until | None,
        typer.Option(
            "--expires",
            parser=until,
            metavar="DURATION",
            help="How long the link works, such as 24h, 7d or 2 weeks, or until when, such as 2026-03-31.",
            show_default="7d, or MAX_LINK_LIFETIME if that is less",
        ),
    ] = None,
    *,
    for_owners: ForOwners,
    password: Password = None,
    make_password: MakePassword = False,
    share_type: Annotated[
        ShareType | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="token or password; password without --password makes a password and prints it.",
            show_default="password if one is given, else token",
        ),
    ] = None,
    for_visitors: ForVisitors,
    qr: QR = False,
    message: MessageIn = None,
    with_password: WithPassword = False,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Make a share link and print its URL."""
    if with_password and message is None:
        raise typer.BadParameter("is about the message, so it needs --message", param_hint="--with-password")
    require_given(password=password, sign_in_as=for_visitors.sign_in_as, allow_ip=for_visitors.allow_ip)
    make = make_password or (share_type is ShareType.PASSWORD and password is None)
    password, made = choose_password(password, make=make)
    if with_password and password is None:
        raise typer.BadParameter("needs a password: give --password too", param_hint="--with-password")
    given = link_fields(for_owners, for_visitors) | {"password": password, "share_type": share_type}
    if expires is not None:
        given |= expires.fields()

    async def make_link(backend: Backend) -> ShareLinkBody:
        return await backend.create_link(await find_environment(backend, environment), NewLink(**given))

    link = work(org, make_link)
    print_link(link, as_json=as_json, qr=qr, language=message, made=made, password=password if with_password else None)
    if not as_json:
        output.note(f"The share link {link.id} works until {output.moment(link.expires_at)}.")
    output.tell(link.warnings)


class StatusWord(StrEnum):
    """Statuses of links as options take them."""

    ACTIVE = "active"
    PAUSED = "paused"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"


@app.command("list")
def list_all(
    environment: Annotated[
        str | None,
        typer.Argument(
            metavar="[ENV]",
            help="Only links to this environment: its id or name, or the beginning of one.",
            show_default="all environments",
            autocompletion=complete_environment,
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="TEXT", help="Only links with these words in label, note, id or the environment's name."
        ),
    ] = None,
    status: Annotated[
        StatusWord | None,
        typer.Option("--status", metavar="STATUS", help="Only links that are active, paused (deactivated) or expired."),
    ] = None,
    share_type: Annotated[
        ShareType | None, typer.Option("--type", metavar="TYPE", help="Only token or only password links.")
    ] = None,
    created_by: Annotated[
        str | None, typer.Option("--created-by", metavar="NAME", help="Only links that this owner made.")
    ] = None,
    expiring: Annotated[
        timedelta | None,
        typer.Option(
            "--expiring", parser=duration, metavar="DURATION", help="Only active links that end within this time."
        ),
    ] = None,
    sort: Annotated[
        LinkSort,
        typer.Option("--sort", metavar="BY", help="By what: created, expires, lastOpened, label or visits."),
    ] = LinkSort.CREATED,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="NUMBER", help="How many at most.", show_default="all")
    ] = None,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """List links of all environments, or of one.

    The newest first, unless `--sort` says otherwise.
    """

    async def read(backend: Backend) -> tuple[list[ShareLinkBody], int]:
        wanted = LinkSearch(
            text=search or None,
            environment_id=await find_environment(backend, environment) if environment else None,
            status=_status(status),
            share_type=share_type,
            created_by=created_by,
            expiring_within=expiring,
            sort=sort,
            descending=(sort in _NEWEST_FIRST) is not reverse,
            limit=min(limit or LONGEST_PAGE, LONGEST_PAGE),
        )
        if limit is not None and limit <= LONGEST_PAGE:
            page = await backend.find_links(wanted)
            return page.share_links, page.total
        links = [link async for link in all_links(backend, wanted)]
        return links[:limit], len(links)

    links, total = work(org, read)
    if as_json:
        shown = [link.model_dump(mode="json", by_alias=True) for link in links]
        output.print_json({"shareLinks": shown, "total": total})
        return
    now, several = SystemClock().now(), environment is None
    output.print_table(
        ["ID", *(["ENV"] if several else []), "LABEL", "STATE", "OPENS", "VISITORS"],
        [
            (
                link.id,
                *([link.environment_id] if several else []),
                link.label or "-",
                output.state(link, now),
                _opens(link),
                str(link.visitors) + (f" ({link.visitors_now} now)" if link.visitors_now else ""),
            )
            for link in links
        ],
    )
    if len(links) < total:
        output.note(f"{len(links)} of {total} links.")


@app.command("show")
def show(
    link_name: LinkName, qr: QR = False, message: MessageIn = None, org: Org = ORG, as_json: AsJSON = False
) -> None:
    """Show one link, with its URL."""

    async def read(backend: Backend) -> ShareLinkBody:
        return await find_link(backend, link_name)

    link = work(org, read)
    if as_json or message is not None:
        print_link(link, as_json=as_json, qr=qr, language=message)
        return
    now = SystemClock().now()
    output.print_fields(
        [
            ("id", link.id),
            ("environment", link.environment_id),
            *((name, getattr(link, name) or "-") for name in values_of(ForOwners())),
            ("type", link.share_type.value),
            ("access", _access(link)),
            ("signed in as", _signed_in_as(link)),
            ("url", link.url),
            ("state", output.state(link, now)),
            ("made", f"{output.moment(link.created_at)} by {link.created_by}"),
            ("expires", output.moment(link.expires_at)),
            ("paused", output.moment(link.deactivated_at)),
            ("opens at", link.start_path or "the first page"),
            ("lets in", f"{link.max_visitors} visitors" if link.max_visitors is not None else "any number"),
            *(
                (("places taken", f"{link.places_taken} of {link.max_visitors}"),)
                if link.places_taken is not None
                else ()
            ),
            ("from", " ".join(link.allowed_ips) or "anywhere"),
            ("last opened", output.moment(link.last_opened_at)),
            ("visits", f"{link.visits} by {link.visitors} visitor(s), {link.visitors_now} there now"),
            *((f"warning {each.code}", f"{each.detail} {each.remedy}") for each in link.warnings),
        ]
    )
    if qr:
        typer.echo(draw_qr(link.url))


@app.command("deactivate", hidden=True)
@app.command("pause")
def pause(link_names: LinkNames, org: Org = ORG, yes: Yes = False, as_json: AsJSON = False) -> None:
    """Pause links at once.

    Their visitors are cut off; `resume` opens a link again, with the same URL. `pause` and `deactivate` are the same.
    Asks first where there are several links.
    """

    async def find(backend: Backend) -> list[ShareLinkBody]:
        return await find_links(backend, link_names)

    links = work(org, find)
    if len(links) > 1:
        for link in links:
            output.note(_in_a_line(link))
        there = sum(link.visitors_now for link in links)
        confirm(f"Pause these {len(links)} share links ({there} visitor(s) there now)?", yes=yes)

    async def switch_off(backend: Backend) -> DeactivatedBody:
        return await backend.deactivate_links([link.id for link in links])

    done = work(org, switch_off)
    if as_json:
        output.print_json(done)
        return
    for id in done.deactivated:
        typer.echo(f"The share link {id} is paused.")
    for id in done.already_deactivated:
        typer.echo(f"The share link {id} was paused before.")


@app.command("remove")
def remove(link_names: LinkNames, org: Org = ORG, yes: Yes = False, as_json: AsJSON = False) -> None:
    """Remove links and their records for good.

    Their visitors are cut off.
    """

    async def find(backend: Backend) -> list[ShareLinkBody]:
        return await find_links(backend, link_names)

    links = work(org, find)
    if len(links) == 1:
        confirm(f"Remove the share link {_in_a_line(links[0])} for good?", yes=yes)
    else:
        for link in links:
            output.note(_in_a_line(link))
        confirm(f"Remove these {len(links)} share links for good?", yes=yes)

    async def take_away(backend: Backend) -> None:
        for link in links:
            await backend.remove_link(link.environment_id, link.id)

    work(org, take_away)
    if as_json:
        output.print_json({"removed": [link.id for link in links]})
        return
    for link in links:
        typer.echo(f"The share link {link.id} is removed.")


_NEWEST_FIRST = frozenset({LinkSort.CREATED, LinkSort.LAST_OPENED, LinkSort.VISITS})


def _status(word: StatusWord | None) -> Status | None:
    if word is None:
        return None
    return Status.DEACTIVATED if word is StatusWord.PAUSED else Status(word.value)


def _in_a_line(link: ShareLinkBody) -> str:
    label = f" ({link.label})" if link.label else ""
    return output.printable(f"{link.id} of {link.environment_id}{label}")


def _opens(link: ShareLinkBody) -> str:
    """Describe briefly how a link opens."""
    words = [link.share_type.value]
    if link.access is Access.READ_ONLY:
        words.append("view-only")
    if link.sign_in_as is not None:
        words.append(f"as {link.sign_in_as.account}")
    return ", ".join(words)


def _access(link: ShareLinkBody) -> str:
    if link.access is Access.FULL:
        return "full"
    allowed = [
        word for word, is_allowed in (("print", link.allow_reports), ("export", link.allow_exports)) if is_allowed
    ]
    return ", ".join(["view-only", *(f"may {word}" for word in allowed)])


def _signed_in_as(link: ShareLinkBody) -> str:
    if link.sign_in_as is None:
        return "-"
    return f"{link.sign_in_as.account} ({link.sign_in_as.login or 'removed'})"
