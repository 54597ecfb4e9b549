from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from guestpass.app.link_records import LinkRecords, Span, VisitCount
from guestpass.domain.access import Principal
from guestpass.web.dashboard.pages import _environment
from guestpass.web.dashboard.visits_chart import Bar, Period, axes_of, read_bars

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


class Counted:
    """Records of a link that was made so long ago, with one visit in each span."""

    def __init__(self, age: timedelta) -> None:
        self._age = age

    async def visits(self, _who: Principal, _environment: str, _link: str, span: Span) -> list[VisitCount]:
        step = timedelta(hours=1) if span is Span.HOUR else timedelta(days=1)
        last = NOW if span is Span.HOUR else NOW.replace(hour=0)
        return [VisitCount(last - step * back, 1) for back in reversed(range(self._age // step + 1))]


async def bars_of(age: timedelta, period: Period) -> list[Bar]:
    return await read_bars(cast("LinkRecords", Counted(age)), Principal("olga"), "shop", "abc", period)


def draw(bars: list[Bar]) -> str:
    return _environment.get_template("visits_chart.html").render(bars=bars, axes=axes_of(bars))


@pytest.mark.parametrize(("period", "number"), [(Period.DAY, 24), (Period.MONTH, 30), (Period.YEAR, 12)])
async def test_a_young_link_has_the_same_width_as_an_old_one(period: Period, number: int) -> None:
    young, old = await bars_of(timedelta(hours=1), period), await bars_of(timedelta(days=900), period)
    assert len(young) == len(old) == number
    assert [bar.name for bar in young] == [bar.name for bar in old]
    assert sum(bar.visits for bar in young) in {1, 2}


async def test_months_are_counted_over_a_new_year() -> None:
    bars = await bars_of(timedelta(days=50), Period.YEAR)
    assert [(bar.label, bar.visits) for bar in bars[-3:]] == [("Nov", 5), ("Dec", 31), ("Jan", 15)]
    assert (bars[0].name, bars[-1].name) == ("February 2025", "January 2026")


async def test_days_and_hours_have_their_names() -> None:
    assert (await bars_of(timedelta(0), Period.MONTH))[-1].name == "15 Jan 2026"
    assert (await bars_of(timedelta(0), Period.DAY))[-1].name == "15 Jan, 09:00"


@pytest.mark.parametrize("numbers", [[0, 0, 0], [1, 0, 2], [5, 900, 37]])
def test_bars_are_as_high_as_what_they_count(numbers: list[int]) -> None:
    bars = [Bar(f"{number}", f"<day> {index}", number) for index, number in enumerate(numbers)]
    marks, picture = axes_of(bars).marks, draw(bars)
    heights = [float(found) for found in re.findall(r'<rect[^>]* height="([0-9.]+)"', picture)]
    assert len(heights) == len(numbers)
    for height, number in zip(heights, numbers, strict=True):
        assert height / max(*heights, 1) == pytest.approx(number / max(*numbers, 1), abs=0.01)
    assert marks[-1] == 0
    assert max(numbers) <= marks[0] <= max(1, 2 * max(numbers))
    assert list(marks) == sorted(set(marks), reverse=True)
    assert "&lt;day&gt; 0" in picture


def test_the_picture_keeps_to_the_pages_policy_and_is_the_same_each_time() -> None:
    bars = [Bar("a", "a", 1), Bar("b", "b", 2)]
    picture = draw(bars)
    assert picture == draw(bars)
    for refused in ("style", "script", "xlink", "<text", " id="):
        assert refused not in picture
