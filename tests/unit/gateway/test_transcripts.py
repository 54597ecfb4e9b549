"""Whole conversations as bytes in and bytes out, read by a second parser on both sides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gateway.playbook import HOST, PASS, Playbook, Wire, playing, request

DATE = b"Date: Sun, 01 Mar 2026 12:00:00 GMT\r\n"
LAST_CHUNK = b"0\r\n\r\n"
BROKEN_OFF = b"(broken off)"
Fields = tuple[tuple[bytes, bytes], ...]
Read = tuple[int, Fields, bytes]
"""Status, fields and body of an answer."""
NO_FIELDS: Fields = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, what the environment answers to it, and what each side must have read at the end.

    `answer` is None where the gateway answers by itself; with `ends_upstream` the environment closes behind it.
    """

    sent: bytes
    method: bytes
    target: bytes
    body: bytes
    answer: bytes | None
    status: int
    answer_body: bytes | None = None
    ends_upstream: bool = False


@dataclass(slots=True)
class Transcript:
    """What a second parser read on each side, and how the client's connection ended."""

    requests: list[tuple[bytes, bytes, Fields, bytes]] = field(default_factory=list)
    answers: list[Read] = field(default_factory=list)
    ending: str = "open"


class Environment:
    """Reads what reaches one wire with h11, and answers each whole request with the next answer, piece by piece."""

    def __init__(self, wire: Wire, turns: Iterator[Turn], cuts: Cuts, transcript: Transcript) -> None:
        self._wire = wire
        self._turns = turns
        self._cuts = cuts
        self._transcript = transcript
        self._parser = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""
        self._answer: list[bytes] = []
        self._ends = False

    def step(self) -> bool:
        """Read what came, send one piece; whether anything happened."""
        happened = self._read()
        if self._answer:
            self._wire.deliver(self._answer.pop(0))
            happened = True
        elif self._ends:
            self._ends = False
            self._wire.deliver_end()
            happened = True
        return happened

    def _read(self) -> bool:
        data = self._wire.take()
        if data:
            self._parser.receive_data(data)
        happened = bool(data)
        while self._parser.their_state not in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
            event = self._parser.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                break
            happened = True
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert not event.headers, "trailers must not arrive"
                self._begin_answer()
        return happened

    def _begin_answer(self) -> None:
        request = self._request
        assert request is not None
        self._transcript.requests.append((request.method, request.target, tuple(request.headers), self._body))
        turn = next(self._turns)
        assert turn.answer is not None
        self._answer = self._cuts.apply(turn.answer)
        self._ends = turn.ends_upstream
        self._parser.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
        self._parser.send(h11.EndOfMessage())
        self._parser.start_next_cycle()


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where bytes are cut and how many turns of the loop lie between pieces; `None` cuts nothing."""

    at: tuple[int, ...] | None
    ticks: int = 1

    def apply(self, data: bytes) -> list[bytes]:
        if self.at is None:
            return [data]
        places = sorted({0, len(data), *(position % len(data) for position in self.at)})
        return [data[start:end] for start, end in pairwise(places)]


def play(turns: list[Turn], cuts: Cuts) -> Transcript:
    return asyncio.run(_play(turns, cuts))


async def _play(turns: list[Turn], cuts: Cuts) -> Transcript:
    transcript = Transcript()
    async with playing() as book:
        pieces = cuts.apply(b"".join(turn.sent for turn in turns))
        forwarded = iter([turn for turn in turns if turn.answer is not None])
        environments: list[Environment] = []
        idle = 0
        while idle < 3:
            happened = False
            if pieces and not book.client.lost:
                book.client.deliver(pieces.pop(0))
                happened = True
            await book.settle(cuts.ticks)
            new = book.upstreams[len(environments) :]
            environments += [Environment(wire, forwarded, cuts, transcript) for wire in new]
            for environment in environments:
                happened = environment.step() or happened
            if happened:
                idle = 0
            else:
                await book.settle()
                idle += 1
        _read_answers(book, turns, transcript)
    return transcript


def _read_answers(book: Playbook, turns: list[Turn], transcript: Transcript) -> None:
    client = book.client
    if client.aborted:
        transcript.ending = "aborted"
    elif client.lost or client.finished_writing:
        transcript.ending = "closed"
    parser = h11.Connection(h11.CLIENT)
    parser.receive_data(client.written)
    if transcript.ending != "open":
        parser.receive_data(b"")
    for turn in turns:
        parser.send(h11.Request(method=turn.method, target=b"/", headers=[(b"Host", HOST)]))
        parser.send(h11.EndOfMessage())
        transcript.answers += _read_answer(parser)
        if parser.their_state is not h11.DONE:
            return
        parser.start_next_cycle()


def _read_answer(parser: h11.Connection) -> Iterator[Read]:
    """The next answer with the interim ones before it; one whose body is `BROKEN_OFF` did not come whole."""
    status, fields, body = 0, NO_FIELDS, b""
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            yield status, NO_FIELDS, BROKEN_OFF
            return
        if isinstance(event, h11.InformationalResponse):
            yield event.status_code, tuple(event.headers), b""
        elif isinstance(event, h11.Response):
            status, fields = event.status_code, tuple(pair for pair in event.headers if pair[0] != b"date")
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
    if isinstance(event, h11.EndOfMessage) and (b"content-type", b"application/problem+json") in fields:
        yield (
            status,
            tuple(pair for pair in fields if pair[0] != b"content-length"),
            _problem_code(body) if body else body,
        )
    elif isinstance(event, h11.EndOfMessage):
        yield status, fields, body


def _problem_code(body: bytes) -> bytes:
    """What is the same each time in a problem of the gateway's own: neither the request id nor the wording is."""
    code: str = json.loads(body)["code"]
    return code.encode()


