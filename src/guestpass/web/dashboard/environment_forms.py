"""Add an environment, and change how it is reached and treated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.environments import EnvironmentChange, NewEnvironment
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
from guestpass.web.dashboard.forms import Filled, Form, Reading, SentForm, whole_number
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking
from guestpass.web.dashboard.words import parse_size, size

router = APIRouter()


@router.get("/add-environment")
async def show_new(request: Request, owner: Looking) -> Response:
    """The form for a new environment."""
    del owner
    return render(request, "add_environment.html", form=Filled(_DEFAULTS), fields=_NAMES_OF_NEW)


@router.post("/add-environment")
async def add(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """Register it; whatever a look at it finds, it is registered then."""
    try:
        environment = await services.api.environments.add(owner.principal, _new(form))
    except Invalid as refused:
        errors = refused.errors
    except AlreadyExists:
        errors = (FieldError("id", "is taken; choose another"),)
    else:
        await services.reachability.look_at(environment)
        said = f"{environment.name} is added. Links can lead to it now."
        return go(request, f"/environments/{environment.id}", owner=owner, said=said)
    filled = Filled.refused(form, _NAMES_OF_NEW, errors)
    return render(request, "add_environment.html", status=422, form=filled, fields=_NAMES_OF_NEW)


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
    glance, _ = await services.overview.one(owner.principal, env_id)
    filled = Filled.now(_values(glance.environment))
    return render(request, "environment_settings.html", glance=glance, form=filled, fields=_NAMES)


@router.post("/environments/{envId}/settings")
async def change(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Save what the form changes of what it showed."""

    def check(now: Environment) -> None:
        form.check_meanwhile(form.changed(_NAMES), _values(now))

    try:
        environment = await services.api.environments.change(owner.principal, env_id, _change(form), check=check)
    except Invalid as refused:
        glance, _ = await services.overview.one(owner.principal, env_id)
        filled = Filled.refused(form, _NAMES, refused.errors, _values(glance.environment))
        return render(request, "environment_settings.html", status=422, glance=glance, form=filled, fields=_NAMES)
    await services.reachability.look_at(environment)
    return go(request, f"/environments/{env_id}/settings", owner=owner, said="Saved.")


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


def _optional(form: Form, _: Reading, name: str) -> str | None:
    return form.optional(name)


def _parsed(parse: Callable[[str], Any]) -> Callable[[Form, Reading, str], Any]:
    return lambda _, reading, name: reading.read(name, parse)


_READ: Final[Mapping[str, Callable[[Form, Reading, str], Any]]] = {
    "name": lambda form, _, name: form.text(name),
    "url": lambda form, reading, name: reading.read(name, parse_upstream_url) or form.text(name),
    "kind": _parsed(_kind),
    "websocket_url": _parsed(parse_upstream_url),
    "public_url": _parsed(parse_public_url),
    "database": _optional,
    "description": _optional,
    "tls_verify": lambda form, _, name: form.checked(name),
    "body_limit": _parsed(parse_size),
    "response_timeout": _parsed(parse_duration),
    "max_concurrent": _parsed(whole_number),
    "allow_paths": lambda form, _, name: form.lines(name),
    "read_only_allow": lambda form, _, name: form.lines(name),
}
"""How the forms' fields are read, by the use case's names."""
_NAMES: Final = tuple(external_name(attribute) for attribute in _READ)
_NAMES_OF_NEW: Final = ("id", *(name for name in _NAMES if name != "readOnlyAllow"))
"""What is asked for when an environment is added: what view-only links may call besides is seen later."""


def _values(environment: Environment) -> dict[str, object]:
    """What the forms show of an environment."""
    return {external_name(attribute): _shown(attribute, getattr(environment, attribute)) for attribute in _READ}


def _shown(attribute: str, value: object) -> object:
    match value:
        case tuple():
            return "\n".join(value)
        case timedelta():
            return format_duration(value)
        case int() if attribute == "body_limit":
            return size(value)
        case _:
            return value


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
