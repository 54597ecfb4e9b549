"""Heads are found in whatever pieces they arrive, and what can't become one is refused at once."""

from __future__ import annotations

import pytest

from guestpass.wire.failures import Failure
from guestpass.wire.heads import MAX_HEAD, MAX_TARGET, RefusedHeadError, read_request_head
from guestpass.wire.request_buffer import OversizedHeadError, RequestBuffer

HEAD = b"GET /a HTTP/1.1\r\nHost: share.example.com\r\n\r\n"
NEXT = b"POST /b HTTP/1.1\r\nHost: share.example.com\r\nContent-Length: 2\r\n\r\n"


def buffer_of(*pieces: bytes) -> RequestBuffer:
    buffer = RequestBuffer()
    for piece in pieces:
        buffer.add(piece)
    return buffer


def test_a_head_is_taken_out_and_what_follows_it_stays() -> None:
    buffer = buffer_of(HEAD + NEXT + b"ok")
    assert (buffer.next_head(), buffer.next_head()) == (HEAD, NEXT)
    assert buffer.data[buffer.start :] == b"ok"
    buffer.add(b"more")
    assert buffer.data[buffer.start :] == b"okmore"


def test_nothing_is_left_of_a_head_that_came_alone() -> None:
    buffer = buffer_of(HEAD)
    assert buffer.next_head() == HEAD
    assert (buffer.data, buffer.start) == (b"", 0)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_a_head_in_pieces_is_found_with_the_last_one(size: int) -> None:
    buffer = RequestBuffer()
    for at in range(0, len(HEAD), size):
        assert at == 0 or buffer.next_head() is None
        buffer.add(HEAD[at : at + size])
    assert buffer.next_head() == HEAD


def test_one_empty_line_before_a_request_is_forgiven() -> None:
    assert buffer_of(b"\r\n" + HEAD).next_head() == HEAD
    second = buffer_of(b"\r\n\r\n" + HEAD).next_head()
    assert second is not None
    with pytest.raises(RefusedHeadError):
        read_request_head(second)


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"GET / HTTP/1.1\nHost: a", b"GET /\rx", b" GET / HTTP/1.1\r\n"])
def test_what_can_not_become_a_head_is_refused_before_it_is_complete(data: bytes) -> None:
    with pytest.raises(RefusedHeadError) as refused:
        buffer_of(data).next_head()
    assert refused.value.reason is Failure.BAD_REQUEST


def test_a_carriage_return_at_the_end_may_be_half_of_a_line_end() -> None:
    for data in (b"\r", b"GET / HTTP/1.1\r"):
        assert buffer_of(data).next_head() is None


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["incomplete", "complete"])
@pytest.mark.parametrize(
    ("beginning", "reason"),
    [
        (b"GET /" + b"a" * MAX_TARGET * 2, Failure.TARGET_TOO_LONG),
        (b"GET / HTTP/1.1\r\nX: ", Failure.HEAD_TOO_LARGE),
    ],
)
def test_a_head_that_is_too_large_says_what_of_it_is_and_how_it_began(
    beginning: bytes, reason: Failure, end: bytes
) -> None:
    data = beginning + b"a" * MAX_HEAD + end
    with pytest.raises(OversizedHeadError) as refused:
        buffer_of(data).next_head()
    assert (refused.value.reason, refused.value.beginning) == (reason, data[:MAX_HEAD])
