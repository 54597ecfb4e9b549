"""Options for the fields of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from guestpass.app.environments import ENVIRONMENT_TERMS
from guestpass.cli.option_groups import option_of, values_of
from guestpass.domain.errors import external_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, kw_only=True)
class OfAny:
    """Options of every kind of environment."""

    websocket_url: Annotated[
        str | None, typer.Option("--websocket-url", metavar="URL", help="Where /websocket goes, if not to URL.")
    ] = None
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT", help="A note for owners.")] = None


@dataclass(frozen=True, kw_only=True)
class OfOdoo:
    """Options of an Odoo."""

    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url", metavar="URL", help="How people reach it without a share link: for odoo, its web.base.url."
        ),
    ] = None
    database: Annotated[
        str | None, typer.Option("--database", metavar="NAME", help="The Odoo database, where the server has several.")
    ] = None
    allow_path: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-path",
            metavar="PATH",
            help="A blocked path of Odoo to allow, such as /jsonrpc: whoever has a link can then try Odoo's passwords "
            "there. May be given several times.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OfViewOnly:
    """Options of an Odoo's view-only links."""

    read_only_allow: Annotated[
        list[str] | None,
        typer.Option(
            "--read-only-allow",
            metavar="MODEL/METHOD|PATH",
            help="What view-only links may ask for besides what Odoo is known to only read: a method such as "
            "sale.order/get_dashboard_figures, or an address such as /agency/figures/*. May be given several times.",
        ),
    ] = None


def environment_fields(*groups: DataclassInstance) -> dict[str, Any]:
    """Return the given values by field of an environment."""
    given = {_FIELDS.get(name, name): value for name, value in values_of(*groups).items()}
    return {field: value for field, value in given.items() if value is not None and value != []}


_FIELDS: Final = {"allow_path": "allow_paths"}
"""Fields of an environment whose options have other names."""
_OPTIONAL: Final = (
    *(each.name for each in fields(OfAny)),
    "maintenance",
    *(each.name for group in (OfOdoo, OfViewOnly) for each in fields(group)),
)
_NEEDED: Final = ("kind", "body_limit", "response_timeout", "max_concurrent")
CLEARABLE: Final[Mapping[str, tuple[str, Any]]] = {
    option_of(name).removeprefix("--"): (_FIELDS.get(name, name), ENVIRONMENT_TERMS[_FIELDS.get(name, name)].empty)
    for name in _OPTIONAL
}
"""Fields that --clear can clear, by option, with their value when cleared."""
NAMES: Final = {external_name(_FIELDS.get(name, name)): option_of(name) for name in (*_OPTIONAL, *_NEEDED)}
"""Options by the API's names of their fields."""
