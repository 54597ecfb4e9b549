"""Problems (RFC 9457) in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from guestpass.web.problems import MEDIA_TYPE, title_of


class ProblemField(BaseModel):
    """One field that can't be accepted."""

    field: str = Field(description="The field's name as it was sent.", examples=["expiresIn"])
    message: str = Field(description="What is wrong, and what would be right.")


class ProblemBody(BaseModel):
    """An error, in one shape over all routes (RFC 9457)."""

    type: Literal["about:blank"]
    title: str = Field(description="The status's own phrase.")
    status: int
    detail: str = Field(description="What happened, for people.")
    code: str = Field(description="What happened, for programs; stable.", examples=["not_found"])
    request_id: str = Field(alias="requestId", description="What the server's log knows the request by.")
    errors: list[ProblemField] = Field(default=[], description="Each wrong field; only with status 422.")


_CASES: Final[dict[int, tuple[str, str, str]]] = {
    400: ("malformed_body", "The body is not valid JSON.", "The request can't be read."),
    401: ("bearer_needed", "Send a bearer token.", "No bearer token, or one that is not valid."),
    403: ("insufficient_scope", "The bearer token lacks the scope shares:write.", "A scope is missing."),
    404: ("not_found", "There is no such share link.", "There is no such thing, or not for this caller."),
    409: (
        "already_exists",
        "There is already such an environment; choose another id.",
        "The id is taken, or the thing is in use.",
    ),
    410: ("link_expired", "The share link has expired.", "The link was deactivated or has expired."),
    413: ("body_too_large", "The body may be at most 65536 bytes long.", "The body is too long."),
    415: ("unsupported_media_type", "Send the body as application/json.", "The body is of another type."),
    422: ("invalid", "Some of what was sent can't be accepted.", "Each field that can't be accepted, and why."),
    429: (
        "too_many_requests",
        "More requests came from this address than one may send.",
        "More than one address or link may ask for, or one owner change; Retry-After says when to ask again.",
    ),
    500: ("internal_error", "Something went wrong here.", "An error of ours; the log names it by requestId."),
    502: ("upstream_unreachable", "The environment can't be reached.", "The environment does not answer properly."),
    503: ("unavailable", "Not ready.", "Not available at the moment; Retry-After says when to ask again."),
    504: ("upstream_timeout", "The environment did not answer in time.", "The environment was too slow."),
}
_CASES_OF_VISITORS: Final[dict[int, tuple[str, str, str]]] = _CASES | {
    401: (
        "password_needed",
        "This share link asks for a password: send it to /share/{token}/login.",
        "The pass or the password is missing, or wrong.",
    ),
    403: ("foreign_origin", "The request's Origin is another site's.", "Asked for by another site, or not shared."),
    404: ("unknown_link", "No share link has this token.", "No share link has this token."),
}


def problems(*statuses: int, page: bool = False) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation; with `page` a navigating browser gets HTML in their place.

    Whatever can meet an error of ours can meet a database that does not answer, and comes behind the limits of what one
    address may ask for and one owner change.
    """
    if 500 in statuses:
        statuses = tuple(sorted({*statuses, 429, 503}))
    return {status: _response(status, page=page) for status in statuses}


def _response(status: int, *, page: bool) -> dict[str, Any]:
    code, detail, description = (_CASES_OF_VISITORS if page else _CASES)[status]
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        "requestId": "01JC3V8M2X",
    }
    if status == 422:
        example["errors"] = [{"field": "expiresIn", "message": "must be a duration such as 24h, 7d or 1h30m"}]
    content: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "example": example}}
    if page:
        content["text/html"] = {"schema": {"type": "string"}}
    response: dict[str, Any] = {"description": description, "content": content}
    if status == 401 or (status == 403 and not page):
        described = "RFC 9110, section 11.6.1" if page else "RFC 6750"
        response["headers"] = {"WWW-Authenticate": {"description": described, "schema": {"type": "string"}}}
    if status in {429, 503}:
        response["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "string"}}}
    return response
