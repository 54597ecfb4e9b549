"""A link's visits over time: as a chart, and as a table that says the same."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from xml.etree import ElementTree as ET

import pygal  # type: ignore[import-untyped]
from markupsafe import Markup

from guestpass.app.link_records import LinkRecords, Span, VisitCount
from guestpass.domain.access import Principal
from guestpass.web.dashboard.words import count

# Python 3.11 warns, at each import from then on, of the finder that pygal adds for plug-ins; later ones pass over it.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]
_SVG: Final = "{http://www.w3.org/2000/svg}"
_GRID_LINES: Final = 4
_WIDTH: Final = 720
_HEIGHT: Final = 180
_INSET: Final = 0.02 / 1.04


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
class Chart:
    """A picture without styles, scripts and letters, which the stylesheet colours and the page stretches.

    `marks` are the numbers beside its lines from the top down, `names` what stands below its left, middle and right.
    """

    picture: Markup
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


def draw(bars: Sequence[Bar]) -> Chart:
    """The bars as a chart; it is for eyes alone, since the table beside it says the same in words."""
    highest = max([bar.visits for bar in bars], default=0)
    step = max(1, -(-highest // _GRID_LINES))
    marks = [step * number for number in range(max(1, -(-highest // step)) + 1)]
    chart = pygal.Bar(
        width=_WIDTH,
        height=_HEIGHT,
        margin=0,
        spacing=0,
        show_legend=False,
        show_x_labels=False,
        show_y_labels=False,
        js=(),
        title=None,
        y_labels=marks,
        no_data_text="",
    )
    chart.add("", [bar.visits for bar in bars])
    picture = ET.tostring(_tidied(chart.render_tree(), bars), encoding="unicode")
    names = (bars[0].label, bars[len(bars) // 2].label, bars[-1].label)
    return Chart(Markup(picture), marks[::-1], names)  # noqa: S704 - an SVG of ours, whose texts are escaped


def _tidied(svg: Any, bars: Sequence[Bar]) -> Any:  # noqa: ANN401 - pygal has no types
    """The bars alone: what the page's policy refuses, a script would have used, or differs each time, goes."""
    ET.register_namespace("", _SVG.strip("{}"))
    svg = ET.fromstring(ET.tostring(svg))  # noqa: S314 - written by ourselves a line above
    svg.attrib.pop("id", None)
    svg.set("aria-hidden", "true")
    svg.set("preserveAspectRatio", "none")
    # Without the 2 % that pygal leaves around what it plots, so that bars stand on the line below them.
    across, down = _WIDTH * _INSET, _HEIGHT * _INSET
    svg.set("viewBox", f"{across:g} {down:g} {_WIDTH - 2 * across:g} {_HEIGHT - 2 * down:g}")
    for parent in list(svg.iter()):
        for child in list(parent):
            around = any(word in child.get("class", "") for word in ("overlay", "axis", "background"))
            if around or child.tag in {f"{_SVG}{name}" for name in ("defs", "title", "desc")}:
                parent.remove(child)
    found = (each for each in svg.iter(f"{_SVG}g") if each.get("class") == "bar")
    for group, bar in zip(found, bars, strict=True):
        ET.SubElement(group, f"{_SVG}title").text = f"{bar.name}: {count(bar.visits, 'visit')}"
    return svg


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
