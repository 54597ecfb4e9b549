"""Read and validate request bodies: limited size, declared type, all wrong fields reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from guestpass.domain.errors import FieldError
from guestpass.web.media_types import JSON, JSON_PATCHES
from guestpass.web.problems import Problem, ProblemRaised, invalid
from guestpass.web.services import WebServices, services_of
from guestpass.web.validation import NotJSON, find_further, read_json

LONGEST_BODY: Final = 64 * 1024
"""In bytes, for bodies without pictures; the longest field, a maintenance message, is far below."""

Model = TypeVar("Model", bound=BaseModel)
Sound = TypeVar("Sound", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Further(Generic[Sound]):
    """Further errors, from the use case, of a body that is invalid already.

    So callers get all errors at once. `model` parses the remaining fields and requires none.
    """

    model: type[Sound]
    errors: Callable[[WebServices, Sound], Sequence[FieldError]]


async def read_body(request: Request, longest: int = LONGEST_BODY) -> bytes:
    """Return the whole body; raises the 413 problem once it is known to exceed `longest` bytes.

    Starlette's own limiter would replace our response by plain text.
    """
    announced = request.headers.get("content-length", "")
    # int() also accepts other digits, and raises for very many.
    if announced.isascii() and announced.isdecimal() and (len(announced) > 19 or int(announced) > longest):
        raise _too_large(longest)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise _too_large(longest)
    return bytes(body)


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters; empty if not given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def wrong_media_type(wanted: str, field: str = "Accept") -> ProblemRaised:
    """Return the 415 problem; `field` is the response field that lists the accepted types (Accept-Patch)."""
    return ProblemRaised(
        Problem(
            status=415,
            code="unsupported_media_type",
            detail=f"Send the body as {wanted}, and say so in Content-Type.",
            fields=((field, wanted.replace(" or", ",")),),
        )
    )


def parse_json(
    model: type[Model], body: bytes, further: Callable[[Collection[str]], Sequence[FieldError]] | None = None
) -> Model:
    """Parse JSON as `read_json` does; raises the 400 problem for invalid JSON."""
    try:
        return read_json(model, body, further)
    except NotJSON:
        raise ProblemRaised(malformed("The body is not valid JSON.")) from None


def malformed(detail: str) -> Problem:
    """Return the 400 problem for a body that can't be parsed."""
    return Problem(status=400, code="malformed_body", detail=detail)


def json_body(
    model: type[Model], *, optional: bool = False, longest: int = LONGEST_BODY, further: Further[Any] | None = None
) -> Callable[[Request], Awaitable[Model]]:
    """Create a dependency that parses the body as `model`; with `optional` an empty body counts as ``{}``.

    FastAPI's own body parameter would read the body before the bearer token is checked.
    """

    async def read(request: Request) -> Model:
        body = await read_body(request, longest)
        if not body:
            if optional:
                return parse_json(model, b"{}")
            raise ProblemRaised(invalid([FieldError("body", "is required: a JSON object")]))
        if request.method == "PATCH":
            if media_type(request) not in JSON_PATCHES:
                # RFC 5789, section 2.2.
                raise wrong_media_type(" or ".join(JSON_PATCHES), "Accept-Patch")
        elif media_type(request) != JSON:
            raise wrong_media_type(JSON)
        if further is None:
            return parse_json(model, body)
        services = services_of(request)

        def errors_of(sound: BaseModel) -> Sequence[FieldError]:
            return further.errors(services, sound)

        return parse_json(model, body, lambda wrong: find_further(further.model, body, wrong, errors_of))

    return read


def _too_large(longest: int) -> ProblemRaised:
    return ProblemRaised(
        Problem(status=413, code="body_too_large", detail=f"The body may be at most {longest} bytes long.")
    )
