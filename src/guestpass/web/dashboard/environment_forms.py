"""Add an environment, and change how it is reached and treated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.overview import EnvironmentSummary
from guestpass.domain.durations import format_duration, parse_duration
from guestpass.domain.environment import (
    DEFAULT_MAX_CONCURRENT,
    DEFAULT_RESPONSE_TIMEOUT,
    Environment,
    Kind,
    parse_public_url,
    parse_upstream_url,
)
from guestpass.domain.errors import AlreadyExists, FieldError, Invalid, external_name
from guestpass.web.api.paths import EnvironmentId
from guestpass.web.dashboard.forms import (
    Control,
    Filled,
    Form,
    Reading,
    SentForm,
    parsed_by,
    read_lines,
    whole_number,
)
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking
from guestpass.web.dashboard.words import parse_size, size

router = APIRouter()


@router.get("/add-environment")
async def show_new(request: Request, owner: Looking) -> Response:
    """The form for a new environment."""
    del owner
    return _page_of_new(request, Filled(_DEFAULTS))


@router.post("/add-environment")
async def add(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """Register the environment, whatever its check finds."""
    try:
        environment = await services.api.environments.add(owner.principal, _new(form))
    except Invalid as refused:
        errors = refused.errors
    except AlreadyExists:
        errors = (FieldError("id", "is taken; choose another"),)
    else:
        await services.reachability.check(environment)
        said = f"{environment.name} is added. Links can lead to it now."
        return go(request, f"/environments/{environment.id}", owner=owner, said=said)
    return _page_of_new(request, Filled.refused(form, FIELDS_OF_NEW, errors), status=422)


@router.post("/check-environment")
async def try_out(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """What a look at the address finds, before anything is saved."""
    try:
        environment, report = await services.api.environments.try_out(owner.principal, _new(form))
    except Invalid as refused:
        return render(request, "environment_check.html", errors=refused.errors, environment=None, report=None)
    return render(request, "environment_check.html", errors=(), environment=environment, report=report)


@router.get("/environments/{envId}/settings")
async def show_settings(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """The form with what is so now."""
    summary, _ = await services.overview.one(owner.principal, env_id)
    return _settings_page(request, summary, Filled.now(_values(summary.environment)))


@router.post("/environments/{envId}/settings")
async def change(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Save what the form changes of what it showed."""

    def check(now: Environment) -> None:
        form.check_meanwhile(form.changed(FIELDS), _values(now))

    try:
        environment = await services.api.environments.change(owner.principal, env_id, _change(form), check=check)
    except Invalid as refused:
        summary, _ = await services.overview.one(owner.principal, env_id)
        filled = Filled.refused(form, FIELDS, refused.errors, _values(summary.environment))
        return _settings_page(request, summary, filled, status=422)
    await services.reachability.check(environment)
    return go(request, f"/environments/{env_id}/settings", owner=owner, said="Saved.")


def _page_of_new(request: Request, form: Filled, status: int = 200) -> Response:
    return render(request, "add_environment.html", status=status, form=form, fields=FIELDS_OF_NEW, controls=CONTROLS)


def _settings_page(request: Request, summary: EnvironmentSummary, form: Filled, status: int = 200) -> Response:
    return render(
        request,
        "environment_settings.html",
        status=status,
        summary=summary,
        form=form,
        fields=FIELDS,
        controls=CONTROLS,
    )


_DEFAULTS: Final = {
    "kind": Kind.ODOO.value,
    "tlsVerify": True,
    "responseTimeout": format_duration(DEFAULT_RESPONSE_TIMEOUT),
    "maxConcurrent": DEFAULT_MAX_CONCURRENT,
}


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise ValueError("must be odoo or web") from None


