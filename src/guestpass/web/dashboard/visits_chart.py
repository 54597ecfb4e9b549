"""A link's visits over time: as a chart, and as a table that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from guestpass.app.link_records import LinkRecords, Span, VisitCount
from guestpass.domain.access import Principal

_GRID_LINES: Final = 4


class Period(StrEnum):
    """How much of the past is shown."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Bar:
    """The visits that began in one hour, day or month: `label` for the axis, `name` in full."""

    label: str
    name: str
    visits: int


@dataclass(frozen=True, slots=True)
class Axes:
    """The numbers beside a chart from the top down, the last one 0, and the names below its left, middle and right."""

    marks: Sequence[int]
    names: Sequence[str]


async def read_bars(records: LinkRecords, who: Principal, env_id: str, link_id: str, period: Period) -> list[Bar]:
    """What a chart of the period shows, oldest first; raises NotFound.

    Also hours and days before the link was made have their place, so that the same width always means the same time.
    """
    span = Span.HOUR if period is Period.DAY else Span.DAY
    counts = await records.visits(who, env_id, link_id, span)
    if period is Period.YEAR:
        return _months(counts)
    number, step = (24, timedelta(hours=1)) if period is Period.DAY else (30, timedelta(days=1))
    known = {each.began_at: each.visits for each in counts}
    last = counts[-1].began_at
    moments = [last - step * back for back in reversed(range(number))]
    return [_bar(at, known.get(at, 0), period) for at in moments]


def axes_of(bars: Sequence[Bar]) -> Axes:
    """What the chart of these bars is measured by."""
    highest = max([bar.visits for bar in bars], default=0)
    step = max(1, -(-highest // _GRID_LINES))
    marks = [step * number for number in range(max(1, -(-highest // step)) + 1)]
    return Axes(marks[::-1], (bars[0].label, bars[len(bars) // 2].label, bars[-1].label))


def _bar(at: datetime, visits: int, period: Period) -> Bar:
    if period is Period.DAY:
        return Bar(f"{at:%H}:00", f"{at:%d %b}, {at:%H}:00", visits)
    return Bar(f"{at.day} {at:%b}", f"{at.day} {at:%b %Y}", visits)


def _months(counts: Sequence[VisitCount]) -> list[Bar]:
    last = counts[-1].began_at
    # Months counted from year 0, so that one can go back over a New Year.
    months = [last.year * 12 + last.month - 1 - back for back in reversed(range(12))]
    visits = dict.fromkeys(months, 0)
    for each in counts:
        month = each.began_at.year * 12 + each.began_at.month - 1
        if month in visits:
            visits[month] += each.visits
    firsts = [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]
    return [Bar(f"{at:%b}", f"{at:%B %Y}", number) for at, number in zip(firsts, visits.values(), strict=True)]
