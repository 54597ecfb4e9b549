"""Authenticate callers of the API by bearer tokens (RFC 6750), and check scopes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request

from guestpass.domain.access import Principal, Scope
from guestpass.signing.bearer import BearerRefused
from guestpass.web.problems import Problem, ProblemRaised
from guestpass.web.services import Services

bearer_scheme = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="A token made with `guestpass token`, or any JWT signed with HS256 and JWT_SECRET that has `exp` and "
    "`sub`, and optionally `org` and `scope`.",
    auto_error=False,  # Only for the document; its own errors would not be problems (RFC 9457).
)

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def _unauthorized(code: str, detail: str, challenge: str) -> ProblemRaised:
    field = ("WWW-Authenticate", f'Bearer realm="guestpass"{challenge}')
    return ProblemRaised(Problem(status=401, code=code, detail=detail, fields=(field,)))


def _refused(why: str) -> ProblemRaised:
    description = "".join(character for character in why if " " <= character <= "~" and character not in '"\\')
    return _unauthorized("bearer_refused", why, f', error="invalid_token", error_description="{description}"')


async def authenticate(request: Request, services: Services) -> Principal:
    """Return the principal of the request's bearer token; raises the 401 problem."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        # RFC 6750, section 3.1: no error code where no token was presented.
        raise _unauthorized("bearer_needed", "Send a bearer token: `Authorization: Bearer <token>`.", "")
    try:
        bearer = services.bearer.read(token.strip())
    except BearerRefused as refusal:
        raise _refused(str(refusal)) from None
    if bearer.jti is not None and await services.revocation.is_revoked(bearer.jti):
        raise _refused("The bearer token was revoked; get a new one.")
    return bearer.principal


def _holder_of(scope: Scope) -> Callable[[Request, Services, Principal], AsyncIterator[Principal]]:
    """A principal with the scope, asked for before anything else of the request is looked at.

    Who changes something waits for their own changes, where many are under way; raises TooManyWrites.
    """

    async def check(
        request: Request, services: Services, principal: Annotated[Principal, Depends(authenticate)]
    ) -> AsyncIterator[Principal]:
        principal.require(scope)
        if request.method in _SAFE:
            yield principal
            return
        async with services.owner_writes.admit(principal):
            yield principal

    return check


SharesReader = Annotated[Principal, Depends(_holder_of(Scope.SHARES_READ))]
SharesWriter = Annotated[Principal, Depends(_holder_of(Scope.SHARES_WRITE))]
EnvironmentsReader = Annotated[Principal, Depends(_holder_of(Scope.ENVIRONMENTS_READ))]
EnvironmentsWriter = Annotated[Principal, Depends(_holder_of(Scope.ENVIRONMENTS_WRITE))]
DOCUMENTED_SCHEME = [Depends(bearer_scheme)]
"""For a router's `dependencies`: declares the scheme in the document."""
