"""`guestpass share why` and `share history`: a link's events, and why it doesn't open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from guestpass.app.paging import LONGEST_PAGE
from guestpass.cli import output
from guestpass.cli.connection import Backend, work
from guestpass.cli.lookup import find_link
from guestpass.cli.options import ORG, AsJSON, LinkName, Org
from guestpass.domain.errors import Forbidden
from guestpass.domain.finding import OUT_OF_REACH, Finding
from guestpass.domain.link import EventKind, LinkEvent, ShareType, Status
from guestpass.domain.visit import Refusal
from guestpass.web.api.link_models import ShareLinkBody
from guestpass.web.api.models import EnvironmentBody
from guestpass.web.api.record_models import EventBody, HistoryBody, RefusalBody

app = typer.Typer()

# Codes of an environment's findings that keep visitors out.
_BLOCKING_FINDINGS: Final = OUT_OF_REACH | {"account_refused"}
# How long guessing is a likely cause: PASSWORD_TRIES usually counts over minutes, rarely over more than a day.
_LATELY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Case:
    """What may keep a link from opening; `environment` is None without the scope to read it."""

    link: ShareLinkBody
    environment: EnvironmentBody | None
    rotations: Sequence[EventBody]
    locked_until: datetime | None
    guessing: Sequence[EventBody]
    refusals: Sequence[RefusalBody]


@app.command("why")
def why(
    link_name: LinkName,
    request: Annotated[
        str | None,
        typer.Option("--request", metavar="ID", help="Only the refusal that a visitor's page named by this id."),
    ] = None,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """Say why a link does not open.

    Tells what stands in the way now, and who was turned away lately. Each refusal has the id that the visitor's page
    showed as the request. Checks the environment too.
    """

    async def ask(backend: Backend) -> _Case:
        link = await find_link(backend, link_name)
        history = await backend.history(link.environment_id, link.id, kinds=(EventKind.ROTATED,), limit=1)
        refusals = (await backend.refusals(link.environment_id, link.id)).refusals
        locked, guessing = None, []
        if link.share_type is ShareType.PASSWORD:
            locked = (await backend.password_tries(link.environment_id, link.id)).locked_until
            kinds = (EventKind.LOCKED, EventKind.UNLOCKED)
            guessing = (await backend.history(link.environment_id, link.id, kinds=kinds, limit=1)).events
        environment = await _check(backend, link.environment_id)
        return _Case(link, environment, history.events, locked, guessing, refusals)

    case = work(org, ask, doing="Looking at the link and its environment")
    causes = [*_causes_of_link(case), *_causes_of_environment(case.environment)]
    refusals = [each for each in case.refusals if request is None or each.request_id == request]
    if as_json:
        output.print_json(_document(case.link, causes, refusals))
        return
    for cause in causes:
        typer.echo(output.printable(output.in_words(cause)))
    if not causes:
        answers = "its environment answers" if case.environment is not None else "its environment was not asked"
        typer.echo(f"Nothing stands in the way: the share link {case.link.id} is open, and {answers}.")
    typer.echo()
    _print_refusals(case.link.id, refusals, request)


@app.command("history")
def history(
    link_name: LinkName,
    opened: Annotated[bool, typer.Option("--opened/--changes", help="With every opening, or only what owners did.")] = (
        True
    ),
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=LONGEST_PAGE, metavar="NUMBER", help="How many lines at most.")
    ] = 50,
    org: Org = ORG,
    as_json: AsJSON = False,
) -> None:
    """List what happened to a link: when, who, what."""
    kinds = [kind for kind in EventKind if opened or kind is not EventKind.OPENED]

    async def read(backend: Backend) -> HistoryBody:
        link = await find_link(backend, link_name)
        return await backend.history(link.environment_id, link.id, kinds=kinds, limit=limit)

    found = work(org, read)
    if as_json:
        output.print_json({"events": [event.model_dump(mode="json", by_alias=True) for event in found.events]})
        return
    # Loaded here: it loads all translations.
    from guestpass.web.dashboard.link_words import describe_event  # noqa: PLC0415

    lines = [
        describe_event(LinkEvent("", event.at, event.kind, event.actor, ",".join(event.fields) or event.visitor))
        for event in found.events
    ]
    output.print_table(["WHEN", "WHO", "WHAT"], [(output.moment(line.at), line.who, line.what) for line in lines])
    if found.next_cursor is not None:
        output.note("There is more: --limit shows it.")


async def _check(backend: Backend, environment_id: str) -> EnvironmentBody | None:
    """Check the environment; without that scope return the last check's state, without any scope None."""
    try:
        return await backend.check_environment(environment_id)
    except Forbidden:
        pass
    try:
        return await backend.environment(environment_id)
    except Forbidden:
        return None