# Requests and answers to make conversations of


def _chunked(body: bytes, *, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    raw = b""
    for start in range(0, len(body), 7):
        piece = body[start : start + 7]
        raw += b"%x%b\r\n%b\r\n" % (len(piece), extension, piece)
    return raw + b"0\r\n" + trailers + b"\r\n"


_BODIES = st.binary(max_size=60)


@st.composite
def _forwarded(draw: st.DrawFn) -> Turn:
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PROPFIND"]))
    target = draw(st.sampled_from([b"/", b"/a/b?c=d", b"//x", b"/%C3%A9;p"]))
    body, fields = b"", []
    raw_body = b""
    framing = draw(st.sampled_from(["none", "counted", "chunked"]))
    if framing != "none":
        body = draw(_BODIES)
    if framing == "counted":
        fields, raw_body = [b"Content-Length: %d" % len(body)], body
    elif framing == "chunked":
        fields = [b"Transfer-Encoding: chunked"]
        raw_body = _chunked(body, extension=draw(st.sampled_from([b"", b";a=b"])), trailers=b"X-Sum: 1\r\n")
    before = draw(st.sampled_from([b"", b"\r\n"]))
    sent = before + request(b"%b %b HTTP/1.1" % (method, target), *fields, body=raw_body)
    answer, status, answer_body, ends = draw(_answers(method))
    return Turn(sent, method, target, body, answer, status, answer_body, ends)


@st.composite
def _answers(draw: st.DrawFn, method: bytes) -> tuple[bytes, int, bytes, bool]:
    body = draw(_BODIES)
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]))
    kind = draw(st.sampled_from(["counted", "chunked", "until close", "204", "304", "HTTP/1.0"]))
    if kind == "204":
        return interim + b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n", 204, b"", False
    if kind == "304":
        return interim + b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n' + DATE + b"\r\n", 304, b"", False
    sent = b"" if method == b"HEAD" else body
    if kind == "chunked":
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + b"\r\n"
        raw = b"" if method == b"HEAD" else _chunked(body, extension=b";x", trailers=b"X-Sum: 1\r\n")
        return interim + head + raw, 200, sent, False
    if kind == "until close":
        return interim + b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\n" + sent, 200, sent, True
    line = b"HTTP/1.0 200 OK\r\n" if kind == "HTTP/1.0" else b"HTTP/1.1 200 OK\r\n"
    head = line + b"Content-Length: %d\r\n" % len(body) + DATE + b"\r\n"
    return interim + head + sent, 200, sent, kind == "HTTP/1.0"


def _own(sent: bytes, status: int) -> Turn:
    return Turn(sent, sent.strip().split(b" ")[0], b"/", b"", None, status)


