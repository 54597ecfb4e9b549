"""Moments as programs write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:)([0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_LEAP: Final = "60"


def parse_moment(text: str) -> datetime:
    """Parse a time with its zone (RFC 3339, section 5.6); raises ValueError.

    A leap second is the beginning of the next minute. What is finer than a microsecond is cut off.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("must be a time with its zone, such as 2026-03-04T18:00:00Z")
    day, minute, second, fraction, zone = found.groups()
    is_leap = second == _LEAP
    written = f"{day}T{minute}{'59' if is_leap else second}.{(fraction or '')[:6]:0<6}{zone.upper()}"
    try:
        at = datetime.fromisoformat(written)
        return at.replace(microsecond=0) + timedelta(seconds=1) if is_leap else at
    except (ValueError, OverflowError):
        raise ValueError("must be a time that there is, such as 2026-03-04T18:00:00Z") from None
