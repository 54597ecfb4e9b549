"""A response is taken as fast as an Odoo gives it, and compressed."""

from __future__ import annotations

import gzip

import pytest
from tests.unit.gateway.exchanges import GET, LARGE, OK, ask, body_of, dechunked, deliver, fields_of, is_paused, odoo
from tests.unit.gateway.playbook import LINK_ID, request


async def test_odoo_is_read_on_while_its_visitor_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        book.client.protocol.pause_writing()
        assert not is_paused(upstream)
        assert await deliver(book, upstream, b"def", b"ghi") == b""
        # Odoo has said all, so another request has the turn, on the very connection.
        other = book.connect()
        assert await ask(book, GET, other) is upstream
        book.client.protocol.resume_writing()
        await book.settle()
        assert book.client.take() == b"defghi"
        # The client's connection goes on.
        upstream.deliver(OK)
        await book.settle()
        upstream.take()
        assert await ask(book) is upstream


async def test_what_waits_for_a_visitor_who_stops_again_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        book.client.protocol.pause_writing()
        await deliver(book, upstream, b"1\r\nb\r\n")
        book.client.protocol.resume_writing()
        upstream.deliver(b"1\r\nc\r\n0\r\n\r\n")
        await book.settle()
        assert book.client.take() == b"1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"


async def test_a_response_that_breaks_off_while_it_waits_does_not_look_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        book.client.protocol.pause_writing()
        await deliver(book, upstream, b"def")
        upstream.deliver_end()
        await book.settle()
        assert book.client.aborted


async def test_a_visitor_who_leaves_while_a_response_waits_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        book.client.protocol.pause_writing()
        await deliver(book, upstream, b"defghi")
        book.client.break_off()
        await book.settle()
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        assert not entry.live


async def test_an_event_stream_waits_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        book.client.protocol.pause_writing()
        assert is_paused(upstream)
        book.client.protocol.resume_writing()
        assert not is_paused(upstream)


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
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, request(b"GET /odoo HTTP/1.1", b"Accept-Encoding: gzip"))
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + framing + b"\r\n\r\n" + body
        said = await deliver(book, upstream, answer[:100], answer[100:])
        assert b"Content-Encoding: gzip" in fields_of(said)
        assert not any(field.startswith(b"Content-Length") for field in fields_of(said))
        assert b"Transfer-Encoding: chunked" in fields_of(said)
        assert gzip.decompress(dechunked(body_of(said))) == LARGE
        assert body_of(said).endswith(b"0\r\n\r\n")
        assert not upstream.is_closing()


async def test_a_client_of_http_1_0_gets_a_compressed_response_up_to_the_connections_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As nginx asks by default, on behalf of a browser that takes gzip.
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, request(b"GET /odoo HTTP/1.0", b"Accept-Encoding: gzip"))
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n" + LARGE
        said = await deliver(book, upstream, answer[:100], answer[100:])
        assert b"Content-Encoding: gzip" in fields_of(said)
        assert b"Connection: close" in fields_of(said)
        assert gzip.decompress(body_of(said)) == LARGE
        assert book.client.lost


async def test_the_head_of_a_response_that_would_be_compressed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, request(b"HEAD /odoo HTTP/1.1", b"Accept-Encoding: gzip"))
        said = await deliver(
            book, upstream, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n"
        )
        assert b"Content-Encoding: gzip" in fields_of(said)
        assert not any(field.lower().startswith((b"content-length", b"transfer-encoding")) for field in fields_of(said))
        assert body_of(said) == b""
        assert await ask(book) is upstream
