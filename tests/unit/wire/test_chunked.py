"""Chunked bodies: the same payload however the bytes arrive, and no leniency."""

from __future__ import annotations

from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.wire.chunked import LAST_CHUNK, MAX_LINE, MAX_TRAILERS, BrokenChunkError, ChunkedDecoder, frame
from guestpass.wire.run_queue import UNITS_A_STEP


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The data in pieces, cut at positions that may lie anywhere."""
    places = sorted({0, len(data), *(position % (len(data) + 1) for position in at)})
    return [data[start:end] for start, end in pairwise(places)]


def decode(pieces: list[bytes]) -> tuple[bytes, bool, bytes]:
    """The payload, whether the body was complete, and what lay behind it."""
    decoder = ChunkedDecoder()
    payload = b""
    for number, piece in enumerate(pieces):
        at = 0
        while at < len(piece):
            payload += b"".join(decoder.feed(piece, at))
            at = decoder.position
            if decoder.done:
                return payload, True, piece[at:] + b"".join(pieces[number + 1 :])
    return payload, False, b""


EXTENSIONS = st.sampled_from([b"", b";x", b";x=y", b';x="a;b\\"c\xe9"', b";a;b=1;c"])
TRAILERS = st.sampled_from([b"", b"X-Sum: 1\r\n", b"X:\r\nY: \t\xe9 \r\n", b"Connection: close\r\nUpgrade: x\r\n"])


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A chunked body as it may be written, and its payload."""
    raw, payload = b"", b""
    for chunk in draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6)):
        size = b"%x" % len(chunk)
        if draw(st.booleans()):
            size = b"000" + size.upper()
        raw += size + draw(EXTENSIONS) + b"\r\n" + chunk + b"\r\n"
        payload += chunk
    return raw + b"0" * draw(st.integers(1, 3)) + draw(EXTENSIONS) + b"\r\n" + draw(TRAILERS) + b"\r\n", payload


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(bodies(), st.binary(max_size=10), CUTS)
def test_the_payload_is_the_same_however_the_bytes_are_cut(
    body: tuple[bytes, bytes], rest: bytes, at: list[int]
) -> None:
    raw, payload = body
    assert decode([raw + rest]) == (payload, True, rest)
    assert decode(cut(raw + rest, at)) == (payload, True, rest)


@given(bodies())
def test_byte_by_byte_is_no_exception(body: tuple[bytes, bytes]) -> None:
    raw, payload = body
    assert decode([raw[position : position + 1] for position in range(len(raw))]) == (payload, True, b"")


@given(bodies(), st.data())
def test_a_body_that_is_cut_short_is_never_complete(body: tuple[bytes, bytes], data: st.DataObject) -> None:
    raw, payload = body
    shorter = raw[: data.draw(st.integers(0, len(raw) - 1))]
    found, complete, _ = decode([shorter])
    assert not complete
    assert payload.startswith(found)


@given(st.lists(st.binary(max_size=30), max_size=6), CUTS)
def test_what_is_framed_is_decoded_to_the_same_by_us_and_by_llhttp(writes: list[bytes], at: list[int]) -> None:
    raw = b"".join(map(frame, writes)) + LAST_CHUNK
    payload = b"".join(writes)
    assert decode(cut(raw, at)) == (payload, True, b"")
    assert _read_by_llhttp(raw) == (payload, True)


@given(st.binary(max_size=60), CUTS)
def test_any_bytes_mean_the_same_however_they_are_cut(data: bytes, at: list[int]) -> None:
    assert _outcome([data]) == _outcome(cut(data, at))


_LINES = [b"0\r\n\r\n", b"3\r\nabc\r\n", b"Host: x\r\n", b"Content-Length: 3\r\n"]
_WORDS = [
    b"0",
    b"3",
    b"a",
    b"x",
    b"abc",
    b"\r\n",
    b"\r",
    b"\n",
    b";",
    b"=",
    b'"',
    b" ",
    b"\t",
    b":",
    b"\x00",
    b"\xe9",
    b"+",
    b"0x",
]
_PARTS = st.sampled_from([*_LINES, *_WORDS])


