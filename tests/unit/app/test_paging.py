from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.app.paging import Part, check_limit, read_cursor, write_cursor
from guestpass.domain.errors import Invalid

MOMENTS = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(9998, 1, 1))  # noqa: DTZ001 -- hypothesis wants its bounds without a zone
WORDS = st.integers(-(2**63), 2**63 - 1)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))  # what a database keeps


@given(st.none() | MOMENTS, st.none() | WORDS, st.none() | TEXTS)
def test_a_place_comes_back_as_it_was_written(at: datetime | None, number: int | None, text: str | None) -> None:
    cursor = write_cursor("things", at, number, text)
    if len(cursor) <= 2000:
        assert read_cursor(cursor, "things", datetime, int, str) == (at, number, text)
        assert cursor.isascii()
        assert not set(cursor) & set("+/=&?#% ")


def written(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(parts)).encode()).decode().rstrip("=")


NUMBER: list[type[datetime | str | int]] = [int]


@pytest.mark.parametrize(
    ("cursor", "types"),
    [
        ("", NUMBER),
        ("%%%", NUMBER),
        ("é", NUMBER),
        ("\x00", NUMBER),
        ("AAAA", NUMBER),
        (written("other", 1), NUMBER),
        (written("things"), NUMBER),
        (written("things", 1, 2), NUMBER),
        (written("things", "1"), NUMBER),
        (written("things", 1.5), NUMBER),
        (written("things", True), NUMBER),
        (written("things", 2**63), NUMBER),
        (written("things", {"at": "2026-03-01T12:00:00+00:00"}), NUMBER),
        (written("things", 1), [str]),
        (written("things", "\ud800"), [str]),
        (written("things", "2026-03-01T12:00:00+00:00"), [datetime]),
        (written("things", {"at": "2026-03-01T12:00:00"}), [datetime]),
        (written("things", {"at": "yesterday"}), [datetime]),
        (written("things", {"at": None}), [datetime]),
        (written("things", {}), [datetime]),
        (written("things", {"at": "0001-01-01T00:00:00+23:59"}), [datetime]),
        (written("things", "x" * 5000), [str]),
        (base64.urlsafe_b64encode(b"[" * 900).decode(), NUMBER),
        (base64.urlsafe_b64encode(b'{"things": 1}').decode(), NUMBER),
        (base64.urlsafe_b64encode(b"\xff\xfe").decode(), NUMBER),
    ],
)
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str, types: list[type[datetime | str | int]]) -> None:
    with pytest.raises(Invalid) as caught:
        read_cursor(cursor, "things", *types)
    assert [error.field for error in caught.value.errors] == ["cursor"]


def test_a_time_comes_back_in_utc() -> None:
    at = datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=5)))
    place: tuple[Part, ...] = read_cursor(write_cursor("things", at), "things", datetime)
    assert place == (at,)
    assert isinstance(place[0], datetime)
    assert place[0].tzinfo is UTC


@pytest.mark.parametrize("limit", [1, 50, 500])
def test_a_page_may_be_so_long(limit: int) -> None:
    check_limit(limit)


@pytest.mark.parametrize("limit", [-1, 0, 501])
def test_a_page_may_not_be_so_long(limit: int) -> None:
    with pytest.raises(Invalid, match="limit: must be from 1 to 500"):
        check_limit(limit)
