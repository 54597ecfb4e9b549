"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from guestpass.cli.completion import complete_environment, complete_link
from guestpass.domain.environment import DEFAULT_ORG, ORG_PATTERN


def _org(text: str) -> str:
    if not ORG_PATTERN.fullmatch(text):
        raise typer.BadParameter("must be 1 to 64 of letters, digits and ._@-")
    return text


ORG = DEFAULT_ORG
Org = Annotated[str, typer.Option("--org", metavar="ORG", callback=_org, help="The organisation to act in.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, in the API's form.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
EnvironmentName = Annotated[
    str,
    typer.Argument(
        metavar="ENV",
        help="The environment: its id or name, or the beginning of one.",
        show_default=False,
        autocompletion=complete_environment,
    ),
]
_LINK_HELP = "The share link: its id or label, the beginning of one, or its URL."
LinkName = Annotated[
    str, typer.Argument(metavar="LINK", help=_LINK_HELP, show_default=False, autocompletion=complete_link)
]
LinkNames = Annotated[
    list[str],
    typer.Argument(
        metavar="LINK...", help=f"{_LINK_HELP} Several may be given.", show_default=False, autocompletion=complete_link
    ),
]
NAMES = {
    "expiresIn": "--expires",
    "expiresAt": "--expires",
    "search": "--search",
    "expiringWithin": "--expiring",
    "shareType": "--type",
    "id": "--id",
    "name": "NAME",
    "url": "URL",
    "login": "LOGIN",
    "allowAdmin": "--allow-admin",
}
"""Options and arguments by the API's names of their fields; links and environments have lists of their own."""
