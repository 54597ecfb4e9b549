"""What a stranger's bytes may cost: floods of what each reader reads, counted."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hostile.fuzz import effort
from tests.hostile.fuzz.effort import READERS, Reader, check_effort
from tests.hostile.fuzz.work import Pieces, operations


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=12, derandomize=True)
@given(seed=st.integers(0, 1 << 64))
def test_no_flood_makes_a_byte_cost_more_than_is_stated(name: str, seed: int) -> None:
    check_effort(Random(seed), name)


def _copies_its_backlog(pieces: list[bytes]) -> None:
    [data] = pieces
    while data:
        data = data[2:]


def _keeps_adding_to_what_it_holds(pieces: list[bytes]) -> None:
    held = b""
    for piece in pieces:
        held = held + piece


def _looks_through_everything_for_each_byte(pieces: list[bytes]) -> None:
    [data] = pieces
    for position in range(len(data)):
        data.count(b"x", position)


@pytest.mark.parametrize(
    "read", [_copies_its_backlog, _keeps_adding_to_what_it_holds, _looks_through_everything_for_each_byte]
)
def test_a_reader_whose_work_grows_with_the_square_would_be_found(
    read: effort.Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces = read is _keeps_adding_to_what_it_holds
    monkeypatch.setitem(READERS, "bad", lambda: Reader(read, (b"ab",), 60, a_piece=60, in_pieces=in_pieces))
    monkeypatch.setattr(effort, "cut", lambda _, data: [data[at : at + 2] for at in range(0, len(data), 2)])
    with pytest.raises(AssertionError, match=r"bad: [0-9]+ operations for"):
        check_effort(Random(0), "bad", 20_000)


def test_the_same_work_counts_the_same() -> None:
    data = Pieces(b"abc" * 100)
    assert operations(lambda: _copies_its_backlog([data])) == operations(lambda: _copies_its_backlog([data])) > 100
