"""Responses as they arrive: the same meaning however the bytes are cut, and the framing of RFC 9112, section 6.3."""

from __future__ import annotations

from dataclasses import dataclass

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.wire.test_chunked import CUTS, bodies, cut

from guestpass.wire.heads import MAX_HEAD, MAX_INTERIM
from guestpass.wire.response_reader import CHUNKED, COUNTED, NO_BODY, UNTIL_CLOSE, BrokenResponseError, ResponseReader
from guestpass.wire.run_queue import UNITS_A_STEP

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@dataclass(frozen=True)
class Outcome:
    """What a reader made of a connection's bytes, or how it said that they are none of a response."""

    interim: tuple[int, ...] = ()
    status: int | None = None
    body: bytes = b""
    is_complete: bool = False
    is_reusable: bool = False
    error: str | None = None


def read(pieces: list[bytes], method: bytes = b"GET", *, ends: bool = False) -> Outcome:
    """Feed the pieces; `ends` says whether the connection ends behind them."""
    reader = ResponseReader(method)
    interim: list[int] = []
    body = b""
    error = None
    try:
        for piece in pieces:
            data = piece
            if reader.head is None:
                head = reader.next_head(data)
                while head is not None and head.status < 200 and head.status != 101:
                    interim.append(head.status)
                    head = reader.next_head(b"")
                if head is None:
                    continue
                data = reader.rest
            body += reader.read_body(data)
            while reader.position < len(data) and not reader.is_complete:
                body += reader.read_body(data, reader.position)
        if ends:
            reader.end()
    except BrokenResponseError as broken:
        error = str(broken)
    status = None if reader.head is None else reader.head.status
    return Outcome(tuple(interim), status, body, reader.is_complete, reader.is_reusable and error is None, error)


def head(status: int, *fields: bytes) -> bytes:
    return b"HTTP/1.1 %d Any\r\n%b\r\n" % (status, b"".join(field + b"\r\n" for field in fields))