def _causes_of_link(case: _Case) -> list[Finding]:
    link, causes = case.link, []
    if link.status is Status.DEACTIVATED:
        causes.append(
            Finding(
                "link_deactivated",
                f"The share link is paused since {output.moment(link.deactivated_at)}.",
                f"Open it again: guestpass share resume {link.id}",
            )
        )
    if link.status is Status.EXPIRED:
        causes.append(
            Finding(
                "link_expired",
                f"The share link has expired, at {output.moment(link.expires_at)}.",
                f"Give it more time: guestpass share extend {link.id} 7d",
            )
        )
    taken = link.places_taken
    if taken is not None and link.max_visitors is not None and taken >= link.max_visitors:
        causes.append(
            Finding(
                "link_full",
                f"It is full: {taken} of {link.max_visitors} places are taken. Who has one gets in, others don't.",
                f"Let more in: guestpass share edit {link.id} --max-visitors {taken + 5}, or --clear max-visitors for "
                f"any number. To free a place: guestpass visitors end {link.id} VISITOR",
            )
        )
    if link.allowed_ips:
        causes.append(
            Finding(
                "address_limited",
                f"It opens only from {', '.join(link.allowed_ips)}.",
                f"Allow all networks that are needed: guestpass share edit {link.id} --allow-ip NETWORK, or "
                "--clear allow-ip for all",
            )
        )
    if case.locked_until is not None:
        causes.append(
            Finding(
                "password_locked",
                f"After too many wrong passwords whoever has failed can try no more until "
                f"{output.moment(case.locked_until)}. Others get in with the right one.",
                f"Let people try again: guestpass share unlock {link.id}",
            )
        )
    else:
        # No record says how long an address is locked out.
        causes += [
            Finding(
                "address_locked",
                f"There were too many wrong passwords, at {output.moment(event.at)}: where they came from, none may be "
                "accepted still. From elsewhere, and for who was in before, the right one opens it.",
                f"Let people try again: guestpass share unlock {link.id}",
            )
            for event in case.guessing
            if event.kind is EventKind.LOCKED and datetime.now(UTC) - event.at < _LATELY
        ]
    causes += [
        Finding(
            "link_replaced",
            f"It was given a new URL, at {output.moment(event.at)} by {event.actor}: who has an older one reads that "
            "it was replaced.",
            f"Send the present one: guestpass share show {link.id}",
        )
        for event in case.rotations
    ]
    return causes


def _causes_of_environment(environment: EnvironmentBody | None) -> list[Finding]:
    if environment is None:
        return []
    causes = []
    if environment.maintenance is not None:
        causes.append(
            Finding(
                "maintenance",
                f"The environment {environment.id} is in maintenance: visitors read your message.",
                f"End that: guestpass env edit {environment.id} --clear maintenance",
            )
        )
    causes += [
        Finding(each.code, each.detail, each.remedy, each.at)
        for each in environment.findings
        if each.code in _BLOCKING_FINDINGS
    ]
    return causes


def _print_refusals(link_id: str, refusals: Sequence[RefusalBody], request: str | None) -> None:
    from guestpass.web.dashboard.link_words import describe_refusal  # noqa: PLC0415 - as in `history`

    if not refusals:
        which = f"with the request id {output.printable(request)}" if request is not None else "lately"
        typer.echo(f"Nobody was turned away {which}.")
        return
    lines = [
        describe_refusal(
            Refusal(link_id, each.at, each.reason, each.request_id, each.browser, each.system, each.address)
        )
        for each in refusals
    ]
    output.print_table(
        ["TURNED AWAY", "WHY", "REQUEST", "BROWSER", "FROM"],
        [(output.moment(line.at), line.why, line.request_id or "-", line.agent, line.address or "-") for line in lines],
    )


def _document(link: ShareLinkBody, causes: Sequence[Finding], refusals: Sequence[RefusalBody]) -> dict[str, Any]:
    return {
        "link": link.model_dump(mode="json", by_alias=True),
        "causes": [{"code": each.code, "detail": each.detail, "remedy": each.remedy} for each in causes],
        "refusals": [each.model_dump(mode="json", by_alias=True) for each in refusals],
    }
