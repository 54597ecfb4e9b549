"""How the organisation looks to the people whom it sends links."""

from __future__ import annotations

import asyncio
import base64
from typing import Final

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

_FIELDS: Final = ("name", "logo", "colour", "contact")

router = APIRouter(prefix="/branding")


@router.get("")
async def show_branding(request: Request, owner: Looking, services: Services) -> Response:
    """What is set now, as a form for who may change it."""
    branding = await services.api.branding.get(owner.principal)
    form = Filled({"name": branding.name, "colour": branding.colour, "contact": branding.contact})
    return _page(request, branding, form)


@router.post("")
async def put_branding(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """Save it; a logo stays unless another is sent, or the box is ticked that takes it away."""
    before = await services.api.branding.get(owner.principal)
    try:
        await services.api.branding.put(owner.principal, await _sent(form, before))
    except Invalid as refused:
        return _page(request, before, Filled.refused(form, _FIELDS, refused.errors), status=422)
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


async def _sent(form: Form, before: Branding) -> Branding:
    """Raises Invalid for a logo that can't be used."""
    colour = form.optional("colour")
    if colour is not None and not colour.startswith("#"):
        colour = f"#{colour}"
    if (upload := form.file("logo")) is not None:
        logo: Logo | None = await asyncio.to_thread(_read, upload)
    else:
        logo = None if form.checked("removeLogo") else before.logo
    return Branding(name=form.optional("name"), logo=logo, colour=colour, contact=form.optional("contact"))


def _read(upload: Upload) -> Logo:
    try:
        return read_logo(f"data:{upload.media_type};base64,{base64.b64encode(upload.content).decode()}")
    except ValueError as error:
        raise Invalid.one("logo", str(error)) from None
