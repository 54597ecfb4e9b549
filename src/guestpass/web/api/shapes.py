"""Types and base models shared by the API's models."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from guestpass.app.paging import CURSOR_LENGTH, LONGEST_PAGE, PAGE
from guestpass.domain.durations import parse_duration
from guestpass.domain.errors import external_name
from guestpass.domain.moments import parse_moment
from guestpass.domain.text import flaw_of

DURATION: Final = r"([0-9]{1,19}(\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h|d)"
"""One part of a duration, as a regular expression for schemas."""

LIMIT_OR_ALL: Final = Field(
    ge=1,
    le=LONGEST_PAGE,
    description=f"How many at most. Without it, all; with `cursor` alone, {PAGE}.",
    examples=[PAGE],
)
CURSOR: Final = Field(max_length=CURSOR_LENGTH, description="The `nextCursor` of the page before this one.")
NEXT_CURSOR: Final = Field(description="The `cursor` of the next page; null at the end.")


def left_out() -> Any:  # noqa: ANN401 Field itself is typed so, to fit any field
    """Return an unused default, for a field that may be left out but not be null."""
    return Field(default=None)


def blank_as_none(value: object) -> object:
    """Return the value, or None for empty text."""
    return None if value == "" else value


def read_duration(value: object) -> timedelta | None:
    """Parse a duration from JSON or a query; None for null. Raises ValueError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a duration such as 24h, 7d or 1h30m")  # noqa: TRY004 pydantic wants ValueError
    return parse_duration(value)


def read_required_duration(value: object) -> timedelta:
    """Parse a duration from JSON; raises ValueError, also for null."""
    if (duration := read_duration(value)) is None:
        raise ValueError("must not be null")
    return duration


def read_moment(value: object) -> datetime | None:
    """Parse a time from JSON (RFC 3339); None for null. Raises ValueError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a time with its zone, such as 2026-03-04T18:00:00Z")  # noqa: TRY004 as above
    return parse_moment(value)


def read_required_moment(value: object) -> datetime:
    """Parse a time from JSON (RFC 3339); raises ValueError, also for null."""
    if (moment := read_moment(value)) is None:
        raise ValueError("must not be null")
    return moment


def tidy_schema(schema: dict[str, Any]) -> None:
    """Leave out what pydantic adds and a reader doesn't need.

    Titles repeat the names, and a default of null says no more than that a field may be left out; where
    null is refused it is not even true.
    """
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if field.get("default", ...) is None:
            del field["default"]


class Asked(BaseModel):
    """What a caller sends, in a query or a body: known fields only, whose text can be kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def check_text(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what the database would, and name the field. A password is kept as octets, hashed or encrypted."""
        if info.field_name == "password":
            return value
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str) and (flaw := flaw_of(text)) is not None:
                raise ValueError(flaw)
        return value


class Given(Asked):
    """A body, of the right JSON types."""

    model_config = ConfigDict(strict=True, alias_generator=external_name, json_schema_extra=tidy_schema)


class ResponseModel(BaseModel):
    """What a caller is sent: every field always there."""

    model_config = ConfigDict(
        alias_generator=external_name, validate_by_name=True, json_schema_extra=tidy_schema, frozen=True
    )
