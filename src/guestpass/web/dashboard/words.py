"""Format times, numbers and sizes for people; the templates' filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_UNITS: Final = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
# How much of a unit may be missing before it is rounded down; at most a twentieth of it.
_FORGIVEN: Final = timedelta(hours=1)
_KIB: Final = 1024
_SIZES: Final = (("TiB", _KIB**4), ("GiB", _KIB**3), ("MiB", _KIB**2), ("KiB", _KIB), ("bytes", 1))

_SIZE: Final = re.compile(r"([0-9]{1,16})\s*(TiB|GiB|MiB|KiB|bytes)?", re.ASCII)


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 link``, ``3 links``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(duration: timedelta) -> str:
    """A duration in its largest unit, rounded down: ``3 days``; ``less than a minute``."""
    for size, name in _UNITS:
        if duration >= size:
            return count(duration // size, name)
    return "less than a minute"


def ago(at: datetime, now: datetime) -> str:
    """How long ago something was."""
    return "just now" if now - at < timedelta(minutes=1) else f"{span(now - at)} ago"


def left(until: datetime, now: datetime) -> str:
    """How long something still lasts, rounded down; who has just chosen seven days reads that seven are left."""
    if until <= now:
        return "over"
    for size, name in _UNITS:
        whole = (until - now + min(size / 20, _FORGIVEN)) // size
        # One month is no answer to how many days.
        if whole >= (2 if name == "month" else 1):
            return f"{count(whole, name)} left"
    return "less than a minute left"


def moment(at: datetime) -> str:
    """A time to the minute, in UTC; a script shows it in the reader's zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def iso(at: datetime) -> str:
    """A time for machines (RFC 3339)."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def size(number: int) -> str:
    """A number of bytes in the largest unit that divides it: ``256 MiB``."""
    name, unit = next((name, unit) for name, unit in _SIZES if number % unit == 0)
    return f"{number // unit} {name}"


def parse_size(text: str) -> int:
    """The reverse of `size`; also without a unit. Raises ValueError with a sentence for the person who wrote it."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be a size such as 256 MiB or 2 GiB")
    return int(match[1]) * dict(_SIZES)[match[2] or "bytes"]


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "count": count,
    "ago": ago,
    "left": left,
    "span": span,
    "moment": moment,
    "iso": iso,
}
