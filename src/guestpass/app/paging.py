"""Pages of lists, with opaque cursors for the next page."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from guestpass.domain.errors import FieldError, Invalid
from guestpass.domain.text import flaw_of

PAGE: Final = 50
"""The default size of a page."""
LONGEST_PAGE: Final = 500
CURSOR_LENGTH: Final = 2000
_WORDS: Final = range(-(2**63), 2**63)

Item = TypeVar("Item")
Part = datetime | str | int | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of a list. `total` counts all of it, None where nobody counted; `next_cursor` is None at the end."""

    items: tuple[Item, ...]
    next_cursor: str | None
    total: int | None = None


def check_limit(limit: int) -> None:
    """Raise Invalid unless a page may be that long."""
    if not 1 <= limit <= LONGEST_PAGE:
        raise Invalid.one("limit", f"must be from 1 to {LONGEST_PAGE}")


def write_cursor(order: str, *place: Part) -> str:
    """A cursor that says where a list in this order goes on: behind what has this place in it."""
    parts = [{"at": part.isoformat()} if isinstance(part, datetime) else part for part in place]
    return base64.urlsafe_b64encode(json.dumps([order, *parts]).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, order: str, *types: type[datetime | str | int]) -> tuple[Part, ...]:
    """The place that `write_cursor` was given; None may stand for any part of it.

    Raises Invalid for what is no cursor, or one of another list or order.
    """
    try:
        return _place(cursor, order, types)
    except (ValueError, OverflowError, RecursionError):
        raise Invalid(
            [FieldError("cursor", "must be a nextCursor of this list, sorted the same way; leave it out to begin anew")]
        ) from None


def _place(cursor: str, order: str, types: tuple[type[datetime | str | int], ...]) -> tuple[Part, ...]:
    if len(cursor) > CURSOR_LENGTH:
        raise ValueError("too long")
    written = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    if not isinstance(written, list) or len(written) != 1 + len(types) or written[0] != order:
        raise ValueError("of another list")
    return tuple(_part(part, wanted) for part, wanted in zip(written[1:], types, strict=True))


def _part(written: object, wanted: type[datetime | str | int]) -> Part:
    if written is None:
        return None
    if wanted is datetime:
        at = datetime.fromisoformat(str(written["at"])) if isinstance(written, dict) and "at" in written else None
        if at is None or at.tzinfo is None:
            raise ValueError("no time")
        return at.astimezone(UTC)
    if wanted is str and isinstance(written, str):
        if flaw_of(written) is not None:
            raise ValueError("can't be kept, so it was never given out")
        return written
    if wanted is int and type(written) is int and written in _WORDS:
        return written
    raise ValueError("of another type")
