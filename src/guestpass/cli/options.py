"""Options that several commands share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from guestpass.domain.durations import parse_duration
from guestpass.domain.environment import DEFAULT_ORG, ORG_PATTERN


def _org(text: str) -> str:
    if not ORG_PATTERN.fullmatch(text):
        raise typer.BadParameter("must be 1 to 64 of letters, digits and ._@-")
    return text


def duration(text: str) -> timedelta:
    """Read a duration such as 24h or 7d; typer says which option is wrong."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ORG = DEFAULT_ORG
Org = Annotated[str, typer.Option("--org", metavar="ORG", callback=_org, help="The organisation to act in.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, in the API's form.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
EnvironmentId = Annotated[str, typer.Argument(metavar="ENV", help="The environment's id.", show_default=False)]
LinkId = Annotated[str, typer.Argument(metavar="LINK", help="The share link's id.", show_default=False)]
