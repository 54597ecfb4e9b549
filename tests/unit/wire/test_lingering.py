"""How long a connection is read that is about to close."""

from __future__ import annotations

from guestpass.wire.lingering import Lingering


def test_it_ends_two_seconds_after_the_last_byte_and_after_thirty_in_all() -> None:
    lingering = Lingering(100.0, None)
    assert [lingering.deadline(now) for now in (100.0, 101.5, 127.9, 129.0, 140.0)] == [102.0, 103.5, 129.9, 130, 130]
    assert not lingering.is_hurried


def test_in_a_hurry_it_ends_when_that_is_over() -> None:
    lingering = Lingering(100.0, 0.5)
    assert (lingering.deadline(100.0), lingering.deadline(100.4)) == (100.5, 100.5)
    assert lingering.is_hurried


def test_so_many_bytes_are_read_and_no_more() -> None:
    lingering = Lingering(100.0, None)
    assert lingering.takes(64 * 1024 * 1024)
    assert not lingering.takes(1)
