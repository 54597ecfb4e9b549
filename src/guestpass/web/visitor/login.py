"""Log visitors in to links: check the password and set the pass."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message

from guestpass.app.notices import Notice
from guestpass.app.password_login import OpeningRefused, VisitorGone
from guestpass.domain.errors import FieldError
from guestpass.domain.reasons import Reason, ended_at
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.signing.passes import COOKIE_NAMES, PassSigner, kept_pass_name, pass_cookie
from guestpass.web.api.models import LoginRequest
from guestpass.web.api.problem_models import problems
from guestpass.web.api.requests import request_body
from guestpass.web.bodies import LONGEST_BODY, malformed, media_type, parse_json, read_body, wrong_media_type
from guestpass.web.media_types import JSON
from guestpass.web.pages import DATA_FIELDS
from guestpass.web.problems import ProblemRaised, answer, invalid
from guestpass.web.request_context import RequestContext
from guestpass.web.services import Services, WebServices
from guestpass.web.texts import PASSWORD_MISSING

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_FORM_FIELDS: Final = 20  # A browser sends two.
_PASSES: Final = 32  # A browser sends one, or one for each of twenty links, and others that a neighbour has planted.
_KEPT: Final = tuple(f"{name}-" for name in COOKIE_NAMES)

router = APIRouter(tags=["Visitors"])
Token = Annotated[str, Path(description="Share token")]


@router.post(
    "/api/share/{token}/login",
    operation_id="logIn",
    summary="Log in to a share link with a password",
    status_code=303,
    response_class=Response,
    responses={
        303: {
            "description": "The password is right: go to the share URL.",
            "headers": {
                "Location": {"description": "`/share/{token}`", "schema": {"type": "string"}},
                "Set-Cookie": {"description": "The pass.", "schema": {"type": "string"}},
            },
        },
        **problems(400, 401, 403, 404, 410, 413, 415, 422, 500, page=True),
    },
    openapi_extra=request_body(LoginRequest, {"password": "correct horse"}, media_types=(JSON, URLENCODED, MULTIPART)),
)
@router.post("/share/{token}/login", include_in_schema=False)
async def log_in(request: Request, token: Token, services: Services) -> Response:
    """Validates a share password and sets the visitor's pass as a cookie.

    The password page posts a form here; other clients send JSON. A browser that navigates is answered with pages.
    """
    context = RequestContext.of(request.scope)
    password = await _password(request)
    agent = request.headers.get("user-agent", "")
    passes, is_there = _passes(request, services.passes), partial(_is_there, request)
    try:
        link = await services.password_login.login(
            token,
            password,
            context.client_address,
            passes=passes,
            is_there=is_there,
            request_id=context.request_id,
            user_agent=agent,
        )
        now = int(services.clock.now().timestamp())
        if link.max_visitors is not None and context.visitor is not None:
            visitor_pass = VisitorPass(link.id, link.version, context.visitor, now)
        else:
            distinguished = services.password_login.distinguish(link, context.client_address)
            visitor_pass = services.passes.issue(link.id, link.version, now, distinguished=distinguished)
        await services.password_login.let_in(
            token,
            link,
            visitor_pass.visitor,
            context.client_address,
            is_there=is_there,
            request_id=context.request_id,
            user_agent=agent,
        )
    except OpeningRefused as refusal:
        return await _refuse(services, refusal, token, context)
    except VisitorGone:
        raise ClientDisconnect from None
    secure = services.addresses.secure
    # A browser goes on to the link's own host, where there is one, and is remembered here for this link alone.
    name = (
        kept_pass_name(link.id, secure=secure) if context.page and services.addresses.link_domain is not None else None
    )
    if name is None:
        await services.password_login.leave(_passes(request, services.passes, kept=False), visitor_pass)
    cookie = pass_cookie(services.passes.write(visitor_pass), secure=secure, name=name)
    fields = (("Location", _share_path(token) + context.query), ("Set-Cookie", cookie), *DATA_FIELDS)
    return answer(303, fields, b"")


@router.get(
    "/api/share/{token}/login",
    operation_id="leaveLogin",
    summary="Go back to the share link",
    status_code=303,
    response_class=Response,
    responses={
        303: {
            "description": "Go to the share URL.",
            "headers": {"Location": {"description": "`/share/{token}`", "schema": {"type": "string"}}},
        },
        **problems(500, page=True),
    },
)
@router.get("/share/{token}/login", include_in_schema=False)
async def leave_login(request: Request, token: Token) -> Response:
    """Redirects to the share URL, for example after a reload of the page that a wrong password showed."""
    return answer(303, (("Location", _share_path(token) + RequestContext.of(request.scope).query), *DATA_FIELDS), b"")


def _share_path(token: str) -> str:
    return f"/share/{quote(token, safe='')}"


async def _refuse(services: WebServices, refusal: OpeningRefused, token: str, context: RequestContext) -> Response:
    missing, link = refusal.reason is Reason.PASSWORD_NEEDED, refusal.link
    if missing and not context.page:
        raise ProblemRaised(invalid([FieldError("password", "is required")]))
    rendered = services.notices.render(
        Notice(
            reason=refusal.reason,
            page=context.page,
            request_id=context.request_id,
            token=token,
            query=context.query,
            detail=PASSWORD_MISSING if missing else None,
            languages=context.languages,
            branding=await services.branding.of_org(link.environment.org)
            if link is not None and context.page
            else None,
            ended_at=ended_at(link, refusal.reason) if link is not None else None,
            retry_after=refusal.retry_after,
        )
    )
    return answer(422 if missing else rendered.status, rendered.fields, rendered.body)


def _passes(request: Request, signer: PassSigner, *, kept: bool = True) -> list[VisitorPass]:
    """Return the request's valid passes; a planted one only proves that its owner was in before.

    With `kept` also those stored here for links with hosts of their own.
    """
    pairs = [pair.strip().partition("=") for pair in request.headers.get("cookie", "").split(";")]
    texts = [value for name, _, value in pairs if name in COOKIE_NAMES or (kept and name.startswith(_KEPT))]
    return [found for text in texts[:_PASSES] if (found := signer.read(text)) is not None]


async def _is_there(request: Request) -> bool:
    return not await request.is_disconnected()


async def _password(request: Request) -> str | None:
    """Read the password from JSON or a form; None if missing or empty."""
    body = await read_body(request)
    kind = media_type(request)
    if not body:
        return None
    if kind == JSON:
        return parse_json(LoginRequest, body).password or None
    if kind in {URLENCODED, MULTIPART}:
        return await _form_password(request, body)
    raise wrong_media_type(f"{JSON} or {URLENCODED}")


async def _form_password(request: Request, body: bytes) -> str | None:
    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, replay).form(
            max_files=0, max_fields=_FORM_FIELDS, max_part_size=LONGEST_BODY
        )
    except (HTTPException, MultiPartException):
        raise ProblemRaised(malformed("The body is not a valid form.")) from None
    value: Any = form.get("password")
    return value if isinstance(value, str) and value else None
