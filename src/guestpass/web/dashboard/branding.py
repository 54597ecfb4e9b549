"""How the organisation looks to the people whom it sends links."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guestpass.domain.branding import Branding, Logo
from guestpass.domain.errors import Invalid
from guestpass.web.brands import shades_of
from guestpass.web.dashboard.forms import Filled, Form, SentForm, Upload
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking
from guestpass.web.logos import read_logo, write_logo

_TEXTS: Final = ("name", "colour", "contact")
_FIELDS: Final = (*_TEXTS, "logo")

router = APIRouter(prefix="/branding")


@router.get("")
async def show_branding(request: Request, owner: Looking, services: Services) -> Response:
    """What is set now, as a form for who may change it."""
    branding = await services.api.branding.get(owner.principal)
    return _page(request, branding, Filled.now(_values(branding)))


@router.post("")
async def put_branding(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """Save what the form changes; a logo stays unless another is sent, or the box is ticked that takes it away."""
    try:
        upload = form.file("logo")
        logo = await asyncio.to_thread(_read, upload) if upload is not None else None
        await services.api.branding.change(owner.principal, lambda now: _changed(form, now, logo))
    except Invalid as refused:
        now = await services.api.branding.get(owner.principal)
        return _page(request, now, Filled.refused(form, _TEXTS, refused.errors, _values(now)), status=422)
    return go(request, "/branding", owner=owner, said="Saved. Visitors see it on the next page that they open.")


def _page(request: Request, branding: Branding, form: Filled, *, status: int = 200) -> Response:
    return render(
        request,
        "branding.html",
        status=status,
        branding=branding,
        logo=write_logo(branding.logo) if branding.logo is not None else None,
        shades=shades_of(branding.colour) if branding.colour is not None else None,
        form=form,
        fields=_FIELDS,
    )


def _values(branding: Branding) -> dict[str, object]:
    """What the form shows; a logo by its digest."""
    logo = branding.logo
    digest = hashlib.sha256(logo.content).hexdigest() if logo is not None else None
    return {"name": branding.name, "colour": branding.colour, "contact": branding.contact, "logo": digest}


def _changed(form: Form, now: Branding, logo: Logo | None) -> Branding:
    """Apply the form to the present branding; raises Invalid."""
    values: dict[str, Any] = {name: form.optional(name) for name in form.changed(_TEXTS)}
    if logo is not None or form.checked("removeLogo"):
        values["logo"] = logo
    form.check_meanwhile(values, _values(now))
    if (colour := values.get("colour")) is not None and not colour.startswith("#"):
        values["colour"] = f"#{colour}"
    return replace(now, **values)


def _read(upload: Upload) -> Logo:
    try:
        return read_logo(f"data:{upload.media_type};base64,{base64.b64encode(upload.content).decode()}")
    except ValueError as error:
        raise Invalid.one("logo", str(error)) from None
