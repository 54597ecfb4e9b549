from __future__ import annotations

import random

import pytest

from guestpass.odoo.signed_in.session_mask import SessionMask

ID = b"AbC" * 14 + b"-dEf0" * 8 + b"zz"


@pytest.mark.parametrize("size", [1, 2, 7, 41, 42, 43, 83, 84, 1000])
def test_an_id_is_found_wherever_it_is_cut(size: int) -> None:
    page = b"<p>" + ID + b"|" + ID[:42] + b"|" + ID[42:] + b"AbCAb</p>" + ID + ID[:41]
    mask = SessionMask([ID])
    told = b"".join(mask.feed(page[at : at + size]) for at in range(0, len(page), size)) + mask.finish()
    assert len(told) == len(page)
    assert ID[:42] not in told
    assert ID[42:] not in told
    assert told == page.replace(ID[:42], b"x" * 42).replace(ID[42:], b"x" * 42)


def test_both_ids_of_a_session_that_moves_are_taken_out() -> None:
    after = ID[:42] + b"n" * 42
    mask = SessionMask([ID, after])
    assert mask.feed(b"%b %b." % (ID, after)) == b"x" * 84 + b" " + b"x" * 84 + b"."


def test_other_bytes_go_on_at_once() -> None:
    mask = SessionMask([ID])
    assert mask.feed(b"data: event\n\n") == b"data: event\n\n"
    assert mask.feed(b"A") == b""
    assert mask.feed(b"bout") == b"About"
    assert mask.finish() == b""


def test_random_pieces_mean_the_same() -> None:
    chance = random.Random(7)
    page = bytes(chance.choice(b"AbC-dEf0z") for _ in range(3000)) + ID + b"tail"
    expected = page.replace(ID[:42], b"x" * 42).replace(ID[42:], b"x" * 42)
    for _ in range(50):
        mask, at, told = SessionMask([ID]), 0, b""
        while at < len(page):
            step = chance.randint(1, 200)
            told += mask.feed(page[at : at + step])
            at += step
        assert told + mask.finish() == expected
