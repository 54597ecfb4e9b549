"""Durations as people and the API write them: Go's notation (``24h``, ``1h30m``) plus days (``7d``)."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_UNITS = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "μs": Decimal(1),
    "ms": Decimal(1_000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
    "d": Decimal(86_400_000_000),
}
# A duration of Go is 64 bits of nanoseconds, which are 19 digits.
_PART = re.compile(r"([0-9]{1,19}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
# Longer than this no sum of parts is meant; timedelta itself ends at a thousand million days.
_LIMIT = Decimal(86_400_000_000) * 36_500


def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``24h``, ``1h30m``, ``90s``, ``1.5h`` or ``7d``; exact to the microsecond.

    Raises ValueError with a sentence for the person who wrote it. A sign is refused: no setting or
    field of ours has a meaning for a negative duration.
    """
    position, total = 0, Decimal(0)
    while match := _PART.match(text, position):
        total += Decimal(match[1]) * _UNITS[match[2]]
        position = match.end()
    if not text or position != len(text):
        raise ValueError("must be a duration such as 24h, 7d or 1h30m")
    if total > _LIMIT:
        raise ValueError("must be a duration of at most 36500d")
    return timedelta(microseconds=int(total))


def format_duration(duration: timedelta) -> str:
    """Write a duration as the shortest such text in days, hours, minutes and seconds (``1h30m``, ``1.5s``); exact."""
    rest = duration // timedelta(microseconds=1)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, rest = divmod(rest, size * 1_000_000)
        if count:
            parts.append(f"{count}{unit}")
    if rest:
        seconds, fraction = divmod(rest, 1_000_000)
        parts.append(f"{seconds}.{fraction:06}".rstrip("0").rstrip(".") + "s")
    return "".join(parts) or "0s"
