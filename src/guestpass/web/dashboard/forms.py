"""Parse forms, and keep what was sent beside its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from guestpass.domain.errors import FieldError, Invalid, external_name
from guestpass.web.bodies import LONGEST_BODY, malformed, media_type, read_body, wrong_media_type
from guestpass.web.problems import ProblemRaised

_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_MOST_FIELDS: Final = 1000  # A list of links to be changed sends one for each.
_MOST_FIELDS_BESIDE_FILES: Final = 20
_LONGEST_WITH_FILES: Final = 1024 * 1024 - 1024
"""In bytes; above the fields' limits, so that a field slightly too large gets its own error."""
SHOWN: Final = "shown."
"""Prefix of hidden fields that hold the value another field was shown with."""
_LONGEST_TOLD: Final = 60

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a form brought; `media_type` is what the browser takes it for."""

    media_type: str
    content: bytes


class Form:
    """The fields of a form by the names that the API has for them."""

    def __init__(self, fields: Mapping[str, Sequence[str]], files: Mapping[str, Upload] | None = None) -> None:
        self._fields = fields
        self._files = files or {}

    def file(self, name: str) -> Upload | None:
        """A file; None where none was chosen."""
        return self._files.get(name)

    def text(self, name: str) -> str:
        """Return a field, stripped; empty if missing."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return a field unchanged, such as a password."""
        values = self._fields.get(name)
        return values[-1] if values else ""

    def optional(self, name: str) -> str | None:
        """Return a field, stripped; None if empty."""
        return self.text(name) or None

    def all(self, name: str) -> list[str]:
        """Every value of a field that may come several times."""
        return list(self._fields.get(name, ()))

    def lines(self, name: str) -> list[str]:
        """The lines of a text that aren't empty."""
        return [line.strip() for line in self.raw(name).splitlines() if line.strip()]

    def checked(self, name: str) -> bool:
        """Whether a checkbox is ticked."""
        return bool(self.raw(name))

    def changes(self, name: str) -> bool:
        """Whether a field differs from what was shown; True if the form doesn't say what was."""
        shown = f"{SHOWN}{name}"
        return shown not in self._fields or self.raw(shown) != self.raw(name)

    def changed(self, names: Iterable[str]) -> list[str]:
        """Return the fields that were changed."""
        return [name for name in names if self.changes(name)]

    def check_meanwhile(self, names: Iterable[str], now: Mapping[str, object]) -> None:
        """Raise Invalid with those of the fields that somebody else has changed since the form was shown."""
        if errors := self.changed_meanwhile(names, now):
            raise Invalid(errors)

    def changed_meanwhile(self, names: Iterable[str], now: Mapping[str, object]) -> list[FieldError]:
        """Return the fields that somebody else has changed since; `now` is what the form would show now."""
        errors = []
        for name in names:
            there, shown = _as_sent(now.get(name)), f"{SHOWN}{name}"
            if shown in self._fields and there not in {self.raw(shown), self.text(name)}:
                errors.append(FieldError(name, f"{_told(there)} meanwhile; save again to have it as it stands here"))
        return errors


class Filled:
    """What a form shows: values by field, and what is wrong with them. A template asks for both by name.

    `shown` is what a form that changes something sends back beside its fields (`parts.shown`), so that no field is
    changed that nobody has touched.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        errors: Sequence[FieldError] = (),
        shown: Mapping[str, object] | None = None,
    ) -> None:
        self._values = values
        self.errors: Final = tuple(errors)
        self.shown: Final = {f"{SHOWN}{name}": _as_sent(value) for name, value in (shown or {}).items()}

    @classmethod
    def now(cls, values: Mapping[str, object]) -> Filled:
        """Fill a form with present values."""
        return cls(values, shown=values)

    @classmethod
    def refused(
        cls,
        form: Form,
        names: Sequence[str],
        errors: Sequence[FieldError],
        now: Mapping[str, object] | None = None,
    ) -> Filled:
        """What somebody sent, kept for them to correct; beside it what is so `now`, where they change something."""
        if now is None:
            return cls({name: form.raw(name) for name in names}, errors)
        changed = form.changed(names)
        # To send the form again is to want them, so that whatever was refused, these are told of now.
        meanwhile = [error for error in form.changed_meanwhile(changed, now) if error not in errors]
        values = {name: form.raw(name) if name in changed else now.get(name) for name in names}
        return cls(values, (*errors, *meanwhile), now)

    def value(self, name: str) -> object:
        """Return the field's value; empty if unknown."""
        value = self._values.get(name)
        return "" if value is None else value

    def error(self, name: str) -> str:
        """Return the field's error; empty if it has none."""
        return "; ".join(error.message for error in self.errors if error.field == name)

    def others(self, names: Sequence[str]) -> list[FieldError]:
        """Errors of fields that the form doesn't show."""
        return [error for error in self.errors if error.field not in names]