_OWN = st.sampled_from(
    [
        _own(request(b"GET /share/gp_nothing HTTP/1.1"), 404),
        _own(request(b"DELETE /x HTTP/1.1", b"Origin: http://evil.example"), 403),
        _own(b"GET / HTTP/1.1\r\nHost: other.example\r\nCookie: " + PASS + b"\r\n\r\n", 421),
    ]
)
_REFUSED = st.sampled_from(
    [
        # Who has no pass is told once.
        _own(b"GET /x HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n", 401),
        _own(b"HEAD /x HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n", 401),
        _own(request(b"GET /a#b HTTP/1.1"), 400),
        _own(request(b"GET / HTTP/2.0"), 505),
        _own(request(b"GET / HTTP/1.1", b"X : y"), 400),
        _own(request(b"GET / HTTP/1.1").replace(b"\r\n", b"\n"), 400),
        _own(request(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked", body=LAST_CHUNK), 400),
        _own(request(b"POST / HTTP/1.1", b"Content-Length: 2000", body=b"x" * 2000), 413),
        _own(b"\r\n\r\n" + request(b"GET / HTTP/1.1"), 400),
        _own(request(b"GET /" + b"x" * 70_000 + b" HTTP/1.1"), 414),
        _own(request(b"GET / HTTP/1.1", b"X: " + b"y" * 70_000), 431),
    ]
)
_TURNS = st.lists(st.one_of(_forwarded(), _forwarded(), _OWN), min_size=1, max_size=5)
_CUTS = st.builds(Cuts, st.lists(st.integers(0, 100_000), max_size=25).map(tuple), st.sampled_from([1, 1, 2, 5]))


@settings(deadline=None, max_examples=150)
@given(_TURNS, st.none() | _REFUSED, _CUTS)
def test_pipelined_requests_are_answered_alike_however_the_bytes_are_cut(
    turns: list[Turn], last: Turn | None, cuts: Cuts
) -> None:
    turns = [*turns, last] if last is not None else turns
    whole = play(turns, Cuts(None))
    # What each side must have read, from the turns themselves.
    forwarded = [turn for turn in turns if turn.answer is not None]
    assert [(method, target, body) for method, target, _, body in whole.requests] == [
        (turn.method, turn.target, turn.body) for turn in forwarded
    ]
    finals = [answer for answer in whole.answers if answer[0] >= 200]
    assert [status for status, _, _ in finals] == [turn.status for turn in turns]
    for turn, (_, _, body) in zip(turns, finals, strict=True):
        assert turn.answer_body in (None, body)
    assert whole.ending == ("open" if last is None else "closed")
    # And however it is cut, it is the same.
    assert play(turns, cuts) == whole


@settings(deadline=None, max_examples=40)
@given(_forwarded())
def test_byte_by_byte_is_no_exception(turn: Turn) -> None:
    longest = max(len(turn.sent), len(turn.answer or b""))
    assert play([turn, turn], Cuts(tuple(range(2 * longest)))) == play([turn, turn], Cuts(None))


async def test_a_look_up_that_never_ends_is_no_connection_for_ever() -> None:
    async with playing() as book:
        [connection] = book.gateway.lifecycle.connections
        connection.wait()
        await book.after(299)
        assert not book.client.aborted
        await book.after(301)
        assert book.client.aborted


async def test_the_answer_to_head_that_names_no_length_leaves_no_connection_to_the_next_request() -> None:
    """The answer to GET would end with its connection, and so may this one."""
    async with playing() as book:
        book.client.deliver(request(b"HEAD / HTTP/1.1"))
        await book.settle()
        book.upstreams[0].deliver(b"HTTP/1.1 200 OK\r\n\r\n")
        await book.settle()
        book.client.deliver(request(b"POST / HTTP/1.1", b"Content-Length: 1", body=b"x"))
        await book.settle()
        assert book.upstreams[0].lost
        assert book.upstreams[1].written.endswith(b"x")


BROKEN_ANSWERS = st.sampled_from(
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502),
        (b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n", 502),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 502),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 11, 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nX: y", 502),
    ]
)


@settings(deadline=None, max_examples=60)
@given(BROKEN_ANSWERS, _CUTS)
def test_a_broken_answer_is_502_however_it_is_cut(broken: tuple[bytes, int], cuts: Cuts) -> None:
    answer, status = broken
    turn = Turn(request(b"GET / HTTP/1.1"), b"GET", b"/", b"", answer, status, ends_upstream=True)
    cut = play([turn], cuts)
    assert cut.answers[-1][0] == status
    assert cut.ending == "open"
    assert cut == play([turn], Cuts(None))


HALF_ANSWERS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n" + DATE + b"\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + b"\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + b"\r\n5\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + b"\r\n4\r\nhalf\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + b"\r\n4\r\nhalf\r\nxyz\r\n",
    ]
)


