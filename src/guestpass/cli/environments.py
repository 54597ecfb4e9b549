"""`guestpass env`: the running applications that links lead to."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.links import LinkSearch
from guestpass.cli import output
from guestpass.cli.clearing import clear_option, cleared
from guestpass.cli.connection import Backend, work
from guestpass.cli.durations import duration
from guestpass.cli.environment_options import CLEARABLE, OfAny, OfOdoo, OfViewOnly, environment_fields
from guestpass.cli.lookup import find_environment
from guestpass.cli.option_groups import with_groups
from guestpass.cli.options import ORG, AsJSON, EnvironmentName, Org, Yes
from guestpass.cli.session import confirm
from guestpass.domain.durations import format_duration, parse_duration
from guestpass.domain.environment import (
    DEFAULT_MAX_CONCURRENT,
    DEFAULT_RESPONSE_TIMEOUT,
    Kind,
    edition_of,
    is_measured,
)
from guestpass.domain.finding import OUT_OF_REACH
from guestpass.web.api.models import EnvironmentBody, EnvironmentsBody, RefusedCallsBody

app = typer.Typer(help="Environments: the running applications that links lead to.", no_args_is_help=True)

_CHECKING = "Checking the environment"
_BODY_LIMIT = f"{Kind.ODOO.default_body_limit} for odoo, {Kind.WEB.default_body_limit} for web"
Clearable = StrEnum("Clearable", {each: each for each in CLEARABLE})  # type: ignore[misc]


@app.command("add")
@with_groups
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.", show_default=False)],
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where it runs, such as http://10.0.0.5:8069.", show_default=False)
    ],
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id.", show_default="made from the name")
    ] = None,
    kind: Annotated[
        Kind, typer.Option("--kind", metavar="KIND", help="Which rules apply behind its links: odoo or web.")
    ] = Kind.ODOO,
    *,
    of_any: OfAny,
    tls_verify: Annotated[
        bool, typer.Option("--tls-verify/--insecure", help="Whether an https environment's certificate is checked.")
    ] = True,
    body_limit: Annotated[
        int | None,
        typer.Option("--body-limit", metavar="BYTES", help="The longest request body.", show_default=_BODY_LIMIT),
    ] = None,
    response_timeout: Annotated[
        timedelta | None,
        typer.Option(
            "--response-timeout",
            parser=duration,
            metavar="DURATION",
            help="How long it may take to begin an answer.",
            show_default=format_duration(DEFAULT_RESPONSE_TIMEOUT),
        ),
    ] = None,
    of_odoo: OfOdoo,
    max_concurrent: Annotated[
        int,
        typer.Option(
            "--max-concurrent",
            metavar="NUMBER",
            help="How many requests Odoo gets at a time; twice its workers is good.",
        ),
    ] = DEFAULT_MAX_CONCURRENT,
    of_view_only: OfViewOnly,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Register a running application, check it, and say what its owner should know."""
    new = NewEnvironment(
        name=name,
        url=url,
        id=id,
        kind=kind,
        tls_verify=tls_verify,
        body_limit=body_limit,
        response_timeout=response_timeout if response_timeout is not None else DEFAULT_RESPONSE_TIMEOUT,
        max_concurrent=max_concurrent,
        **environment_fields(of_any, of_odoo, of_view_only),
    )

    async def register(backend: Backend) -> EnvironmentBody:
        return await backend.add_environment(new)

    environment = work(org, register, doing=_CHECKING)
    if as_json:
        output.print_json(environment)
    else:
        typer.echo(f"The environment {environment.id} is registered. Share it: guestpass share create {environment.id}")
        if environment.odoo_version is not None:
            output.note(f"{_odoo(environment.odoo_version)} answers at the address.")
    output.tell(environment.findings)


@app.command("list")
def list_all(org: Org = ORG, as_json: AsJSON = False) -> None:
    """List the organisation's environments, by name."""

    async def read(backend: Backend) -> EnvironmentsBody:
        return await backend.environments()

    found = work(org, read)
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        ["ID", "NAME", "KIND", "URL", "STATE"],
        [(each.id, each.name, each.kind.value, each.url, _state(each)) for each in found.environments],
    )


@app.command("show")
def show(environment_name: EnvironmentName, org: Org = ORG, as_json: AsJSON = False) -> None:
    """Show one environment."""

    async def read(backend: Backend) -> EnvironmentBody:
        return await backend.environment(await find_environment(backend, environment_name))

    environment = work(org, read)
    if as_json:
        output.print_json(environment)
        return
    output.print_fields(
        [
            ("id", environment.id),
            ("name", environment.name),
            ("url", environment.url),
            ("websocket url", environment.websocket_url or "-"),
            ("kind", environment.kind.value),
            ("description", environment.description or "-"),
            ("certificate", "checked" if environment.tls_verify else "not checked"),
            ("body limit", f"{environment.body_limit} bytes"),
            ("response timeout", format_duration(parse_duration(environment.response_timeout))),
            *(_of_odoo(environment) if environment.kind is Kind.ODOO else ()),
            ("maintenance", environment.maintenance.message if environment.maintenance is not None else "-"),
            ("registered", f"{output.moment(environment.created_at)} by {environment.created_by}"),
            ("checked", output.moment(environment.checked_at)),
            *((f"finding {finding.code}", output.in_words(finding)) for finding in environment.findings),
        ]
    )


