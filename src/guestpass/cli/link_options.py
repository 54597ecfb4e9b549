"""Options for the fields of a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from guestpass.app.link_terms import LINK_TERMS
from guestpass.cli.option_groups import option_of, values_of
from guestpass.domain.errors import external_name
from guestpass.domain.link import Access

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, kw_only=True)
class ForOwners:
    """Options that visitors never notice."""

    label: Annotated[str | None, typer.Option("--label", metavar="TEXT", help="What you call the link.")] = None
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="A note for owners; visitors never see it.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class ForVisitors:
    """Options of a new link that visitors notice."""

    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="PATH", help="Where visitors land, such as /odoo/crm.", show_default="the first page"
        ),
    ] = None
    sign_in_as: Annotated[
        str | None,
        typer.Option(
            "--sign-in-as",
            metavar="NAME",
            help="The account (`guestpass account add`) that visitors are signed in to Odoo as.",
            show_default="they sign in themselves",
        ),
    ] = None
    view_only: Annotated[
        bool,
        typer.Option(
            "--view-only",
            help="Visitors of an Odoo may look and change nothing. A guard: Odoo's access rights are the boundary.",
        ),
    ] = False
    max_visitors: Annotated[
        int | None,
        typer.Option(
            "--max-visitors", metavar="NUMBER", help="How many browsers are let in.", show_default="any number"
        ),
    ] = None
    allow_ip: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-ip",
            metavar="NETWORK",
            help="An address or network (CIDR) that visitors may come from; others are refused. May be given several "
            "times.",
        ),
    ] = None
    allow_reports: Annotated[
        bool,
        typer.Option("--allow-reports", help="Visitors of a view-only link may print, which Odoo may keep."),
    ] = False
    allow_exports: Annotated[
        bool, typer.Option("--allow-exports", help="Visitors of a view-only link may export lists.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class ForVisitorsChanged:
    """Options of a changed link that visitors notice."""

    start: Annotated[str | None, typer.Option("--start", metavar="PATH", help="Where visitors land.")] = None
    sign_in_as: Annotated[
        str | None,
        typer.Option("--sign-in-as", metavar="NAME", help="The account that visitors are signed in to Odoo as."),
    ] = None
    view_only: Annotated[
        bool | None, typer.Option("--view-only/--full", help="Whether visitors of an Odoo may change anything.")
    ] = None
    max_visitors: Annotated[
        str | None,
        typer.Option("--max-visitors", metavar="NUMBER", help="How many browsers are let in."),
    ] = None
    allow_ip: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-ip",
            metavar="NETWORK",
            help="An address or network that visitors may come from. May be given several times.",
        ),
    ] = None
    allow_reports: Annotated[
        bool | None,
        typer.Option("--allow-reports/--no-reports", help="Whether visitors of a view-only link may print."),
    ] = None
    allow_exports: Annotated[
        bool | None,
        typer.Option("--allow-exports/--no-exports", help="Whether visitors of a view-only link may export."),
    ] = None


_FIELDS: Final = {"start": "start_path", "view_only": "access", "allow_ip": "allowed_ips"}
"""Fields of a link whose options have other names."""


def link_fields(*groups: DataclassInstance) -> dict[str, Any]:
    """Return the given values by field of a link; an empty one becomes None."""
    values = {_FIELDS.get(name, name): value for name, value in values_of(*groups).items()}
    if values.get("access") is not None:
        values["access"] = Access.READ_ONLY if values["access"] else Access.FULL
    return {name: None if value == "" else value for name, value in values.items() if value is not None and value != []}


_OF_OWNERS, _OF_VISITORS = ([each.name for each in fields(group)] for group in (ForOwners, ForVisitorsChanged))
CLEARABLE: Final[Mapping[str, tuple[str, Any]]] = {
    option_of(name).removeprefix("--"): (field, LINK_TERMS[field].empty)
    for name in (*_OF_OWNERS, "password", *_OF_VISITORS)
    if (field := _FIELDS.get(name, name)) != "access"
}
"""Fields that --clear can clear, by option, with their value when cleared."""
NAMES: Final = {
    external_name(_FIELDS.get(name, name)): option_of(name) for name in (*_OF_OWNERS, "password", *_OF_VISITORS)
}
"""Options by the API's names of their fields."""
