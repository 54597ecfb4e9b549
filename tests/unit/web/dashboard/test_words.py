from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.web.dashboard import words

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=59, seconds=59), "59 minutes"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=29), "29 days"),
        (timedelta(days=31), "1 month"),
        (timedelta(days=800), "2 years"),
    ],
)
def test_a_duration_is_said_in_its_largest_unit(duration: timedelta, text: str) -> None:
    assert words.span(duration) == text


def test_times_are_said_from_now() -> None:
    assert words.ago(NOW - timedelta(seconds=30), NOW) == "just now"
    assert words.ago(NOW + timedelta(seconds=30), NOW) == "just now"
    assert words.ago(NOW - timedelta(hours=3), NOW) == "3 hours ago"
    assert words.left(NOW + timedelta(days=6, hours=5), NOW) == "6 days left"
    assert words.left(NOW, NOW) == "over"


@pytest.mark.parametrize(
    ("chosen", "at_once", "later", "then"),
    [
        (timedelta(days=7), "7 days left", timedelta(hours=2), "6 days left"),
        (timedelta(days=30), "30 days left", timedelta(hours=2), "29 days left"),
        (timedelta(days=90), "3 months left", timedelta(days=31), "59 days left"),
        (timedelta(hours=24), "1 day left", timedelta(hours=2), "22 hours left"),
        (timedelta(hours=3), "3 hours left", timedelta(minutes=5), "2 hours left"),
        (timedelta(minutes=1), "1 minute left", timedelta(seconds=10), "less than a minute left"),
    ],
)
def test_what_was_just_chosen_is_what_is_left(chosen: timedelta, at_once: str, later: timedelta, then: str) -> None:
    assert words.left(NOW + chosen, NOW + timedelta(seconds=2)) == at_once
    assert words.left(NOW + chosen, NOW + later) == then


def test_times_are_in_utc_whatever_zone_they_came_in() -> None:
    at = datetime(2026, 3, 4, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert words.moment(at) == "2026-03-05 04:30 UTC"
    assert words.iso(at) == "2026-03-05T04:30:00Z"


@given(st.integers(min_value=1, max_value=2**50))
def test_a_size_is_read_as_it_is_written(number: int) -> None:
    assert words.parse_size(words.size(number)) == number


@pytest.mark.parametrize(
    ("text", "number"), [("256 MiB", 268_435_456), ("256MiB", 268_435_456), (" 2 GiB ", 2_147_483_648), ("17", 17)]
)
def test_sizes_are_read_as_people_write_them(text: str, number: int) -> None:
    assert words.parse_size(text) == number


@pytest.mark.parametrize("text", ["", "lots", "-1", "1.5 GiB", "5 MB", "٣ MiB", "MiB", "1" * 17])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 256 MiB"):
        words.parse_size(text)