@app.command("check")
def check(environment_name: EnvironmentName, org: Org = ORG, as_json: AsJSON = False) -> None:
    """Check an environment again, and say what its owner should know."""

    async def check_it(backend: Backend) -> EnvironmentBody:
        return await backend.check_environment(await find_environment(backend, environment_name))

    environment = work(org, check_it, doing=_CHECKING)
    if as_json:
        output.print_json(environment)
        return
    version = f", {_odoo(environment.odoo_version)}" if environment.odoo_version is not None else ""
    typer.echo(f"The environment {environment.id}{version}: {len(environment.findings)} finding(s).")
    output.tell(environment.findings)


@app.command("edit")
@with_groups
def edit(
    environment_name: EnvironmentName,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="What people call it.")] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Where it runs now; links stay, what is open to the old one closes."),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option("--kind", metavar="KIND", help="Which rules apply behind its links: odoo or web.")
    ] = None,
    *,
    of_any: OfAny,
    tls_verify: Annotated[
        bool | None,
        typer.Option("--tls-verify/--insecure", help="Whether an https environment's certificate is checked."),
    ] = None,
    body_limit: Annotated[
        int | None, typer.Option("--body-limit", metavar="BYTES", help="The longest request body.")
    ] = None,
    response_timeout: Annotated[
        timedelta | None,
        typer.Option(
            "--response-timeout",
            parser=duration,
            metavar="DURATION",
            help="How long it may take to begin an answer.",
        ),
    ] = None,
    maintenance: Annotated[
        str | None,
        typer.Option("--maintenance", metavar="TEXT", help="What visitors see in place of the environment."),
    ] = None,
    of_odoo: OfOdoo,
    max_concurrent: Annotated[
        int | None,
        typer.Option(
            "--max-concurrent",
            metavar="NUMBER",
            help="How many requests Odoo gets at a time; twice its workers is good.",
        ),
    ] = None,
    of_view_only: OfViewOnly,
    clear: Annotated[list[Clearable] | None, clear_option(CLEARABLE)] = None,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Change the given fields and leave the rest; --clear removes optional ones.

    An option that may be given several times replaces the whole list. Where the change is about how the environment is
    reached, it is checked again.
    """
    others = {
        "name": name,
        "url": url,
        "kind": kind,
        "tls_verify": tls_verify,
        "body_limit": body_limit,
        "response_timeout": response_timeout,
        "max_concurrent": max_concurrent,
    }
    given: dict[str, Any] = {field: value for field, value in others.items() if value is not None}
    optional = environment_fields(of_any, of_odoo, of_view_only) | (
        {} if maintenance is None else {"maintenance": maintenance}
    )
    given |= {field: _without_empty_texts(value) for field, value in optional.items()}
    given |= cleared(clear or (), CLEARABLE, given)

    async def change(backend: Backend) -> tuple[EnvironmentBody, EnvironmentBody]:
        before = await backend.environment(await find_environment(backend, environment_name))
        return before, await backend.change_environment(before.id, EnvironmentChange(**given))

    before, environment = work(org, change, doing=_CHECKING)
    if as_json:
        output.print_json(environment)
    else:
        typer.echo(f"The environment {environment.id} is changed.")
    # What was known before is not told again.
    if environment.checked_at != before.checked_at:
        output.tell(environment.findings)


@app.command("refused-calls")
def list_refused_calls(environment_name: EnvironmentName, org: Org = ORG, as_json: AsJSON = False) -> None:
    """List the refused calls of view-only links, and the refused addresses, most often first.

    Allow one that only reads with `guestpass env edit ENV --read-only-allow MODEL/METHOD`, or with its address.
    """

    async def read(backend: Backend) -> RefusedCallsBody:
        return await backend.refused_calls(await find_environment(backend, environment_name))

    found = work(org, read)
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        ["MODEL/METHOD OR ADDRESS", "COUNT", "LAST"],
        [(f"{each.model}/{each.method}", str(each.count), output.moment(each.last_at)) for each in found.refused_calls],
    )


@app.command("remove")
def remove(environment_name: EnvironmentName, org: Org = ORG, yes: Yes = False, as_json: AsJSON = False) -> None:
    """Remove an environment with all its links; their visitors are cut off."""

    async def find(backend: Backend) -> tuple[str, int]:
        id = await find_environment(backend, environment_name)
        return id, (await backend.find_links(LinkSearch(environment_id=id, limit=1))).total

    id, links = work(org, find)
    confirm(f"Remove the environment {id} and its {links} link(s) for good?", yes=yes)

    async def take_away(backend: Backend) -> None:
        await backend.remove_environment(id)

    work(org, take_away)
    if as_json:
        output.print_json({"removed": id})
        return
    typer.echo(f"The environment {id} is removed.")


def _without_empty_texts(value: str | list[str]) -> str | list[str] | None:
    return [each for each in value if each] if isinstance(value, list) else value or None


def _odoo(version: str) -> str:
    measured = "" if is_measured(version) else ", not measured"
    return f"Odoo {version} {edition_of(version)}{measured}"


def _state(environment: EnvironmentBody) -> Text:
    if environment.maintenance is not None:
        return Text("maintenance", "yellow")
    if any(each.code in OUT_OF_REACH for each in environment.findings):
        return Text("unreachable", "red")
    return Text("up", "green")


def _of_odoo(environment: EnvironmentBody) -> list[tuple[str, str]]:
    return [
        ("public url", environment.public_url or "-"),
        ("database", environment.database or "-"),
        ("allowed paths", " ".join(environment.allow_paths) or "-"),
        ("at a time", f"{environment.max_concurrent} requests"),
        ("view-only allows", " ".join(environment.read_only_allow) or "-"),
        ("odoo version", "-" if environment.odoo_version is None else _odoo(environment.odoo_version)),
    ]
