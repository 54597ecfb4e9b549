"""Add an environment, and change how it is reached and treated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from guestpass.domain.errors import AlreadyExists, FieldError, Invalid
from guestpass.web.api.paths import EnvironmentId
from guestpass.web.dashboard.forms import Filled, Form, Reading, SentForm, whole_number
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking
from guestpass.web.dashboard.words import parse_size, size

FIELDS: Final = (
    "name", "id", "url", "kind", "websocketUrl", "publicUrl", "database", "description", "tlsVerify", "bodyLimit",
    "responseTimeout", "maxConcurrent", "allowPaths", "readOnlyAllow",
)  # fmt: skip
"""What the forms show, by the API's names."""

router = APIRouter()


@router.get("/add-environment")
async def show_new(request: Request, owner: Looking) -> Response:
    """The form for a new environment."""
    del owner
    return render(request, "add_environment.html", form=Filled(_DEFAULTS))


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
    return render(request, "add_environment.html", status=422, form=Filled.refused(form, FIELDS, errors))


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
    return render(request, "environment_settings.html", glance=glance, form=Filled.now(_values(glance.environment)))


@router.post("/environments/{envId}/settings")
async def change(
    request: Request, owner: Changing, env_id: EnvironmentId, services: Services, form: SentForm
) -> Response:
    """Save what the form changes of what it showed."""

    def check(now: Environment) -> None:
        form.check_meanwhile(form.changed(_READ), _values(now))

    try:
        environment = await services.api.environments.change(owner.principal, env_id, _change(form), check=check)
    except Invalid as refused:
        glance, _ = await services.overview.one(owner.principal, env_id)
        filled = Filled.refused(form, tuple(_READ), refused.errors, _values(glance.environment))
        return render(request, "environment_settings.html", status=422, glance=glance, form=filled)
    await services.reachability.look_at(environment)
    return go(request, f"/environments/{env_id}/settings", owner=owner, said="Saved.")


_DEFAULTS: Final = {
    "kind": Kind.ODOO.value,
    "tlsVerify": True,
    "responseTimeout": format_duration(DEFAULT_RESPONSE_TIMEOUT),
    "maxConcurrent": DEFAULT_MAX_CONCURRENT,
}


def _values(environment: Environment) -> dict[str, object]:
    return {
        "name": environment.name,
        "url": environment.url,
        "kind": environment.kind.value,
        "websocketUrl": environment.websocket_url,
        "publicUrl": environment.public_url,
        "database": environment.database,
        "description": environment.description,
        "tlsVerify": environment.tls_verify,
        "bodyLimit": size(environment.body_limit),
        "responseTimeout": format_duration(environment.response_timeout),
        "maxConcurrent": environment.max_concurrent,
        "allowPaths": "\n".join(environment.allow_paths),
        "readOnlyAllow": "\n".join(environment.read_only_allow),
    }


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise ValueError("must be odoo or web") from None


_READ: Final[Mapping[str, tuple[str, Callable[[Form, Reading], Any]]]] = {
    "name": ("name", lambda form, _: form.text("name")),
    "url": ("url", lambda form, reading: reading.read("url", parse_upstream_url) or form.text("url")),
    "kind": ("kind", lambda _, reading: reading.read("kind", _kind)),
    "websocketUrl": ("websocket_url", lambda _, reading: reading.read("websocketUrl", parse_upstream_url)),
    "publicUrl": ("public_url", lambda _, reading: reading.read("publicUrl", parse_public_url)),
    "database": ("database", lambda form, _: form.optional("database")),
    "description": ("description", lambda form, _: form.optional("description")),
    "tlsVerify": ("tls_verify", lambda form, _: form.checked("tlsVerify")),
    "bodyLimit": ("body_limit", lambda _, reading: reading.read("bodyLimit", parse_size)),
    "responseTimeout": ("response_timeout", lambda _, reading: reading.read("responseTimeout", parse_duration)),
    "maxConcurrent": ("max_concurrent", lambda _, reading: reading.read("maxConcurrent", whole_number)),
    "allowPaths": ("allow_paths", lambda form, _: form.lines("allowPaths")),
    "readOnlyAllow": ("read_only_allow", lambda form, _: form.lines("readOnlyAllow")),
}
"""What each field is called by the use case, and how it is read."""


def _read(form: Form) -> dict[str, Any]:
    """What the form changes by the use case's names, None where it is empty; raises Invalid for what can't be read."""
    reading = Reading(form)
    values = {name: read(form, reading) for field, (name, read) in _READ.items() if form.changes(field)}
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
