"""How a request goes to an Odoo: in turn, over a connection that may be stale, and to the bus alone as a socket."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.exchanges import DEFLATE, GET, HANDSHAKE, OK, SWITCHED, ask, body_of, deliver, odoo, status_of
from tests.unit.gateway.playbook import LINK_ID, PASS, request


async def test_one_who_has_no_turn_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        first = await ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        assert book.upstreams == [first]
        await deliver(book, first, OK)
        assert b"GET /second " in first.written
        first.deliver(OK)
        await book.settle()
        assert body_of(other.written) == b"ok"


@pytest.mark.parametrize("how", ["the client leaves", "the upstream leaves", "the link ends"])
async def test_a_turn_ends_with_its_request_however_that_ends(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        first = await ask(book)
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
    async with odoo(monkeypatch, at_once=1) as book:
        first = await ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        other.break_off()
        await book.settle()
        first.take()
        await deliver(book, first, OK)
        assert b"GET /second " not in first.written
        assert await ask(book) is first


async def test_a_turn_that_does_not_come_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        await ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        await book.after(59.9)
        assert other.written == b""
        await book.after(60.1)
        assert status_of(other.written) == 503
        assert b'"code": "too_busy"' in other.written
        assert not other.lost


async def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        await ask(book)
        waiting = [book.connect() for _ in range(101)]
        for each in waiting:
            each.deliver(GET)
        await book.settle()
        assert [status_of(each.written) for each in waiting if each.written] == [503]
        for each in waiting:
            each.break_off()


async def test_one_whose_link_has_ended_meanwhile_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        first = await ask(book)
        other = book.connect()
        other.deliver(request(b"GET /second HTTP/1.1"))
        await book.settle()
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        entry.link = replace(entry.link, deactivated_at=playbook.NOW)
        await deliver(book, first, OK)
        assert b"GET /second " not in first.written
        assert b'"code": "link_deactivated"' in other.written


async def test_a_response_that_does_not_begin_in_time_is_504(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book)
        await book.after(719.9)
        assert book.client.written == b""
        await book.after(720.1)
        assert status_of(book.client.written) == 504
        assert upstream.aborted


async def test_a_stale_connection_is_tried_again_with_its_body_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        stale = await ask(book)
        await deliver(book, stale, OK)
        stale.take()
        await ask(book)
        asked = stale.take()
        stale.deliver_end()
        await book.settle()
        assert book.upstreams[-1].written == asked
        assert status_of(await deliver(book, book.upstreams[-1], OK)) == 200


async def test_no_other_address_of_an_odoo_opens_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, request(b"GET /odoo HTTP/1.1", *HANDSHAKE, DEFLATE))
        assert b"Upgrade" not in upstream.written
        assert PASS not in upstream.written
        assert status_of(await deliver(book, upstream, SWITCHED + b"\r\n")) == 502