@settings(deadline=None, max_examples=60)
@given(HALF_ANSWERS, _CUTS)
def test_half_an_answer_aborts_the_connection_however_it_is_cut(answer: bytes, cuts: Cuts) -> None:
    turn = Turn(request(b"GET / HTTP/1.1"), b"GET", b"/", b"", answer, 200, ends_upstream=True)
    cut = play([turn], cuts)
    assert cut.ending == "aborted"
    assert cut.answers == [(200, NO_FIELDS, BROKEN_OFF)]


# Time limits


async def _asked(book: Playbook, *fields: bytes, line: bytes = b"GET / HTTP/1.1", body: bytes = b"") -> Wire:
    book.client.deliver(request(line, *fields, body=body))
    await book.settle()
    [upstream] = book.upstreams
    return upstream


def _ended(wire: Wire) -> bool:
    return wire.lost


def _status(wire: Wire) -> int:
    return int(wire.written[9:12])


async def test_a_connection_that_asks_nothing_is_closed_after_ten_seconds() -> None:
    async with playing() as book:
        await book.after(9.9)
        assert not _ended(book.client)
        await book.after(10.1)
        assert _ended(book.client)
        assert book.client.written == b""


async def test_a_head_that_is_not_whole_after_ten_seconds_is_408() -> None:
    async with playing() as book:
        book.client.deliver(request(b"GET / HTTP/1.1")[:-1])
        await book.after(9.9)
        assert book.client.written == b""
        await book.after(10.1)
        assert _status(book.client) == 408
        assert book.client.finished_writing


async def test_a_kept_connection_is_closed_after_75_idle_seconds() -> None:
    async with playing() as book:
        upstream = await _asked(book)
        upstream.deliver(b"HTTP/1.1 204 No Content\r\n\r\n")
        await book.settle()
        assert _status(book.client) == 204
        book.client.take()
        await book.after(74.9)
        assert not _ended(book.client)
        await book.after(75.1)
        assert _ended(book.client)
        assert book.client.written == b""


async def test_an_answer_that_does_not_begin_in_time_is_504() -> None:
    async with playing() as book:
        upstream = await _asked(book)
        await book.after(719.9)
        assert book.client.written == b""
        await book.after(720.1)
        assert _status(book.client) == 504
        assert _ended(upstream)


async def test_an_answer_that_has_begun_may_take_its_time() -> None:
    async with playing() as book:
        upstream = await _asked(book)
        upstream.deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        await book.after(100_000)
        upstream.deliver(b"lf")
        await book.settle()
        assert book.client.written.endswith(b"\r\n\r\nhalf")


async def test_an_upstream_that_speaks_before_anybody_could_ask_is_502() -> None:
    async with playing() as book:
        book.network_greets(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        book.client.deliver(request(b"GET / HTTP/1.1"))
        await book.settle()
        assert _status(book.client) == 502
        assert [wire.written for wire in book.upstreams] == [b""]


async def test_a_body_that_stops_for_75_seconds_is_408() -> None:
    async with playing() as book:
        upstream = await _asked(book, b"Content-Length: 10", line=b"POST / HTTP/1.1", body=b"half")
        await book.after(74.9)
        assert book.client.written == b""
        await book.after(75.1)
        assert _status(book.client) == 408
        assert upstream.aborted


HANDSHAKE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@pytest.mark.parametrize("talker", ["visitor", "environment"])
async def test_a_websocket_is_closed_after_90_silent_seconds_and_not_while_either_side_talks(talker: str) -> None:
    async with playing() as book:
        upstream = await _asked(book, *HANDSHAKE)
        upstream.deliver(SWITCHED)
        await book.settle()
        assert _status(book.client) == 101
        await book.after(89.9)
        assert not _ended(book.client)
        (book.client if talker == "visitor" else upstream).deliver(b"\x89\x00")
        await book.after(89.9)
        assert not _ended(book.client)
        await book.after(90.1)
        assert _ended(book.client)
        assert _ended(upstream)


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=1, max_size=50), st.binary(min_size=1, max_size=50), _CUTS)
def test_a_websocket_changes_no_byte_however_it_is_cut(up: bytes, down: bytes, cuts: Cuts) -> None:
    async def run() -> None:
        async with playing() as book:
            for piece in cuts.apply(request(b"GET / HTTP/1.1", *HANDSHAKE) + up):
                book.client.deliver(piece)
                await book.settle(cuts.ticks)
            await book.settle()
            [upstream] = book.upstreams
            assert upstream.take().endswith(b"\r\n\r\n"), "nothing may arrive before the 101"
            for piece in cuts.apply(SWITCHED + down):
                upstream.deliver(piece)
                await book.settle(cuts.ticks)
            await book.settle()
            assert upstream.take() == up
            head, _, rest = book.client.take().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert rest == down

    asyncio.run(run())


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        (b"", b"", b""),
        (b"\x81\x02hi", b"", b""),
        (b"\x81\x08un", b"finish\x81\x04more", b"finish"),
        (b"\x01\x03one", b"\x89\x00\x80\x03two\x81\x04more", b"\x89\x00\x80\x03two"),
        (b"\x81", b"\x02hi\x81\x04more", b"\x02hi"),
        # Compressed by permessage-deflate (RFC 7692), which sets the first reserved bit.
        (b"\xc1\x04\xca\xc8", b"\x04\x00\xc1\x01x", b"\x04\x00"),
    ],
)
async def test_a_websocket_is_told_to_go_away_where_no_message_is_under_way(
    before: bytes, after: bytes, passed: bytes
) -> None:
    async with playing() as book:
        upstream = await _asked(book, *HANDSHAKE)
        upstream.deliver(SWITCHED + before)
        await book.settle()
        book.client.take()
        for connection in tuple(book.gateway.lifecycle.connections):
            connection.go_away()
        upstream.deliver(after)
        await book.settle()
        said = book.client.take()
        assert said.startswith(passed + b"\x88")
        close = said[len(passed) :]
        assert (close[1], close[2:4]) == (len(close) - 2, (1001).to_bytes(2))
        assert _ended(upstream)
        await book.after(1)
        assert _ended(book.client)


