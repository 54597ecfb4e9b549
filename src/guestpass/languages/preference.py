"""Choose a language by Accept-Language (RFC 9110, section 12.5.4; RFC 4647, section 3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

LONGEST_FIELD: Final = 500
"""Characters. Browsers send a handful of ranges; the rest of a longer field is ignored."""
_RANGE = re.compile(
    r"[ \t]*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)[ \t]*(?:;[ \t]*[Qq]=([01](?:\.[0-9]{0,3})?)[ \t]*)?"
)


def choose(accepted: str, available: Sequence[str]) -> str:
    """The one of `available` (lower case, the default first) that suits an Accept-Language field best.

    Ranges are looked up by falling weight, each shortened until something fits. Where nothing does, it is the default,
    since a page in a foreign language helps more than none.
    """
    ranges = list(_ranges(accepted[:LONGEST_FIELD]))
    unwanted = {range for range, weight in ranges if weight == 0}
    for range, weight in sorted(ranges, key=lambda each: -each[1]):
        if weight == 0:
            break
        candidates = available if range == "*" else _shortened(range)
        for candidate in candidates:
            if candidate in available and candidate not in unwanted:
                return candidate
    return available[0]


def _ranges(field: str) -> Iterator[tuple[str, float]]:
    """Each range with its weight, in lower case; what is malformed is passed over."""
    for part in field.split(","):
        if found := _RANGE.fullmatch(part):
            yield found[1].lower(), min(1.0, float(found[2] or 1))


def _shortened(range: str) -> Iterator[str]:
    """The range and what is left as its last subtags are taken off, a single letter with the one behind it."""
    subtags = range.split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()
