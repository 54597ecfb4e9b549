"""Error responses in one shape for all routes (RFC 9457), from one table of errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from math import ceil
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from guestpass.app.owner_writes import TooManyWrites
from guestpass.domain.errors import (
    AlreadyExists,
    DescriptorsUsedUp,
    FieldError,
    Forbidden,
    InUse,
    Invalid,
    NotFound,
    TooManyWaiting,
)
from guestpass.domain.reasons import Reason
from guestpass.languages.language import Language, language_for
from guestpass.web.brands import BARE
from guestpass.web.media_types import JSON_PATCHES
from guestpass.web.pages import DATA_FIELDS, PageTemplate, page_fields, place, render
from guestpass.web.request_context import RequestContext
from guestpass.web.texts import NOTICES, UNEXPECTED, Words
from guestpass.web.validation import explain

MEDIA_TYPE: Final = "application/problem+json"
DATA_HEAD: Final = (("Content-Type", MEDIA_TYPE), *DATA_FIELDS)
# Python's own phrases differ between its versions; these are RFC 9110's.
_PHRASES: Final = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
_FIELD_LENGTH: Final = 100
INTERNAL_ERROR: Final = "internal_error"
_FOR_VISITORS: Final[Mapping[str, Words]] = {
    INTERNAL_ERROR: UNEXPECTED,
    Reason.UNAVAILABLE: NOTICES[Reason.UNAVAILABLE],
}


def title_of(status: int) -> str:
    """Return the status's phrase, which RFC 9457 asks for as title if `type` is about:blank."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error response: `code` is stable, `detail` is for people, `fields` are added to the head."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    def body(self, request_id: str) -> bytes:
        """Serialise to JSON."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": title_of(self.status),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "requestId": request_id,
        }
        if self.errors:
            members["errors"] = [{"field": error.field, "message": error.message} for error in self.errors]
        return json.dumps(members).encode()


class ProblemRaised(Exception):
    """Raised to answer a request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@lru_cache
def _page(language: Language) -> PageTemplate:
    return render(language, "problem.html", title=place("title"), text=place("detail"), errors=place("errors"))


def respond(scope: Scope, problem: Problem) -> Response:
    """Return the response: a page for a browser's navigation, else problem+json."""
    context = RequestContext.of(scope)
    if not context.page:
        return answer(problem.status, (*DATA_HEAD, *problem.fields), problem.body(context.request_id))
    # Visitors only meet the errors of _FOR_VISITORS, in their language; others are in English like the API.
    if (words := _FOR_VISITORS.get(problem.code)) is not None:
        language = language_for(context.languages)
        title, detail = language.translate(words.title), language.translate(words.text)
    else:
        language, title, detail = language_for(""), title_of(problem.status), problem.detail
    errors = "\n".join(f"{error.field}: {error.message}" for error in problem.errors)
    body = _page(language).fill_themed(BARE, title=title, detail=detail, errors=errors, request_id=context.request_id)
    return answer(problem.status, (*page_fields(language.tag), *problem.fields), body)


def answer(status: int, fields: Iterable[tuple[str, str]], body: bytes) -> Response:
    """Return a response with exactly these fields and Content-Length."""
    response = Response(status_code=status)
    response.body = body
    response.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    response.raw_headers.append((b"content-length", str(len(body)).encode()))
    return response


def unexpected() -> Problem:
    """Return the problem for an internal error, without details."""
    return Problem(status=500, code=INTERNAL_ERROR, detail=UNEXPECTED.detail)


def unavailable(why: str) -> Problem:
    """Return the problem for an unusable database. Whether a change in progress was committed is unknown."""
    return Problem(
        status=503,
        code=Reason.UNAVAILABLE,
        detail=f"The database can't be used right now: {why}. Ask again; look first whether a change was made already.",
        fields=(("Retry-After", "5"),),
    )


def invalid(errors: Sequence[FieldError]) -> Problem:
    """Return the problem for invalid fields."""
    return Problem(
        status=422,
        code="invalid",
        detail="Some of what was sent can't be accepted; `errors` says what and why.",
        errors=tuple(FieldError(_short(error.field), error.message) for error in errors),
    )