# Who waits for whom


async def test_an_unreachable_environment_is_502_and_the_connection_lives_on() -> None:
    async with playing() as book:
        book.network_is_down()
        for _ in range(2):
            book.client.deliver(request(b"GET / HTTP/1.1"))
            await book.settle()
            assert _status(book.client) == 502
            book.client.take()
        assert not _ended(book.client)


async def test_a_client_that_leaves_while_its_environment_is_being_connected_leaves_nothing_behind() -> None:
    async with playing() as book:
        book.client.deliver(request(b"GET / HTTP/1.1"))
        book.client.break_off()
        await book.settle()
        assert all(wire.lost and wire.written == b"" for wire in book.upstreams)


async def test_a_kept_connection_is_never_given_to_two_visitors_at_once() -> None:
    async with playing() as book:
        upstream = await _asked(book)
        other = book.connect()
        other.deliver(request(b"GET /other HTTP/1.1"))
        await book.settle()
        assert len(book.upstreams) == 2
        upstream.deliver(b"HTTP/1.1 204 No Content\r\n\r\n")
        book.client.take()
        book.client.deliver(request(b"GET /again HTTP/1.1"))
        await book.settle()
        assert len(book.upstreams) == 2
        assert b"GET /again " in upstream.written


async def test_a_flood_of_pipelined_bytes_is_not_read_while_an_answer_is_awaited() -> None:
    async with playing() as book:
        upstream = await _asked(book)
        flood = request(b"GET /next HTTP/1.1")
        sent = 0
        while not book.client.is_paused:
            book.client.deliver(flood)
            sent += len(flood)
            assert sent < 1_000_000
        upstream.deliver(b"HTTP/1.1 204 No Content\r\n\r\n")
        await book.settle()
        assert upstream.written.count(b"GET /next ") == 1


@pytest.mark.parametrize("slow", [True, False])
async def test_an_answer_that_waits_for_a_slow_reader_is_broken_off_when_its_link_ends(*, slow: bool) -> None:
    async with playing() as book:
        upstream = await _asked(book)
        book.client.takes_nothing = slow
        upstream.deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70_000)
        upstream.deliver(b"x" * 30_000)
        await book.settle()
        book.end_link()
        await book.settle()
        assert book.client.aborted is slow


@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_a_client_that_says_no_more_while_its_answer_is_made_gets_it(whose: str) -> None:
    async with playing() as book:
        if whose == "ours":
            book.client.deliver(b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
        else:
            (await _asked(book)).deliver(b"HTTP/1.1 204 No Content\r\n\r\n")
        # As TLS does it, where the request and the client's close may come in one piece.
        book.client.deliver_end()
        await book.settle()
        assert _status(book.client) == (421 if whose == "ours" else 204)
        assert book.client.lost


async def test_an_upstream_that_says_no_more_gets_what_was_on_its_way() -> None:
    async with playing() as book:
        upstream = await _asked(book, b"Content-Length: 10", line=b"POST / HTTP/1.1", body=b"half")
        upstream.take()
        book.client.deliver(b"-whole")
        upstream.deliver_end()
        await book.settle()
        assert upstream.written == b"-whole"
