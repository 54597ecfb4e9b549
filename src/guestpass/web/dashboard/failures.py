"""Error pages and messages of the dashboard: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.owner_writes import TooManyWrites
from guestpass.domain.errors import (
    AlreadyExists,
    DescriptorsUsedUp,
    Forbidden,
    InUse,
    Invalid,
    NotFound,
    TooManyWaiting,
)
from guestpass.domain.reasons import Reason
from guestpass.web.dashboard.pages import is_partial, render
from guestpass.web.dashboard.sessions import ForeignForm, SignInNeeded
from guestpass.web.problems import Problem, ProblemRaised, challenge, respond
from guestpass.web.request_context import RequestContext

_GONE_SESSION: Final = "You are signed out"
_SESSION_NEEDED: Final = "session_needed"
_CHALLENGE: Final = dict([challenge("dashboard", _SESSION_NEEDED)])


def fail(
    request: Request, status: int, title: str, text: str, *, code: str, link: tuple[str, str] | None = None
) -> Response:
    """Answer with a page for a navigation, a message for htmx, else problem+json.

    `link` is where to go on: its words, and a path of ours or the dashboard's own address.
    """
    if is_partial(request):
        response = render(request, "failure.html", status=status, title=title, text=text)
        # Into the place for messages; the request's target keeps its content.
        response.headers["HX-Retarget"] = "#messages"
        response.headers["HX-Reswap"] = "innerHTML"
        return response
    if RequestContext.of(request.scope).page:
        return render(request, "error.html", status=status, title=title, text=text, link=link)
    return respond(request.scope, Problem(status=status, code=code, detail=f"{title}. {text}"))


def elsewhere(request: Request, admin_url: str) -> Response:
    """Answer a request under another host than ADMIN_URL's, where forms would be refused."""
    return fail(
        request,
        421,
        "The dashboard has another address",
        f"It is used at {admin_url} only. If that does not lead here, have your operator set GUESTPASS_ADMIN_URL to "
        "the address in your browser.",
        code="other_address",
        link=(f"Open {admin_url}", admin_url),
    )


def foreign_origin(request: Request, admin_url: str) -> Response:
    """Answer a change from another origin, or without Origin."""
    return fail(
        request,
        403,
        "Nothing was changed",
        f"That came from another address than the dashboard's, {admin_url}. Open the dashboard there and try again.",
        code="foreign_origin",
        link=("Open the dashboard", admin_url),
    )


def unexpected(request: Request) -> Response:
    """Answer an internal error."""
    return fail(
        request,
        500,
        "Something went wrong here",
        "Try again; if it happens again, tell your operator: the log names it by "
        f"{RequestContext.of(request.scope).request_id}.",
        code="internal_error",
    )


def unavailable(request: Request, why: str) -> Response:
    """Answer that the database can't be used, and why."""
    return _not_now(
        request,
        f"The database can't be used right now: {why}. Try again in a moment; where you were changing something, look "
        "first whether it was done. If it goes on, tell your operator.",
    )


def install(application: FastAPI) -> None:
    """Register handlers for all errors of the dashboard."""

    def show(request: Request, error: Exception) -> Response:
        make = next(make for kind, make in _TABLE.items() if isinstance(error, kind))
        return make(request, error)

    for kind in _TABLE:
        application.add_exception_handler(kind, show)


def _not_now(request: Request, text: str) -> Response:
    response = fail(request, 503, "One moment, please", text, code=Reason.UNAVAILABLE)
    response.headers["Retry-After"] = "5"
    return response


def _sign_in_needed(request: Request, error: SignInNeeded) -> Response:
    path = "/sign-in" if error.then in {"/", "/environments"} else f"/sign-in?then={quote(error.then, safe='/?=')}"
    if is_partial(request):
        return Response(status_code=401, headers={"HX-Redirect": path, **_CHALLENGE})
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
        # Browsers keep a SameSite=Strict cookie to themselves where another site's link led here, but not from us.
        return render(request, "onward.html", then=error.then)
    if not RequestContext.of(request.scope).page:
        response = fail(request, 401, _GONE_SESSION, "Sign in again.", code=_SESSION_NEEDED)
        response.headers.update(_CHALLENGE)
        return response
    return Response(status_code=303, headers={"Location": path})


def _forbidden(request: Request, error: Forbidden) -> Response:
    return fail(
        request,
        403,
        "You may look, but not change this",
        f"That needs the scope {error.scope}, which you are not signed in with. Ask your operator for a token that has "
        "it.",
        code="insufficient_scope",
        link=("Back to the environments", "/environments"),
    )


def _not_found(request: Request, error: NotFound) -> Response:
    return fail(
        request,
        404,
        f"There is no such {error.what}",
        "It was removed, or the address has a mistake in it.",
        code="not_found",
        link=("Go to the environments", "/environments"),
    )


def _foreign_form(request: Request, _error: ForeignForm) -> Response:
    return fail(
        request,
        403,
        "This form is too old",
        "It was opened before you signed in. Nothing was changed: open the page again and repeat it.",
        code="foreign_form",
        link=("Go to the environments", "/environments"),
    )


def _invalid(request: Request, error: Invalid) -> Response:
    text = " ".join(f"{each.field} {each.message}." for each in error.errors)
    return fail(request, 422, "That can't be accepted", text, code="invalid")


def _in_use(request: Request, error: InUse | AlreadyExists) -> Response:
    return fail(request, 409, "That is not possible now", str(error), code="in_use")


def _too_many_writes(request: Request, error: TooManyWrites) -> Response:
    response = fail(request, 429, "One moment, please", f"Nothing was changed. {error}", code="too_many_changes")
    response.headers["Retry-After"] = str(ceil(error.retry_after))
    return response


def _problem(request: Request, error: ProblemRaised) -> Response:
    problem = error.problem
    return fail(request, problem.status, "That can't be accepted", problem.detail, code=problem.code)


def _http_exception(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        response = fail(
            request,
            405,
            "That is not possible here",
            "Go back and use the page's own buttons.",
            code="method_not_allowed",
        )
        response.headers.update(error.headers or {})
        return response
    return fail(
        request,
        404,
        "There is nothing here",
        "The address has a mistake in it, or belongs to an older version.",
        code="not_found",
        link=("Go to the environments", "/environments"),
    )


_TABLE: Final[Mapping[type[Exception], Callable[[Request, Any], Response]]] = {
    SignInNeeded: _sign_in_needed,
    ForeignForm: _foreign_form,
    Forbidden: _forbidden,
    NotFound: _not_found,
    Invalid: _invalid,
    InUse: _in_use,
    TooManyWrites: _too_many_writes,
    TooManyWaiting: lambda request, _: _not_now(
        request, "More passwords are being set than the server can do. Nothing was changed. Try again."
    ),
    AlreadyExists: _in_use,
    DescriptorsUsedUp: lambda request, _: _not_now(
        request, "The server may open no further connection at the moment. If it goes on, tell your operator."
    ),
    ProblemRaised: _problem,
    RequestValidationError: lambda request, _: fail(
        request, 404, "There is nothing here", "The address has a mistake in it.", code="not_found"
    ),
    HTTPException: _http_exception,
}
