from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.domain.durations import format_duration, parse_duration

UNITS = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("24h", timedelta(days=1)),
        ("168h", timedelta(days=7)),
        ("720h", timedelta(days=30)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5h", timedelta(minutes=30)),
        ("1.h", timedelta(hours=1)),
        ("90s", timedelta(seconds=90)),
        ("1d2h3m4s5ms6us", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5, microseconds=6)),
        ("6µs6μs", timedelta(microseconds=12)),
        ("1500ns", timedelta(microseconds=1)),
        ("604800000000000ns", timedelta(days=7)),
        ("1.000000000000s", timedelta(seconds=1)),
        ("0.1s", timedelta(microseconds=100_000)),
        ("0s", timedelta(0)),
        ("30m1h", timedelta(minutes=90)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_durations_as_go_writes_them_and_days(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        *("", "24", "h", "24 h", " 24h", "24h ", "24H", "-24h", "+24h", "1h-30m", "1e3h", "1.5.5h", "1,5h", "٣h", "1w"),
        *("tomorrow", "24h\n", "0x10s", "9" * 20 + "h", "∞h", "."),
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 24h, 7d or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36500.000000001d", "36500d1us", "999999999999d", "999999999999h" * 5_000])
def test_more_than_a_century_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 36500d"):
        parse_duration(text)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(sorted(UNITS))), min_size=1, max_size=12))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{count}{unit}" for count, unit in parts)
    assert parse_duration(text) == sum((count * UNITS[unit] for count, unit in parts), timedelta(0))


@given(st.integers(0, 36_500 * 86_400), st.integers(0, 999_999))
def test_what_is_written_is_read_as_the_same(seconds: int, microseconds: int) -> None:
    duration = min(timedelta(seconds=seconds, microseconds=microseconds), timedelta(36_500))
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(st.sampled_from("0123456789.nuµmshd -+e"), max_size=20) | st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert timedelta(0) <= duration <= timedelta(days=36_500)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(hours=8760), "365d"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(seconds=720), "12m"),
        (timedelta(days=1, seconds=1), "1d1s"),
        (timedelta(seconds=90, microseconds=500_000), "1m30.5s"),
        (timedelta(hours=1, microseconds=1), "1h0.000001s"),
    ],
)
def test_durations_are_written_short(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text