CONTROLS: Final[Mapping[str, tuple[Control, ...]]] = {
    "paired": (
        Control(
            attribute="public_url",
            label="Its public address",
            hint="How people reach it without a link: for Odoo its web.base.url.",
            placeholder="https://odoo.example.com",
            mono=True,
            read=parsed_by(parse_public_url),
        ),
        Control(
            attribute="websocket_url",
            label="WebSocket address",
            hint="Only where /websocket is answered elsewhere and was not found.",
            placeholder="http://10.0.0.5:8072",
            mono=True,
            read=parsed_by(parse_upstream_url),
        ),
        Control(
            attribute="body_limit",
            label="Largest upload",
            hint="Such as 256 MiB. Left empty: 256 MiB for Odoo, 2 GiB for others.",
            read=parsed_by(parse_size),
            show=size,
        ),
        Control(
            attribute="response_timeout",
            label="Longest wait",
            hint="For the beginning of an answer: such as 720s or 12m.",
            read=parsed_by(parse_duration),
            show=format_duration,
        ),
    ),
    "paired_of_odoo": (
        Control(attribute="database", label="Odoo database", hint="Only where the server has several.", mono=True),
        Control(
            attribute="max_concurrent",
            label="Requests at a time",
            hint="Twice the number of Odoo's workers.",
            attributes={"inputmode": "numeric"},
            read=parsed_by(whole_number),
        ),
    ),
    "for_owners": (Control(attribute="description", label="Note for owners", hint="Visitors never see it.", rows=2),),
    "of_odoo": (
        Control(
            attribute="allow_paths",
            label="Blocked paths to allow",
            hint="One path a line, such as /jsonrpc. Whoever has a link can then try Odoo's passwords there.",
            rows=2,
            mono=True,
            read=read_lines,
        ),
    ),
    "of_view_only": (
        Control(
            attribute="read_only_allow",
            label="Methods and addresses that view-only links may ask for",
            hint="One model/method or /address a line. Allow what only reads: whoever has such a link can ask for it "
            "with any arguments.",
            rows=2,
            mono=True,
            read=read_lines,
        ),
    ),
}
"""The plain fields, by where they stand in the forms; those for view-only links are not asked for at first."""
_PLAIN: Final = tuple(each for some in CONTROLS.values() for each in some)
_READ: Final[Mapping[str, Callable[[Form, Reading, str], Any]]] = {
    "name": lambda form, _, name: form.text(name),
    "url": lambda form, reading, name: reading.read(name, parse_upstream_url) or form.text(name),
    "kind": parsed_by(_kind),
    "tls_verify": lambda form, _, name: form.checked(name),
    **{each.attribute: each.read for each in _PLAIN},
}
"""How the forms' fields are read, by the use case's names."""
FIELDS: Final = tuple(external_name(attribute) for attribute in _READ)
FIELDS_OF_NEW: Final = (
    "id",
    *(name for name in FIELDS if name not in {each.name for each in CONTROLS["of_view_only"]}),
)


def _values(environment: Environment) -> dict[str, object]:
    """What the forms show of an environment."""
    own = {name: getattr(environment, attribute) for name, attribute in zip(FIELDS, _READ, strict=True)}
    return own | {each.name: each.value(environment) for each in _PLAIN}


def _read(form: Form) -> dict[str, Any]:
    """What the form changes by the use case's names, None where it is empty; raises Invalid for what can't be read."""
    reading = Reading(form)
    values = {
        attribute: read(form, reading, external_name(attribute))
        for attribute, read in _READ.items()
        if form.changes(external_name(attribute))
    }
    if reading.errors:
        raise Invalid(reading.errors)
    return values


def _new(form: Form) -> NewEnvironment:
    given = {name: value for name, value in _read(form).items() if value is not None}
    return NewEnvironment(**given, id=form.optional("id"))


def _change(form: Form) -> EnvironmentChange:
    values = _read(form)
    # What can't be none stays as it is where its field was emptied.
    kept = {"kind", "body_limit", "response_timeout", "max_concurrent"}
    return EnvironmentChange(**{name: value for name, value in values.items() if value is not None or name not in kept})
