from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from guestpass.domain.visit import AddressDetail, Visitor, shown_address

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def visitor(**given: datetime) -> Visitor:
    return Visitor("link", "anna", 1, NOON, NOON, 1, **given)  # type: ignore[arg-type]


def test_a_visitor_is_there_for_a_minute_after_the_last_sign_of_life() -> None:
    assert visitor().is_live(NOON)
    assert visitor().is_live(NOON + timedelta(seconds=60))
    assert not visitor().is_live(NOON + timedelta(seconds=60) + TICK)
    # A worker's clock may be a little ahead.
    assert visitor().is_live(NOON - timedelta(seconds=1))


def test_who_was_sent_away_is_not_there() -> None:
    assert not visitor(ended_at=NOON).is_live(NOON)


@pytest.mark.parametrize(
    ("address", "shortened"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.255", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::1", "::/48"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        # What was shortened before stays as it is.
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8:1::/48", "2001:db8:1::/48"),
        # Nobody knows what it says, so nothing of it is told.
        ("unknown", None),
        ("", None),
        ("unix:", None),
    ],
)
def test_a_shortened_address_is_the_network(address: str, shortened: str | None) -> None:
    assert shown_address(address, AddressDetail.SHORTENED) == shortened


def test_other_settings_show_all_or_nothing() -> None:
    assert shown_address("192.0.2.7", AddressDetail.FULL) == "192.0.2.7"
    assert shown_address("192.0.2.7", AddressDetail.NONE) is None
    assert [shown_address(None, detail) for detail in AddressDetail] == [None, None, None]
