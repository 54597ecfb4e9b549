"""Sessions of owners, and the tokens of their forms (against request forgery)."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends
from starlette.requests import Request

from guestpass.app.ports import DashboardSession
from guestpass.domain.access import Principal, Scope
from guestpass.signing.session_tokens import form_token
from guestpass.web.dashboard import cookies
from guestpass.web.dashboard.forms import SentForm
from guestpass.web.dashboard.services import Services

FORM_TOKEN_FIELD = "csrf"
FORM_TOKEN_HEADER = "x-csrf-token"


class SignInNeeded(Exception):
    """Nobody is signed in; `then` is where to go afterwards."""

    def __init__(self, then: str) -> None:
        super().__init__(then)
        self.then = then


class ForeignForm(Exception):
    """A form without its session's token: forged, or older than the session."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who is signed in. `token` is the session's secret, `form_token` what its forms hold.

    `mark` is the moment before anything was read for this request: whatever changes from then on, a page that is made
    for it is told.
    """

    session: DashboardSession
    token: str
    mark: str

    @property
    def principal(self) -> Principal:
        """The principal that use cases act for."""
        return self.session.principal

    @property
    def form_token(self) -> str:
        """The token that this session's forms must contain."""
        return form_token(self.token)

    def may(self, scope: str) -> bool:
        """Whether to show what needs the scope, such as ``environments:write``; the use cases check it themselves."""
        return Scope(scope) in self.session.principal.scopes


async def find_owner(request: Request, services: Services) -> Owner | None:
    """Who is signed in, None for nobody; known to the page's template as `owner`."""
    token = cookies.session_token(request, secure=services.secure)
    mark = services.live.mark
    session = await services.sessions.find(token) if token is not None else None
    owner = Owner(session, token, mark) if session is not None and token is not None else None
    request.state.owner = owner
    return owner


async def _looking(request: Request, owner: Annotated[Owner | None, Depends(find_owner)]) -> Owner:
    if owner is None:
        query = f"?{request.url.query}" if request.url.query else ""
        raise SignInNeeded(quote(request.url.path, safe="/") + query if request.method == "GET" else "/")
    return owner


async def _changing(
    request: Request, owner: Annotated[Owner, Depends(_looking)], form: SentForm, services: Services
) -> AsyncIterator[Owner]:
    """An owner whose request holds the session's token; its Origin was checked before any route was looked for.

    Where many of their changes are under way they wait for those; raises TooManyWrites.
    """
    sent = request.headers.get(FORM_TOKEN_HEADER) or form.text(FORM_TOKEN_FIELD)
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), owner.form_token.encode()):
        raise ForeignForm
    async with services.api.owner_writes.admit(owner.principal):
        yield owner


Looking = Annotated[Owner, Depends(_looking)]
"""The owner, for every GET."""
Changing = Annotated[Owner, Depends(_changing)]
"""The owner, with the form's token checked, for every other method."""