def challenge(realm: str, code: str) -> tuple[str, str]:
    """Return WWW-Authenticate, which a 401 needs (RFC 9110, section 15.5.2), in a scheme no browser prompts for."""
    return "WWW-Authenticate", f'Guestpass realm="{realm}", error="{code}"'


def not_found(what: str) -> Problem:
    """Return the problem for what doesn't exist for the caller; without the id, as people paste tokens into paths."""
    return Problem(status=404, code="not_found", detail=f"There is no such {what}.")


def _insufficient_scope(error: Forbidden) -> Problem:
    return Problem(
        status=403,
        code="insufficient_scope",
        detail=f"The bearer token lacks the scope {error.scope}.",
        fields=(("WWW-Authenticate", f'Bearer realm="guestpass", error="insufficient_scope", scope="{error.scope}"'),),
    )


_TABLE: Final[Mapping[type[Exception], Callable[[Any], Problem]]] = {
    ProblemRaised: lambda error: error.problem,
    NotFound: lambda error: not_found(error.what),
    AlreadyExists: lambda error: Problem(
        status=409, code="already_exists", detail=f"There is already such an {error.what}; choose another id."
    ),
    InUse: lambda error: Problem(status=409, code="in_use", detail=str(error)),
    Invalid: lambda error: invalid(error.errors),
    TooManyWrites: lambda error: Problem(
        status=429, code="too_many_changes", detail=str(error), fields=(("Retry-After", str(ceil(error.retry_after))),)
    ),
    Forbidden: _insufficient_scope,
    DescriptorsUsedUp: lambda _: Problem(
        status=503,
        code=Reason.UNAVAILABLE,
        detail="The server may open no further connection at the moment (its log says why). Ask again.",
        fields=(("Retry-After", "5"),),
    ),
    TooManyWaiting: lambda _: Problem(
        status=503,
        code=Reason.UNAVAILABLE,
        detail="More passwords wait to be checked or set than the server can do. Ask again.",
        fields=(("Retry-After", "5"),),
    ),
    RequestValidationError: lambda error: invalid([explain(entry, entry["loc"][1:]) for entry in error.errors()]),
}


def install(application: FastAPI) -> None:
    """Register handlers that answer all errors as problems."""

    def translate(request: Request, error: Exception) -> Response:
        make = next(make for kind, make in _TABLE.items() if isinstance(error, kind))
        return respond(request.scope, make(error))

    for kind in _TABLE:
        application.add_exception_handler(kind, translate)
    application.add_exception_handler(HTTPException, _on_http_exception)


def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answer the framework's own errors: unknown path or method (OPTIONS is one to it)."""
    if not isinstance(error, HTTPException):
        raise error
    scope = request.scope
    if error.status_code == 405:
        allowed = _allowed(request)
        allow = (("Allow", ", ".join(allowed)),)
        if scope["method"] == "OPTIONS":
            # RFC 5789, section 3.1.
            patches = (("Accept-Patch", ", ".join(JSON_PATCHES)),) if "PATCH" in allowed else ()
            return answer(204, (*DATA_FIELDS, *allow, *patches), b"")
        return respond(
            scope,
            Problem(
                status=405,
                code="method_not_allowed",
                detail=f"This can't be asked for with {_short(scope['method'])}; Allow names the methods that can.",
                fields=allow,
            ),
        )
    if error.status_code == 404:
        return respond(scope, Problem(status=404, code="not_found", detail="There is nothing at this path."))
    return respond(
        scope, Problem(status=error.status_code, code="bad_request", detail="The request could not be understood.")
    )


def _allowed(request: Request) -> list[str]:
    """Return all methods that routes have for the request's path; the framework lists only one route's."""
    scope = {**request.scope, "path_params": {}}
    methods = {"OPTIONS"}
    for context in iter_route_contexts(request.app.routes):
        if context.matches(scope)[0] is not Match.NONE:
            methods.update(context.methods or ())
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def _short(text: str) -> str:
    return text if len(text) <= _FIELD_LENGTH else text[:_FIELD_LENGTH] + "…"