@given(st.lists(_PARTS, max_size=25).map(b"".join), CUTS)
def test_what_we_accept_llhttp_accepts_as_the_same_payload(data: bytes, at: list[int]) -> None:
    whole = _outcome([data])
    assert whole == _outcome(cut(data, at))
    if whole is not None and whole[1]:
        payload, _, rest = whole
        body = data[: len(data) - len(rest)]
        assert _read_by_llhttp(body) == (payload, True)


def _outcome(pieces: list[bytes]) -> tuple[bytes, bool, bytes] | None:
    """What `decode` finds, None where it refuses or is still waiting for what can't come right any more."""
    try:
        found = decode(pieces)
    except BrokenChunkError:
        return None
    # A line without its end may be refused now or later, depending on how the bytes were cut.
    return found if found[1] else None


def _read_by_llhttp(raw: bytes) -> tuple[bytes, bool]:
    class Events:
        def __init__(self) -> None:
            self.payload = b""
            self.complete = False

        def on_body(self, data: bytes) -> None:
            self.payload += data

        def on_message_complete(self) -> None:
            self.complete = True

    events = Events()
    parser = httptools.HttpRequestParser(events)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + raw)
    return events.payload, events.complete


@pytest.mark.parametrize(
    "raw",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\r0\r\n\r\n",
        b"3\rabc\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"3\t;x\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3_0\r\nabc\r\n0\r\n\r\n",
        b"3,3\r\nabc\r\n0\r\n\r\n",
        b"g\r\nabc\r\n0\r\n\r\n",
        b"10000000000000000\r\nabc",
        b"ffffffffffffffffffff\r\nabc",
        b"3;\r\nabc\r\n0\r\n\r\n",
        b"3; a\r\nabc\r\n0\r\n\r\n",
        b"3;a=\r\nabc\r\n0\r\n\r\n",
        b"3;a b\r\nabc\r\n0\r\n\r\n",
        b'3;a="b\r\nabc\r\n0\r\n\r\n',
        b"3;a\x00\r\nabc\r\n0\r\n\r\n",
        b"3;a\x7f\r\nabc\r\n0\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n X: y\r\n\r\n",
        b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\r\nX: a\x00\r\n\r\n",
        b"0\r\nX: a\rb\r\n\r\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\n: y\r\n\r\n",
        b"0\r\nContent-Length: 3\r\n\r\n",
        b"0\r\ntransfer-encoding: chunked\r\n\r\n",
        b"0\r\nHOST: evil\r\n\r\n",
        b"0\n\n",
        b"0\r\n\n",
    ],
)
def test_what_breaks_the_grammar_is_refused(raw: bytes) -> None:
    with pytest.raises(BrokenChunkError):
        decode([raw])
    with pytest.raises(BrokenChunkError):
        decode([raw[position : position + 1] for position in range(len(raw))])


def test_an_endless_size_line_is_refused_before_it_ends() -> None:
    with pytest.raises(BrokenChunkError):
        decode([b"0"] * (MAX_LINE + 1))


def test_an_endless_extension_is_refused_before_it_ends() -> None:
    with pytest.raises(BrokenChunkError):
        ChunkedDecoder().feed(b"3;x=" + b"y" * MAX_LINE)


def test_endless_trailers_are_refused_before_they_end() -> None:
    trailer = b"X: " + b"y" * 995 + b"\r\n"
    with pytest.raises(BrokenChunkError):
        decode([b"0\r\n", *[trailer] * (MAX_TRAILERS // len(trailer) + 1)])


def test_no_bytes_are_no_chunk() -> None:
    assert frame(b"") == b""


def test_a_payload_is_one_chunk() -> None:
    assert frame(b"abcdefghijklmnopq") == b"11\r\nabcdefghijklmnopq\r\n"


def test_a_step_stops_after_so_many_chunks_and_goes_on_from_there() -> None:
    decoder, raw = ChunkedDecoder(), b"1\r\nx\r\n" * 1000 + LAST_CHUNK
    steps, at = [], 0
    while not decoder.done:
        steps.append(b"".join(decoder.feed(raw, at)))
        at = decoder.position
    assert b"".join(steps) == b"x" * 1000
    assert max(map(len, steps)) <= UNITS_A_STEP + 1  # A chunk whose end is in the next step
    assert at == len(raw)
