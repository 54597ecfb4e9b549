"""`guestpass visitors`: who came through a link, and ending a visit."""

from __future__ import annotations

from typing import Annotated

import typer

from guestpass.cli import output
from guestpass.cli.connection import Backend, work
from guestpass.cli.lookup import all_visitors, find_link, find_visitor
from guestpass.cli.options import ORG, AsJSON, LinkName, Org, Yes
from guestpass.cli.session import confirm
from guestpass.web.api.link_models import ShareLinkBody
from guestpass.web.api.record_models import VisitorBody

app = typer.Typer(help="Visitors of a share link.", no_args_is_help=True)


@app.command("list")
def list_all(
    link_name: LinkName,
    live: Annotated[bool, typer.Option("--live", help="Only who is there now.")] = False,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """List who came through a link, those seen last first."""

    async def read(backend: Backend) -> list[VisitorBody]:
        link = await find_link(backend, link_name)
        return [each async for each in all_visitors(backend, link) if each.live or not live]

    visitors = work(org, read)
    if as_json:
        shown = [each.model_dump(mode="json", by_alias=True) for each in visitors]
        output.print_json({"visitors": shown, "total": len(shown)})
        return
    output.print_table(
        ["NUMBER", "STATE", "LAST SEEN", "VISITS", "BROWSER", "FROM"],
        [
            (
                str(each.number or each.id),
                _state(each),
                output.moment(each.last_seen_at),
                str(each.visits),
                " on ".join(part for part in (each.browser, each.system) if part) or "-",
                each.address or "-",
            )
            for each in visitors
        ],
    )


@app.command("end")
def end(
    link_name: LinkName,
    visitor_name: Annotated[
        str,
        typer.Argument(metavar="VISITOR", help="The visitor's number, as `list` shows it, or id.", show_default=False),
    ],
    org: Org = ORG,
    yes: Yes = False,
    as_json: AsJSON = False,
) -> None:
    """End one visit at once, and not the link.

    Whoever has the URL can open it again, as another visitor. To prevent that, give the link a new URL: `guestpass
    share rotate`.
    """

    async def find(backend: Backend) -> tuple[ShareLinkBody, VisitorBody]:
        link = await find_link(backend, link_name)
        return link, await find_visitor(backend, link, visitor_name)

    link, visitor = work(org, find)
    confirm(
        f"End the visit of visitor {visitor.number} of the share link {link.id}? The link stays, so that they can open "
        "it again.",
        yes=yes,
    )

    async def stop(backend: Backend) -> None:
        await backend.end_visit(link.environment_id, link.id, visitor.id)

    work(org, stop)
    if as_json:
        output.print_json({"ended": visitor.id})
        return
    typer.echo(f"The visit of visitor {visitor.number} is ended.")


def _state(visitor: VisitorBody) -> str:
    if visitor.ended_at is not None:
        return "ended"
    return "live" if visitor.live else "gone"
