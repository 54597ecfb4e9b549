"""Sign in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from guestpass.domain.errors import FieldError
from guestpass.signing.bearer import BearerRefused
from guestpass.web.dashboard import cookies
from guestpass.web.dashboard.forms import Filled, SentForm
from guestpass.web.dashboard.pages import go, render
from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Changing, Owner, find_owner
from guestpass.web.request_context import RequestContext

router = APIRouter()
Found = Annotated[Owner | None, Depends(find_owner)]
Invitation = Annotated[str, Path(max_length=100)]


@router.get("/sign-in")
async def show_sign_in(request: Request, owner: Found, then: Annotated[str, Query()] = "/") -> Response:
    """Show the sign-in page."""
    if owner is not None:
        return go(request, _own_path(then))
    return render(request, "sign_in.html", form=Filled({}), then=_own_path(then))


@router.post("/sign-in")
async def sign_in(request: Request, services: Services, form: SentForm) -> Response:
    """Exchange a bearer token for a session."""
    then = _own_path(form.text("then"))
    try:
        token = await _exchange(services, form.raw("token"), RequestContext.of(request.scope).client_address)
    except BearerRefused as refused:
        # Without the token, which must not be in a page.
        wrong = Filled({}, [FieldError("token", str(refused))])
        return render(request, "sign_in.html", status=422, form=wrong, then=then)
    return _signed_in(request, services, token, then)


@router.get("/open/{invitation}")
async def show_invitation(request: Request, invitation: Invitation, services: Services) -> Response:
    """Show the page of a one-time address; only its button uses it up, so that previews don't."""
    if not await services.sessions.is_invited(invitation):
        return _over(request)
    return render(request, "open.html", invitation=invitation)


@router.post("/open/{invitation}")
async def accept_invitation(request: Request, invitation: Invitation, services: Services) -> Response:
    """Use the address up."""
    token = await services.sessions.accept(invitation, RequestContext.of(request.scope).client_address)
    return _over(request) if token is None else _signed_in(request, services, token, "/")


@router.post("/sign-out")
async def sign_out(request: Request, owner: Changing, services: Services) -> Response:
    """End the session for good."""
    await services.sessions.end(owner.session.id)
    response = go(request, "/sign-in")
    cookies.drop_session(response, secure=services.secure)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def _exchange(services: DashboardServices, pasted: str, address: str) -> str:
    """The token of a new session; raises BearerRefused."""
    # People copy it with the word before it, or with a line break behind it.
    text = "".join(pasted.split()).removeprefix("Bearer")
    if not text:
        raise BearerRefused("Paste the token that your operator made for you.")
    bearer = services.api.bearer.read(text)
    async with services.api.owner_writes.admit(bearer.principal):
        token = await services.sessions.exchange(
            bearer.principal, jti=bearer.jti, expires_at=bearer.expires_at, address=address
        )
    if token is None:
        raise BearerRefused("The bearer token was revoked; get a new one.")
    return token


def _signed_in(request: Request, services: DashboardServices, token: str, then: str) -> Response:
    response = go(request, then)
    cookies.set_session(response, token, secure=services.secure)
    return response


def _over(request: Request) -> Response:
    return render(
        request,
        "error.html",
        status=410,
        title="This address was used, or is too old",
        text=Markup("Each works once, for five minutes. Run <code>guestpass open</code> again."),
        link=("Sign in with a token", "/sign-in"),
    )


def _own_path(text: str) -> str:
    """Return the text if it is a path of the dashboard, else ``/``; prevents open redirects."""
    return text if text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() else "/"
