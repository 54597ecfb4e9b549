"""`guestpass open` and `guestpass sessions`: sign in to the dashboard, and end its sessions."""

from __future__ import annotations

import html
import os
import sys
import tempfile
import webbrowser
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestpass.app.dashboard_sessions import INVITATION_LIFETIME
from guestpass.app.ports import DashboardSession
from guestpass.cli import output
from guestpass.cli.options import ORG, AsJSON, Org, Yes
from guestpass.cli.session import act, confirm
from guestpass.domain.access import ALL_SCOPES, Principal
from guestpass.domain.durations import format_duration

if TYPE_CHECKING:
    from guestpass.wiring import Core

sessions = typer.Typer(help="Who is signed in to the dashboard.", no_args_is_help=True)


def open_dashboard(
    only_print: Annotated[bool, typer.Option("--print", help="Print the address and open no browser.")] = False,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Sign in to the dashboard: print an address that works once, within five minutes, and open it.

    Whoever has the address can do what you can: it is for you alone. Where there is no display, open it yourself. With
    --json no browser is opened.
    """

    async def invite(core: Core, principal: Principal) -> str:
        return f"{core.settings.admin_url}/open/{await core.dashboard_sessions.invite(principal)}"

    url = act(org, invite)
    if as_json:
        output.print_json({"url": url, "expiresIn": format_duration(INVITATION_LIFETIME)})
        return
    typer.echo(url)
    output.note(f"It works once, within {format_duration(INVITATION_LIFETIME)}.")
    if not only_print and _has_display():
        webbrowser.open(_page_that_leads_to(url).as_uri())


@sessions.command("list")
def list_all(as_json: AsJSON = False) -> None:
    """List who is signed in to the dashboard, newest first."""

    async def read(core: Core, _: Principal) -> list[DashboardSession]:
        return await core.dashboard_sessions.list_all()

    found = act(ORG, read)
    if as_json:
        output.print_json({"sessions": [_document(each) for each in found], "total": len(found)})
        return
    output.print_table(
        ["ID", "WHO", "ORG", "MAY", "FROM", "SIGNED IN", "UNTIL"],
        [
            (
                each.id,
                each.principal.sub,
                each.principal.org,
                "everything"
                if each.principal.scopes == ALL_SCOPES
                else ", ".join(sorted(each.principal.scopes)) or "nothing",
                each.address,
                output.moment(each.created_at),
                output.moment(each.expires_at),
            )
            for each in found
        ],
    )


@sessions.command("end")
def end(
    session_id: Annotated[
        str, typer.Argument(metavar="SESSION", help="The session's id, as `list` shows it.", show_default=False)
    ],
    yes: Yes = False,
    as_json: AsJSON = False,
) -> None:
    """Sign somebody out at once; they can sign in again unless their bearer token is revoked too."""

    async def stop(core: Core, _: Principal) -> None:
        await core.dashboard_sessions.end(session_id)

    confirm(f"End the dashboard session {session_id}?", yes=yes)
    act(ORG, stop)
    if as_json:
        output.print_json({"ended": session_id})
        return
    typer.echo(f"The dashboard session {session_id} is ended.")


def _has_display() -> bool:
    """Whether there is a display for a browser."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _page_that_leads_to(url: str) -> Path:
    """Create a private HTML file that redirects to the address, since other users can see a browser's arguments."""
    page = Path(tempfile.mkdtemp(prefix="guestpass-")) / "open.html"
    page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(url)}">', encoding="utf-8")
    return page


def _document(session: DashboardSession) -> dict[str, str | None]:
    return {
        "id": session.id,
        "sub": session.principal.sub,
        "org": session.principal.org,
        "scope": " ".join(sorted(session.principal.scopes)),
        "jti": session.jti,
        "address": session.address,
        "createdAt": _time(session.created_at),
        "expiresAt": _time(session.expires_at),
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
