from __future__ import annotations

import pytest
from tests.unit.gateway.requests import request

from guestpass.wire.chunked import BrokenChunkError
from guestpass.wire.request_body import SLOWEST_BODY, RequestBody

PATIENCE = 75.0


def counted(length: int) -> RequestBody:
    return RequestBody(request("POST /", f"Content-Length: {length}"), 0.0)


def chunked() -> RequestBody:
    return RequestBody(request("POST /", "Transfer-Encoding: chunked"), 0.0)


def test_a_counted_body_ends_where_its_length_says() -> None:
    body = counted(5)
    assert body.read(b"-abc", 1) == b"abc"
    assert (body.position, body.is_done) == (4, False)
    assert body.read(b"deNEXT", 0) == b"de"
    assert (body.position, body.is_done) == (2, True)
    assert body.framed(b"de") == b"de"


def test_a_chunked_body_is_one_chunk_a_piece_and_the_last_one_ends_it() -> None:
    body = chunked()
    payload = body.read(b"1\r\na\r\n2;x=y\r\nbc\r\n", 0)
    assert (payload, body.size, body.is_done) == (b"abc", 3, False)
    assert body.framed(payload) == b"3\r\nabc\r\n"
    payload = body.read(b"1\r\nd\r\n0\r\nX: trailer\r\n\r\nNEXT", 0)
    assert (payload, body.is_done) == (b"d", True)
    assert body.framed(payload) == b"1\r\nd\r\n0\r\n\r\n"
    assert body.position == len(b"1\r\nd\r\n0\r\nX: trailer\r\n\r\n")


def test_nothing_is_sent_for_half_a_size_line() -> None:
    body = chunked()
    assert body.framed(body.read(b"1", 0)) == b""


def test_a_broken_chunk_is_said_to_be_one() -> None:
    with pytest.raises(BrokenChunkError):
        chunked().read(b"zz\r\n", 0)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_each_byte_wins_time_but_no_piece_may_take_longer_than_a_client_may(*, is_chunked: bool) -> None:
    body = chunked() if is_chunked else counted(10 * SLOWEST_BODY)
    assert body.seconds(PATIENCE, 0.0) == PATIENCE
    assert body.seconds(PATIENCE, 70.0) == 5.0
    data = b"x" * 5 * SLOWEST_BODY
    body.read(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data, 0)
    assert body.seconds(PATIENCE, 70.0) == 10.0
    assert body.seconds(PATIENCE, 2.0) == PATIENCE


def test_the_time_in_which_the_upstream_takes_nothing_is_not_the_clients() -> None:
    body = counted(10)
    body.hold(70.0)
    assert body.is_held
    body.release(170.0)
    assert (body.is_held, body.seconds(PATIENCE, 171.0)) == (False, 4.0)