COUNTED_5 = b"Content-Length: 5"
IN_CHUNKS = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("method", "answer", "framing", "body", "is_reusable"),
    [
        (b"GET", head(200, COUNTED_5) + b"hello", COUNTED, b"hello", True),
        (b"GET", head(200, b"Content-Length: 0"), COUNTED, b"", True),
        (b"GET", head(404, COUNTED_5, b"Connection: close") + b"hello", COUNTED, b"hello", False),
        (b"GET", head(200, IN_CHUNKS) + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n", CHUNKED, b"hello", True),
        (b"GET", head(200, IN_CHUNKS) + b"0\r\n\r\n", CHUNKED, b"", True),
        # Rule 1: no body, whatever the fields say.
        (b"HEAD", head(200, COUNTED_5), NO_BODY, b"", True),
        (b"HEAD", head(200, IN_CHUNKS), NO_BODY, b"", True),
        (b"GET", head(204), NO_BODY, b"", True),
        (b"GET", head(304, COUNTED_5), NO_BODY, b"", True),
        (b"GET", head(304), NO_BODY, b"", True),
        (b"GET", head(101, b"Upgrade: websocket", b"Connection: upgrade"), NO_BODY, b"", False),
        # A server that announces a body with a 204 may send it, and one that announces none to HEAD may close.
        (b"GET", head(204, COUNTED_5), NO_BODY, b"", False),
        (b"GET", head(204, IN_CHUNKS), NO_BODY, b"", False),
        (b"HEAD", head(200), NO_BODY, b"", False),
        (b"HEAD", head(304), NO_BODY, b"", True),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_where_a_body_ends(
    method: bytes, answer: bytes, framing: int, body: bytes, size: int, *, is_reusable: bool
) -> None:
    reader = ResponseReader(method)
    assert reader.next_head(answer) is not None
    assert reader.framing == framing
    outcome = read([answer[at : at + size] for at in range(0, len(answer), size)], method)
    assert (outcome.body, outcome.is_complete, outcome.is_reusable) == (body, True, is_reusable)


def test_a_body_without_any_framing_ends_with_the_connection() -> None:
    answer = head(200) + b"hello"
    reader = ResponseReader(b"GET")
    reader.next_head(answer)
    assert reader.framing == UNTIL_CLOSE
    assert read([answer]) == Outcome(status=200, body=b"hello")
    assert read([answer], ends=True) == Outcome(status=200, body=b"hello", is_complete=True)
    assert read([b"HTTP/1.0 200 OK\r\n\r\n", b"hel", b"lo"], ends=True).body == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        INTERIM,
        head(200, COUNTED_5) + b"hell",
        head(200, IN_CHUNKS) + b"5\r\nhello\r\n",
        head(200, IN_CHUNKS) + b"5\r\nhello\r\n0\r\n",
    ],
)
def test_what_ends_too_early_is_not_complete(answer: bytes) -> None:
    outcome = read([answer], ends=True)
    assert not outcome.is_complete
    assert outcome.error == "it closed the connection before its answer was complete"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is refused"),
        (head(200, COUNTED_5, COUNTED_5) + b"hello", "more than one Content-Length"),
        (head(200, COUNTED_5, IN_CHUNKS) + b"hello", "its answer is refused"),
        (head(200, b"Content-Length: +5") + b"hello", "Content-Length"),
        (head(200, b"Transfer-Encoding: gzip") + b"hello", "other than chunked"),
        (head(200, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", "other than chunked"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "other than chunked"),
        (head(200, IN_CHUNKS) + b"5\r\nhello!\r\n", "a chunk is longer than it said"),
        (INTERIM * (MAX_INTERIM + 1) + head(200, COUNTED_5) + b"hello", "more than 10 interim answers"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_breaks_the_rules_is_refused(answer: bytes, why: str, size: int) -> None:
    outcome = read([answer[at : at + size] for at in range(0, len(answer), size)])
    assert why in (outcome.error or "")
    assert not outcome.is_complete


def test_interim_heads_are_given_one_by_one_or_passed_over() -> None:
    answer = INTERIM * MAX_INTERIM + head(200, COUNTED_5) + b"hello"
    assert read([answer]) == Outcome((103,) * MAX_INTERIM, 200, b"hello", is_complete=True, is_reusable=True)
    reader = ResponseReader(b"GET")
    assert reader.final_head(answer[:-50]) is None
    assert reader.final_head(answer[-50:]) is reader.head is not None
    assert (reader.head.status, reader.rest) == (200, b"hello")


@pytest.mark.parametrize(("size", "is_taken"), [(MAX_HEAD, True), (MAX_HEAD + 1, False)])
@pytest.mark.parametrize("before", [b"", INTERIM])
@pytest.mark.parametrize("cut_at", [None, -1, -2, -3, -4, -5])
def test_a_head_may_be_so_large_however_it_arrives(
    size: int, before: bytes, cut_at: int | None, *, is_taken: bool
) -> None:
    line = b"HTTP/1.1 204 Any\r\nX: "
    answer = before + line + b"y" * (size - len(line)) + b"\r\n\r\n"
    outcome = read([answer] if cut_at is None else [answer[:cut_at], answer[cut_at:]])
    assert outcome.error == (None if is_taken else f"its answer's head is larger than {MAX_HEAD} bytes")
    assert outcome.status == (204 if is_taken else None)


@pytest.mark.parametrize("answer", [head(200, COUNTED_5) + b"hello", head(204), head(200, IN_CHUNKS) + b"0\r\n\r\n"])
def test_a_connection_that_says_more_is_not_used_again(answer: bytes) -> None:
    assert read([answer]).is_reusable
    assert read([answer + b"HTTP/1.1"]) == read([answer, b"HTTP/1.1"])
    assert not read([answer + b"H"]).is_reusable


def test_a_step_reads_so_many_chunks() -> None:
    answer = head(200, IN_CHUNKS) + b"1\r\nx\r\n" * (3 * UNITS_A_STEP) + b"0\r\n\r\n"
    reader = ResponseReader(b"GET")
    reader.next_head(answer)
    assert reader.read_body(reader.rest) == b"x" * UNITS_A_STEP
    assert (reader.units, reader.position, reader.is_complete) == (2 * UNITS_A_STEP, 6 * UNITS_A_STEP, False)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A method, a response to it, and the payload."""
    before = INTERIM * draw(st.integers(0, 3))
    method = draw(st.sampled_from([b"GET", b"GET", b"GET", b"POST", b"HEAD"]))
    status = draw(st.sampled_from([200, 200, 204, 304, 404, 500]))
    kind = draw(st.sampled_from([COUNTED, CHUNKED, UNTIL_CLOSE]))
    if kind == CHUNKED:
        raw, payload = draw(bodies())
        fields = [IN_CHUNKS]
    else:
        raw = payload = draw(st.binary(max_size=60))
        fields = [b"Content-Length: %d" % len(raw)] if kind == COUNTED else []
    if method == b"HEAD" or status in (204, 304):
        return method, before + head(status, *fields), b""
    return method, before + head(status, *fields) + raw, payload


@given(responses(), st.binary(max_size=8), CUTS)
@example((b"GET", head(200, COUNTED_5) + b"hello", b"hello"), b"\r\n\r\n", [1])
def test_the_meaning_is_the_same_however_the_bytes_are_cut(
    response: tuple[bytes, bytes, bytes], behind: bytes, at: list[int]
) -> None:
    method, answer, payload = response
    whole = read([answer + behind], method, ends=True)
    assert read(cut(answer + behind, at), method, ends=True) == whole
    assert (whole.is_complete, whole.error) == (True, None)
    has_end = method == b"HEAD" or whole.status in (204, 304) or b"\r\nContent-Length" in answer or IN_CHUNKS in answer
    assert whole.body == (payload if has_end else payload + behind)


@given(st.binary(max_size=200), CUTS)
@example(b"HTTP/1.1 200 OK\r\n\r\n", [3])
@example(b"HTTP/1.1 200 OK\r\n" + IN_CHUNKS + b"\r\n\r\n5\r\nhello\r\nx", [40])
def test_noise_means_the_same_however_it_is_cut(noise: bytes, at: list[int]) -> None:
    for data in (noise, head(200) + noise, head(200, IN_CHUNKS) + noise, INTERIM + noise):
        whole, parts = read([data], ends=True), read(cut(data, at), ends=True)
        # What came before a fault may have been passed on already.
        if whole.error is None:
            assert parts == whole
        else:
            assert (parts.interim, parts.status, parts.is_complete) == (whole.interim, whole.status, False)
            assert parts.error is not None


@given(responses())
def test_h11_reads_the_same_body(response: tuple[bytes, bytes, bytes]) -> None:
    method, answer, _ = response
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "odoo")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(answer)
    connection.receive_data(b"")
    body, status = b"", 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.Response):
            status = event.status_code
    outcome = read([answer], method, ends=True)
    assert (outcome.status, outcome.body) == (status, body)
