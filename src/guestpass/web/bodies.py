"""Read request bodies: bounded, of the announced type, and with every wrong field named."""

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
"""In bytes, for all but pictures; the longest of it, a maintenance message, is far below."""

Model = TypeVar("Model", bound=BaseModel)
Sound = TypeVar("Sound", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Further(Generic[Sound]):
    """What the use case finds wrong with the fields of a body whose other fields are wrong already.

    A caller reads all that is wrong at once, whoever finds it. `model` reads the fields that are left; it needs none.
    """

    model: type[Sound]
    errors: Callable[[WebServices, Sound], Sequence[FieldError]]


async def read_body(request: Request, longest: int = LONGEST_BODY) -> bytes:
    """The whole body; raises the 413 problem as soon as it is known to have more than `longest` bytes.

    Starlette's own limiter is no choice: it replaces whatever answer there is by plain text.
    """
    announced = request.headers.get("content-length", "")
    # No digits that Python reads, or more than it reads, are nobody's number.
    if announced.isascii() and announced.isdecimal() and (len(announced) > 19 or int(announced) > longest):
        raise _too_large(longest)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise _too_large(longest)
    return bytes(body)


def media_type(request: Request) -> str:
    """The media type of the body without parameters, in lower case; empty where none was given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def wrong_media_type(wanted: str, field: str = "Accept") -> ProblemRaised:
    """The 415 problem that says what would be right; `field` is the one that names it for programs."""
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
    """As `read_json`; raises the problem 400 for what is no JSON."""
    try:
        return read_json(model, body, further)
    except NotJSON:
        raise ProblemRaised(malformed("The body is not valid JSON.")) from None


def malformed(detail: str) -> Problem:
    """A body that can't be read at all."""
    return Problem(status=400, code="malformed_body", detail=detail)


def json_body(
    model: type[Model], *, optional: bool = False, longest: int = LONGEST_BODY, further: Further[Any] | None = None
) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the body as `model`; with `optional` an absent or empty one counts as ``{}``.

    It is a dependency, and not FastAPI's own body parameter, so that it comes after the bearer token was
    checked: a stranger's body is not even read.
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
