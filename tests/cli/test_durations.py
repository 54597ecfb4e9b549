from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from guestpass.cli.durations import duration, until


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        (" 24h ", timedelta(hours=24)),
        ("2w", timedelta(days=14)),
        ("2 weeks", timedelta(days=14)),
        ("1.5 weeks", timedelta(days=10.5)),
        ("1 week 2 days", timedelta(days=9)),
        ("3 Days", timedelta(days=3)),
        ("1 day and 12 hours", timedelta(days=1, hours=12)),
        ("90 min", timedelta(minutes=90)),
        ("1 hour, 5 minutes", timedelta(hours=1, minutes=5)),
        ("45 secs", timedelta(seconds=45)),
    ],
)
def test_a_duration_is_read_as_it_is_said(text: str, expected: timedelta) -> None:
    assert duration(text) == expected
    assert until(text).lifetime == expected


@pytest.mark.parametrize(
    "text", ["", " ", "7", "d", "soon", "7 parsecs", "7d later", "-1d", "1..5h", "1.2.3 days", "2026-03"]
)
def test_what_could_mean_anything_is_not_guessed(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="7d"):
        duration(text)
    with pytest.raises(typer.BadParameter, match="2026-03-31"):
        until(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-31", datetime(2026, 4, 1, tzinfo=UTC)),
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-03-31 18:00", datetime(2026, 3, 31, 18, tzinfo=UTC)),
        ("2026-03-31T18:00:30Z", datetime(2026, 3, 31, 18, 0, 30, tzinfo=UTC)),
        ("2026-03-31T18:00+02:00", datetime(2026, 3, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_day_lasts_to_its_end_and_a_time_is_utc_unless_it_says_otherwise(text: str, expected: datetime) -> None:
    assert until(text).moment == expected


@pytest.mark.parametrize("text", ["2026-02-30", "9999-12-31", "2026-03-31T25:00"])
def test_a_day_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        until(text)


def test_a_duration_longer_than_anybody_means_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="36500d"):
        duration("6000 weeks")