class Reading:
    """Parses fields and collects all their errors, so that they are reported together."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.errors: list[FieldError] = []

    def read(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        """Parse the field; None if empty or invalid."""
        text = self._form.text(name)
        if not text:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.errors.append(FieldError(name, str(error)))
            return None


def read_text(form: Form, _: Reading, name: str) -> str | None:
    """A field as it is; None where it is empty."""
    return form.optional(name)


def read_lines(form: Form, _: Reading, name: str) -> list[str]:
    """The lines of a field that aren't empty."""
    return form.lines(name)


def parsed_by(parse: Callable[[str], Value]) -> Callable[[Form, Reading, str], Value | None]:
    """Return a reader of a field for a parser."""
    return lambda _, reading, name: reading.read(name, parse)


def _as_text(value: object) -> object:
    return "\n".join(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A text field of a form; with `rows` it is a textarea, with `mono` it is set in a monospaced font.

    `attribute` is its name in use cases, `attributes` are further ones of its HTML element. `read` takes its value from
    a sent form, `show` turns a stored value into what the form shows.
    """

    attribute: str
    label: str
    hint: str
    placeholder: str = ""
    rows: int = 0
    mono: bool = False
    attributes: Mapping[str, str | int | None] = field(default_factory=dict)
    read: Callable[[Form, Reading, str], Any] = read_text
    show: Callable[[Any], object] = _as_text

    @property
    def name(self) -> str:
        """What the API calls it."""
        return external_name(self.attribute)

    def value(self, of: object) -> object:
        """What its control shows of a link or an environment."""
        return self.show(getattr(of, self.attribute))


def _as_sent(value: object) -> str:
    """A value as a browser sends the field that shows it."""
    if value is None or value is False:
        return ""
    return "true" if value is True else str(value).replace("\r\n", "\n")


def _told(there: str) -> str:
    if not there:
        return "was emptied"
    return f"was set to “{there}”" if len(there) <= _LONGEST_TOLD and there.isprintable() else "was changed"


def whole_number(text: str) -> int:
    """Read a number of at most nine digits; raises ValueError with a sentence for the person who wrote it."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValueError("must be a whole number")
    return int(text)


async def _read(request: Request) -> Form:
    if media_type(request) == _MULTIPART:
        return await _read_with_files(request, await read_body(request, _LONGEST_WITH_FILES))
    body = await read_body(request)
    if not body:
        return Form({})
    if media_type(request) != _URLENCODED:
        raise wrong_media_type(_URLENCODED)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise ProblemRaised(malformed("The body is not a valid form.")) from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return Form(fields)


async def _read_with_files(request: Request, body: bytes) -> Form:
    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    try:
        async with Request(request.scope, replay).form(
            max_files=1, max_fields=_MOST_FIELDS_BESIDE_FILES, max_part_size=LONGEST_BODY
        ) as form:
            for name, value in form.multi_items():
                if isinstance(value, str):
                    fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
                elif content := await value.read():
                    files[name] = Upload(value.content_type or "", content)
    except (HTTPException, MultiPartException):
        raise ProblemRaised(malformed("The body is not a valid form.")) from None
    return Form(fields, files)


SentForm = Annotated[Form, Depends(_read)]
"""The request's form, parsed once per request."""
