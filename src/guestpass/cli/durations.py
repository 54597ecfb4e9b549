"""Parse durations and times as people type them; more forms than the API takes, and no ambiguous ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import typer

from guestpass.domain.durations import parse_duration

_UNITS: Final = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_SHORT: Final = {word: unit for unit, words in _UNITS.items() for word in words}
_WEEKS: Final = ("w", "week", "weeks")
_PART: Final = re.compile(r"([0-9.]+)\s*([A-Za-zµμ]+)(?:\s+and\s+|[\s,]*)", re.ASCII)
_HOW_LONG: Final = "must be a duration such as 24h, 7d, 2 weeks or 1h30m"


def duration(text: str) -> timedelta:
    """Parse ``24h``, ``7d``, ``2 weeks`` or ``1 hour 30 minutes``; raises BadParameter."""
    try:
        return _read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@dataclass(frozen=True, slots=True)
class Until:
    """An end as it was typed: a duration, or a moment."""

    lifetime: timedelta | None = None
    moment: datetime | None = None

    def fields(self) -> dict[str, timedelta | datetime]:
        """Return it as a use case's fields."""
        if self.moment is not None:
            return {"expires_at": self.moment}
        return {"expires_in": self.lifetime} if self.lifetime is not None else {}


def until(text: str) -> Until:
    """Parse a duration, a day (``2026-03-31``: until its end), or a time (``2026-03-31 18:00``); UTC by default."""
    try:
        return Until(lifetime=_read(text))
    except ValueError as error:
        wrong = str(error)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip(), re.ASCII):
            day = date.fromisoformat(text.strip())
            return Until(moment=datetime.combine(day + timedelta(days=1), time(), UTC))
        at = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{wrong}, or a time such as 2026-03-31 or 2026-03-31T18:00Z") from None
    return Until(moment=at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _read(text: str) -> timedelta:
    """Parse a duration; raises ValueError with a sentence for people."""
    try:
        return parse_duration(text.strip())
    except ValueError as error:
        wrong = str(error)
    position, written, weeks = 0, "", 0.0
    plain = text.strip().lower()
    while match := _PART.match(plain, position):
        position = match.end()
        if match[2] in _WEEKS:
            weeks += float(match[1])
        elif match[2] in _SHORT:
            written += match[1] + _SHORT[match[2]]
        else:
            raise ValueError(_HOW_LONG)
    if not plain or position != len(plain):
        raise ValueError(_HOW_LONG if "36500d" not in wrong else wrong)
    return parse_duration(f"{written}{weeks * 7:g}d" if weeks else written)
