"""A request to an Odoo and its response, without sockets: whole before Odoo sees it, in turn, and out at once."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import LINK_ID, PASS, Playbook, Wire, playing, request

from guestpass.domain.environment import Kind
from guestpass.odoo.fairness import intake, outflow
from guestpass.odoo.fairness.spool import Spool, SpoolRoom

GET = request(b"GET /odoo HTTP/1.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HANDSHAKE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Extensions: permessage-deflate",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)
HELLO = b"\x81\x82\x00\x00\x00\x00hi"
LARGE = b"x" * 3000


@asynccontextmanager
async def _odoo(monkeypatch: pytest.MonkeyPatch, *, at_once: int = 10) -> AsyncIterator[Playbook]:
    environment = replace(playbook._ENVIRONMENT, kind=Kind.ODOO, max_concurrent=at_once)
    monkeypatch.setattr(playbook, "_ENVIRONMENT", environment)
    async with playing() as book:
        yield book


def post(*fields: bytes, body: bytes = b"", line: bytes = b"POST /upload HTTP/1.1") -> bytes:
    return request(line, *fields, body=body)


async def _ask(book: Playbook, asked: bytes = GET, client: Wire | None = None) -> Wire:
    before = {id(wire): len(wire.written) for wire in book.upstreams}
    (client or book.client).deliver(asked)
    await book.settle()
    [upstream] = [wire for wire in book.upstreams if len(wire.written) > before.get(id(wire), 0)]
    return upstream


async def _say(book: Playbook, wire: Wire, *pieces: bytes) -> bytes:
    for piece in pieces:
        wire.deliver(piece)
        await book.settle()
    return book.client.take()


def _is_paused(wire: Wire) -> bool:
    return wire.is_paused


def _status(said: bytes) -> int:
    return int(said[9:12])


def _fields(said: bytes) -> list[bytes]:
    return said.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


def _body(said: bytes) -> bytes:
    return said.partition(b"\r\n\r\n")[2]


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        assert body[int(size, 16) :].startswith(b"\r\n")
        body = body[int(size, 16) + 2 :]
    return whole


# Whole before Odoo hears of it


@pytest.mark.parametrize(
    ("fields", "pieces"),
    [
        ((b"Content-Length: 6",), (b"abc", b"def")),
        ((b"Transfer-Encoding: chunked",), (b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n")),
    ],
    ids=["counted", "chunked"],
)
async def test_a_body_is_whole_before_odoo_is_connected(
    monkeypatch: pytest.MonkeyPatch, fields: tuple[bytes, ...], pieces: tuple[bytes, ...]
) -> None:
    async with _odoo(monkeypatch) as book:
        book.client.deliver(post(*fields, body=pieces[0]))
        await book.settle()
        assert book.upstreams == []
        book.client.deliver(pieces[1])
        await book.settle()
        [upstream] = book.upstreams
        assert upstream.written.endswith(b"\r\n\r\nabcdef")
        assert b"\r\nContent-Length: 6\r\n" in upstream.written
        assert b"Transfer-Encoding" not in upstream.written


async def test_who_waits_for_a_word_before_sending_gets_it_from_us(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        book.client.deliver(post(b"Content-Length: 2", b"Expect: 100-continue"))
        await book.settle()
        assert book.client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
        upstream = await _ask(book, b"hi")
        assert b"Expect" not in upstream.written
        assert _status(await _say(book, upstream, OK)) == 200


async def test_a_body_that_comes_too_slowly_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        book.client.deliver(post(b"Content-Length: 6", body=b"abc"))
        await book.settle()
        await book.after(74.9)
        assert book.client.written == b""
        await book.after(75.1)
        assert _status(book.client.written) == 408
        assert book.upstreams == []


async def test_a_client_that_leaves_before_its_body_is_whole_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        book.client.deliver(post(b"Content-Length: 6", body=b"abc"))
        await book.settle()
        book.client.break_off()
        await book.settle()
        assert book.upstreams == []


async def test_an_odoo_that_answers_before_it_has_the_whole_body_is_used_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, post(b"Content-Length: 2", body=b"hi"))
        said = await _say(book, upstream, OK)
        # All of it was sent, so this one is.
        assert _body(said) == b"ok"
        assert await _ask(book) is upstream


class _Counted(Spool):
    made = 0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        _Counted.made += 1


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> type[_Counted]:
    monkeypatch.setattr(intake, "Spool", _Counted)
    monkeypatch.setattr(outflow, "Spool", _Counted)
    _Counted.made = 0
    return _Counted


@pytest.mark.parametrize(
    ("fields", "came", "goes_on"),
    [
        ((b"Content-Length: 2",), b"hi", b"hi"),
        ((b"Transfer-Encoding: chunked",), b"2\r\nhi\r\n0\r\n\r\n", b"hi"),
        ((b"Transfer-Encoding: chunked",), b"0\r\n\r\n", b""),
    ],
    ids=["counted", "chunked", "empty"],
)
async def test_a_small_body_that_comes_in_one_piece_needs_no_spool(
    monkeypatch: pytest.MonkeyPatch,
    spools: type[_Counted],
    fields: tuple[bytes, ...],
    came: bytes,
    goes_on: bytes,
) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, post(*fields, body=came))
        assert b"\r\nContent-Length: %d\r\n" % len(goes_on) in upstream.written
        assert upstream.written.endswith(b"\r\n\r\n" + goes_on)
        assert _body(await _say(book, upstream, OK)) == b"ok"
        assert spools.made == 0


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[SpoolRoom]:
    """The one room of the playbook, once it plays."""
    made: list[SpoolRoom] = []

    def make(*given: Any, **named: Any) -> SpoolRoom:
        made.append(SpoolRoom(*given, **named))
        return made[-1]

    monkeypatch.setattr(playbook, "SpoolRoom", make)
    return made


async def test_a_body_that_waits_for_its_turn_counts_for_its_visitor(
    monkeypatch: pytest.MonkeyPatch, spools: type[_Counted], rooms: list[SpoolRoom]
) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        first = await _ask(book)
        other = book.connect()
        other.deliver(post(b"Content-Length: 2", body=b"hi"))
        await book.settle()
        assert (spools.made, rooms[0]._taken) == (1, 2)
        first.take()
        await _say(book, first, OK)
        sent = book.upstreams[-1].written
        assert b"POST /upload " in sent
        assert sent.endswith(b"\r\n\r\nhi")
        assert rooms[0]._taken == 0


async def test_a_body_that_must_wait_and_finds_no_room_is_503(
    monkeypatch: pytest.MonkeyPatch, rooms: list[SpoolRoom]
) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        first = await _ask(book)
        rooms[0]._total = 1
        other = book.connect()
        other.deliver(post(b"Content-Length: 2", body=b"hi"))
        await book.settle()
        assert _status(other.written) == 503
        first.take()
        await _say(book, first, OK)
        assert b"POST" not in first.written


async def test_a_longer_body_goes_into_the_spool(monkeypatch: pytest.MonkeyPatch, spools: type[_Counted]) -> None:
    async with _odoo(monkeypatch) as book:
        monkeypatch.setattr(intake, "SHORT", 1)
        upstream = await _ask(book, post(b"Content-Length: 2", body=b"hi"))
        assert upstream.written.endswith(b"\r\n\r\nhi")
        assert spools.made == 1


# Turns


async def test_one_who_has_no_turn_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        first = await _ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        assert book.upstreams == [first]
        await _say(book, first, OK)
        assert b"GET /second " in first.written
        first.deliver(OK)
        await book.settle()
        assert _body(other.written) == b"ok"


@pytest.mark.parametrize("how", ["the client leaves", "the upstream leaves", "the link ends"])
async def test_a_turn_ends_with_its_request_however_that_ends(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        first = await _ask(book)
        if how == "the client leaves":
            book.client.break_off()
        elif how == "the upstream leaves":
            first.deliver_end()
        else:
            book.end_link()
        await book.settle()
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        assert b"GET /second " in book.upstreams[-1].written


async def test_one_who_leaves_while_waiting_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        first = await _ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        other.break_off()
        await book.settle()
        first.take()
        await _say(book, first, OK)
        assert b"GET /second " not in first.written
        assert await _ask(book) is first


async def test_a_turn_that_does_not_come_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        await _ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        await book.after(59.9)
        assert other.written == b""
        await book.after(60.1)
        assert _status(other.written) == 503
        assert b'"code": "too_busy"' in other.written
        assert not other.lost


async def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        await _ask(book)
        waiting = [book.connect() for _ in range(101)]
        for each in waiting:
            each.deliver(GET)
        await book.settle()
        assert [_status(each.written) for each in waiting if each.written] == [503]
        for each in waiting:
            each.break_off()


async def test_one_whose_link_has_ended_meanwhile_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        first = await _ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        entry.link = replace(entry.link, deactivated_at=playbook.NOW)
        await _say(book, first, OK)
        assert b"GET /second " not in first.written
        assert b'"code": "link_deactivated"' in other.written


async def test_a_response_that_does_not_begin_in_time_is_504(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book)
        await book.after(719.9)
        assert book.client.written == b""
        await book.after(720.1)
        assert _status(book.client.written) == 504
        assert upstream.aborted


# The response goes out as fast as Odoo gives it


async def test_odoo_is_read_on_while_its_visitor_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch, at_once=1) as book:
        upstream = await _ask(book)
        await _say(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        book.client.protocol.pause_writing()
        assert not _is_paused(upstream)
        assert await _say(book, upstream, b"def", b"ghi") == b""
        # Odoo has said all, so another request has the turn, on the very connection.
        other = book.connect()
        assert await _ask(book, GET, other) is upstream
        book.client.protocol.resume_writing()
        await book.settle()
        assert book.client.take() == b"defghi"
        # The client's connection goes on.
        upstream.deliver(OK)
        await book.settle()
        upstream.take()
        assert await _ask(book) is upstream


async def test_what_waits_for_a_visitor_who_stops_again_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book)
        await _say(book, upstream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        book.client.protocol.pause_writing()
        await _say(book, upstream, b"1\r\nb\r\n")
        book.client.protocol.resume_writing()
        upstream.deliver(b"1\r\nc\r\n0\r\n\r\n")
        await book.settle()
        assert book.client.take() == b"1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"


async def test_a_response_that_breaks_off_while_it_waits_does_not_look_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book)
        await _say(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        book.client.protocol.pause_writing()
        await _say(book, upstream, b"def")
        upstream.deliver_end()
        await book.settle()
        assert book.client.aborted


async def test_a_visitor_who_leaves_while_a_response_waits_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book)
        await _say(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        book.client.protocol.pause_writing()
        await _say(book, upstream, b"defghi")
        book.client.break_off()
        await book.settle()
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        assert not entry.live


async def test_an_event_stream_waits_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book)
        await _say(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        book.client.protocol.pause_writing()
        assert _is_paused(upstream)
        book.client.protocol.resume_writing()
        assert not _is_paused(upstream)


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 3000", LARGE),
        (b"Transfer-Encoding: chunked", b"bb8\r\n" + LARGE + b"\r\n0\r\n\r\n"),
    ],
    ids=["counted", "chunked"],
)
async def test_a_response_that_can_be_is_compressed(
    monkeypatch: pytest.MonkeyPatch, framing: bytes, body: bytes
) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, request(b"GET /odoo HTTP/1.1", b"Accept-Encoding: gzip"))
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + framing + b"\r\n\r\n" + body
        said = await _say(book, upstream, answer[:100], answer[100:])
        assert b"Content-Encoding: gzip" in _fields(said)
        assert not any(field.startswith(b"Content-Length") for field in _fields(said))
        assert b"Transfer-Encoding: chunked" in _fields(said)
        assert gzip.decompress(_dechunked(_body(said))) == LARGE
        assert _body(said).endswith(b"0\r\n\r\n")
        assert not upstream.is_closing()


async def test_a_client_of_http_1_0_gets_a_compressed_response_up_to_the_connections_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As nginx asks by default, on behalf of a browser that takes gzip.
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, request(b"GET /odoo HTTP/1.0", b"Accept-Encoding: gzip"))
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n" + LARGE
        said = await _say(book, upstream, answer[:100], answer[100:])
        assert b"Content-Encoding: gzip" in _fields(said)
        assert b"Connection: close" in _fields(said)
        assert gzip.decompress(_body(said)) == LARGE
        assert book.client.lost


async def test_the_head_of_a_response_that_would_be_compressed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, request(b"HEAD /odoo HTTP/1.1", b"Accept-Encoding: gzip"))
        said = await _say(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n")
        assert b"Content-Encoding: gzip" in _fields(said)
        assert not any(field.lower().startswith((b"content-length", b"transfer-encoding")) for field in _fields(said))
        assert _body(said) == b""
        assert await _ask(book) is upstream


async def test_a_file_that_only_odoos_own_web_server_has_is_502(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book)
        said = await _say(
            book, upstream, b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /web/filestore/x\r\nContent-Length: 0\r\n\r\n"
        )
        assert _status(said) == 502
        assert b'"code": "accelerated_file"' in said
        assert upstream.aborted


async def test_a_stale_connection_is_tried_again_with_its_body_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        stale = await _ask(book)
        await _say(book, stale, OK)
        stale.take()
        await _ask(book)
        asked = stale.take()
        stale.deliver_end()
        await book.settle()
        assert book.upstreams[-1].written == asked
        assert _status(await _say(book, book.upstreams[-1], OK)) == 200


# The bus


async def _bus(book: Playbook) -> Wire:
    upstream = await _ask(book, request(b"GET /websocket HTTP/1.1", *HANDSHAKE))
    assert b"Sec-WebSocket-Extensions" not in upstream.take()
    assert _status(await _say(book, upstream, SWITCHED + b"\r\n")) == 101
    return upstream


async def test_a_bus_socket_passes_on_what_is_said_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _bus(book)
        await _say(book, book.client, HELLO)
        assert upstream.take() == HELLO
        assert await _say(book, upstream, b"\x81\x02ho") == b"\x81\x02ho"
        book.end_link()


async def test_an_extension_that_was_not_offered_must_not_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, request(b"GET /websocket HTTP/1.1", *HANDSHAKE))
        said = await _say(book, upstream, SWITCHED + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        assert _status(said) == 502


@pytest.mark.parametrize("how", ["the link ends", "nothing is said", "the worker ends"])
async def test_a_bus_socket_is_closed_in_order(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _bus(book)
        if how == "the link ends":
            book.end_link()
        elif how == "nothing is said":
            await book.after(90.1)
        else:
            for connection in tuple(book.gateway.lifecycle.connections):
                connection.go_away()
        await book.settle()
        assert book.client.written.startswith(b"\x88")
        assert book.client.written[2:4] == (1001).to_bytes(2)
        assert upstream.aborted
        assert not book.client.aborted


async def test_a_bus_socket_in_the_middle_of_a_message_is_cut_with_its_link(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _bus(book)
        await _say(book, upstream, b"\x81\x08un")
        book.end_link()
        await book.settle()
        assert book.client.written == b""
        assert book.client.aborted
        assert upstream.aborted


async def test_a_request_for_the_bus_that_is_refused_is_answered_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, request(b"GET /websocket HTTP/1.1", *HANDSHAKE))
        said = await _say(book, upstream, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
        assert _status(said) == 400
        assert _body(said) == b"no"


async def test_no_other_address_of_an_odoo_opens_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _odoo(monkeypatch) as book:
        upstream = await _ask(book, request(b"GET /odoo HTTP/1.1", *HANDSHAKE))
        assert b"Upgrade" not in upstream.written
        assert PASS not in upstream.written
        assert _status(await _say(book, upstream, SWITCHED + b"\r\n")) == 502
