"""A bus socket, from the request for it to its end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.exchanges import DEFLATE, HANDSHAKE, HELLO, SWITCHED, ask, body_of, deliver, odoo, status_of
from tests.unit.gateway.playbook import NOW, Playbook, Wire, request

from guestpass.domain.link import Access
from guestpass.gateway.lifecycle import SWEEP_SECONDS
from guestpass.odoo.bus import bus_socket


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


def _frame(text: str, *, masked: bool = False) -> bytes:
    """A text frame (RFC 6455, section 5.2); a client's has a mask, here of zeros."""
    data = text.encode()
    length = bytes([len(data) | (0x80 if masked else 0)])
    if len(data) > 125:
        length = bytes([126 | (0x80 if masked else 0)]) + len(data).to_bytes(2)
    return b"\x81" + length + (bytes(4) if masked else b"") + data


def _subscription(last: int = 0) -> bytes:
    return _frame(json.dumps({"event_name": "subscribe", "data": {"channels": [], "last": last}}), masked=True)


def _notices(said: bytes) -> list[dict[str, Any]]:
    """The notifications in a frame that the visitor was sent."""
    assert said[:1] == b"\x81"
    parsed: list[dict[str, Any]] = json.loads(said[said.index(b"[") :])
    return parsed


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let warnings that are due soon come in the next turn."""
    monkeypatch.setattr(bus_socket, "_SOON", 0.0)
    monkeypatch.setattr(bus_socket, "_AGAIN", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_who_is_about_to_lose_the_link_is_warned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = replace(playbook._LINK, expires_at=NOW + timedelta(minutes=2))
    async with odoo(monkeypatch, link=soon) as book:
        upstream = await _bus(book)
        await book.settle(100)
        assert book.client.take() == b"", "without a number the client could not go on from ours"
        [notice] = _notices(await deliver(book, book.client, _subscription(last=7)))
        assert upstream.take() == _subscription(last=7)
        # From this number on its client asks the bus for what it has missed.
        assert notice["id"] == 7
        assert "expires in 2 minutes" in json.dumps(notice)
        await book.settle(100)
        assert book.client.take() == b""
        # What Odoo says afterwards arrives as it was said.
        later = _frame('[{"id": 8, "message": {"type": "x"}}]')
        assert await deliver(book, upstream, later) == later


@pytest.mark.usefixtures("at_once")
async def test_a_link_with_time_left_warns_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        await _bus(book)
        await deliver(book, book.client, _subscription(last=7))
        await book.settle(100)
        assert book.client.take() == b""


async def test_a_view_only_visitor_may_listen_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch, link=replace(playbook._LINK, access=Access.READ_ONLY)) as book:
        upstream = await _bus(book)
        await deliver(book, book.client, _subscription())
        passed = upstream.take()
        mask = passed[2:6] * len(passed)
        assert b'"subscribe"' in bytes(byte ^ key for byte, key in zip(passed[6:], mask, strict=False))
        await deliver(book, book.client, _frame('{"event_name": "update_presence", "data": {}}', masked=True))
        assert upstream.take() == b""
        # Not masked, as no client's are (RFC 6455, section 5.1); 1008 is a policy violation.
        said = await deliver(book, book.client, _frame('{"event_name": "subscribe", "data": {}}'))
        assert upstream.take() == b""
        assert said[:1] + said[2:4] == b"\x88" + (1008).to_bytes(2)
