"""A bus socket, from the request for it to its end."""

from __future__ import annotations

import pytest
from tests.unit.gateway.exchanges import DEFLATE, HANDSHAKE, HELLO, SWITCHED, ask, body_of, deliver, odoo, status_of
from tests.unit.gateway.playbook import Playbook, Wire, request

from guestpass.gateway.lifecycle import SWEEP_SECONDS


async def _bus(book: Playbook) -> Wire:
    upstream = await ask(book, request(b"GET /websocket HTTP/1.1", *HANDSHAKE, DEFLATE))
    assert b"Sec-WebSocket-Extensions" not in upstream.take()
    assert status_of(await deliver(book, upstream, SWITCHED + b"\r\n")) == 101
    return upstream


async def test_a_bus_socket_passes_on_what_is_said_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await _bus(book)
        await deliver(book, book.client, HELLO)
        assert upstream.take() == HELLO
        assert await deliver(book, upstream, b"\x81\x02ho") == b"\x81\x02ho"
        book.end_link()


async def test_an_extension_that_was_not_offered_must_not_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, request(b"GET /websocket HTTP/1.1", *HANDSHAKE, DEFLATE))
        said = await deliver(book, upstream, SWITCHED + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        assert status_of(said) == 502


@pytest.mark.parametrize("how", ["the link ends", "nothing is said", "the worker ends"])
async def test_a_bus_socket_is_closed_in_order(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async with odoo(monkeypatch) as book:
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
        # Whoever does not answer the Close is cut within a second: limits are looked at twice in each.
        await book.after(1.0 - SWEEP_SECONDS)
        assert book.client.aborted


async def test_a_bus_socket_in_the_middle_of_a_message_is_cut_with_its_link(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await _bus(book)
        await deliver(book, upstream, b"\x81\x08un")
        book.end_link()
        await book.settle()
        assert book.client.written == b""
        assert book.client.aborted
        assert upstream.aborted


async def test_a_request_for_the_bus_that_is_refused_is_answered_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, request(b"GET /websocket HTTP/1.1", *HANDSHAKE, DEFLATE))
        said = await deliver(book, upstream, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
        assert status_of(said) == 400
        assert body_of(said) == b"no"
