"""Times as RFC 3339 has them, with its own examples, and nothing that it hasn't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from guestpass.domain.moments import parse_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # RFC 3339, section 5.8.
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520000, UTC)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57, tzinfo=UTC)),
        ("1990-12-31T23:59:60Z", datetime(1991, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870000, UTC)),
        # Section 5.6: both letters may be small; section 4.3: nobody knows the zone.
        ("2026-03-04t18:00:00z", datetime(2026, 3, 4, 18, tzinfo=UTC)),
        ("2026-03-04T18:00:00-00:00", datetime(2026, 3, 4, 18, tzinfo=UTC)),
        ("2026-03-04T18:00:00.1234567899Z", datetime(2026, 3, 4, 18, 0, 0, 123456, UTC)),
        ("2026-03-04T18:00:60.9+01:00", datetime(2026, 3, 4, 18, 1, tzinfo=timezone(timedelta(hours=1)))),
    ],
)
def test_a_time_of_rfc_3339_is_read(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-04",
        "2026-03-04T18:00Z",
        "2026-03-04T18:00:00",
        "2026-03-04T18:00:00+01",
        "2026-03-04T18:00:00+0100",
        "2026-03-04T18:00:00,5Z",
        "2026-03-04T18:00:00.Z",
        "2026-03-04 18:00:00Z",
        "2026-03-04x18:00:00Z",
        "20260304T180000Z",
        "2026-W10-3T18:00:00Z",
        "2026-063T18:00:00Z",
        "2026-02-29T18:00:00Z",
        "2026-03-04T24:00:00Z",
        "2026-03-04T18:00:61Z",
        "2026-03-04T18:00:00+24:00",
        "9999-12-31T23:59:60Z",
        "٢٠٢٦-03-04T18:00:00Z",
        "2026-03-04T18:00:00Z\n",
    ],
)
def test_what_it_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 2026-03-04T18:00:00Z"):
        parse_moment(text)
