"""How many connections there may be, which of them end first, and how a worker takes its leave of all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from structlog.testing import capture_logs
from tests.unit.gateway import playbook
from tests.unit.gateway.exchanges import HANDSHAKE, OK, SWITCHED, ask, deliver, status_of
from tests.unit.gateway.playbook import Playbook, Wire, playing, request

from guestpass.gateway import lifecycle
from guestpass.gateway.limits import LimitSettings
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.descriptors import NoDescriptorError

GET = request(b"GET / HTTP/1.1")


@asynccontextmanager
async def _sweeping(book: Playbook) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(book.gateway.lifecycle.sweep())
        yield
        task.cancel()


@asynccontextmanager
async def _draining(book: Playbook, *, is_stopping: bool = False) -> AsyncIterator[asyncio.Task[None]]:
    """The end of a worker, which is waited for; a minute at most."""
    stopping = asyncio.Event()
    if is_stopping:
        stopping.set()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(book.gateway.lifecycle.drain(60, stopping))
        await book.settle()
        yield task


async def _swept(book: Playbook) -> None:
    """Let the sweep come by once."""
    async with _sweeping(book):
        await book.settle()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two sweeps, or two looks at what is still under way."""
    monkeypatch.setattr(lifecycle, "SWEEP_SECONDS", 0)
    monkeypatch.setattr(lifecycle, "_LOOK_SECONDS", 0)


# How many


async def test_an_address_has_so_many_connections_and_one_more_when_one_ends() -> None:
    async with playing(LimitSettings(connections_per_address=2)) as book:
        second = book.connect()
        await book.settle()
        with capture_logs() as logged:
            third = book.connect()
            await book.settle()
        assert third.lost
        assert not book.client.lost
        assert [line["event"] for line in logged] == ["too_many_connections"]
        second.break_off()
        await book.settle()
        fourth = book.connect()
        await book.settle()
        assert not fourth.lost


async def test_where_all_are_taken_one_that_asks_nothing_makes_room() -> None:
    async with playing(LimitSettings(connections=2)) as book:
        busy = book.client
        await ask(book, GET)
        idle = book.connect()
        await book.settle()
        newcomer = book.connect()
        await book.settle()
        assert idle.lost
        assert not busy.lost
        assert not newcomer.lost


async def test_where_all_are_busy_a_newcomer_is_turned_away_and_the_operator_reads_what_to_raise() -> None:
    async with playing(LimitSettings(connections=1)) as book:
        upstream = await ask(book, GET)
        with capture_logs() as logged:
            newcomer = book.connect()
            await book.settle()
        assert newcomer.lost
        [line] = [each for each in logged if each["event"] == "connections_used_up"]
        assert "GUESTPASS_CONNECTIONS" in line["remedy"]
        assert status_of(await deliver(book, upstream, OK)) == 200


# TLS handshakes


def _arriving(book: Playbook) -> ClientConnection:
    return book.gateway.lifecycle.new_connection(book.handler)


async def _until(ended: asyncio.Event) -> None:
    await ended.wait()


async def _for_ever() -> None:
    await _until(asyncio.Event())


async def test_a_handshake_counts_as_a_connection_until_it_has_failed() -> None:
    async with playing(LimitSettings(connections_per_address=2)) as book:
        await book.settle()
        kept = book.gateway.lifecycle
        first, second, failed = _arriving(book), _arriving(book), asyncio.Event()
        assert kept.lets_shake_hands(first, "203.0.113.9", lambda: _until(failed))
        assert not kept.lets_shake_hands(second, "203.0.113.9", _for_ever)
        assert kept.lets_shake_hands(second, "203.0.113.10", _for_ever)
        failed.set()
        kept.handshake_over(first)
        third = _arriving(book)
        assert kept.lets_shake_hands(third, "203.0.113.9", _for_ever)
        for each in (second, third):
            kept._give_up(each)


async def test_where_all_are_taken_the_oldest_handshake_makes_room() -> None:
    async with playing(LimitSettings(connections=3)) as book:
        await book.settle()
        kept = book.gateway.lifecycle
        ended: list[str] = []

        async def shake(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        for name in ("first", "second"):
            assert kept.lets_shake_hands(_arriving(book), "203.0.113.9", partial(shake, name))
        await book.settle()
        last = _arriving(book)
        assert kept.lets_shake_hands(last, "203.0.113.9", _for_ever)
        await book.settle()
        assert ended == ["first"]
        assert not book.client.lost
        for each in tuple(kept._handshakes):
            kept._give_up(each)


async def test_a_handshake_costs_its_address_as_much_as_ten_requests() -> None:
    async with playing(LimitSettings(requests_per_address="1000/minute")) as book:
        kept = book.gateway.lifecycle
        count = 0
        while kept.lets_shake_hands(connection := _arriving(book), "203.0.113.9", _for_ever):
            kept._give_up(connection)
            count += 1
        assert count == 100


# The sweep


async def test_what_is_open_is_cut_once_nobody_knows_whether_its_link_is() -> None:
    out_of_date = asyncio.Event()
    async with playing(is_out_of_date=out_of_date.is_set) as book:
        await ask(book, GET)
        await _swept(book)
        assert book.client.take() == b""
        assert book.client in [each.transport for each in book.gateway.lifecycle.connections]
        out_of_date.set()
        with capture_logs() as logged:
            await _swept(book)
            out_of_date.clear()
            await _swept(book)
        assert book.client.lost
        assert [line["event"] for line in logged] == ["visitors_suspended", "visitors_served_again"]


async def test_where_no_descriptor_is_left_idle_connections_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise NoDescriptorError("none is free")

    async with playing() as book:
        await ask(book, GET)
        idle = book.connect()
        await book.settle()
        with capture_logs() as logged, monkeypatch.context() as patch:
            patch.setattr(lifecycle, "require_descriptor", fail)
            await _swept(book)
        assert idle.lost
        assert not book.client.lost
        [line] = [each for each in logged if each["event"] == "descriptors_used_up"]
        assert "ulimit -n" in line["remedy"]


async def test_where_too_much_waits_for_slow_clients_the_one_that_has_taken_nothing_for_longest_is_cut() -> None:
    async with playing(LimitSettings(unsent=150)) as book:
        slow = [book.client, book.connect()]
        for client in slow:
            upstream = await ask(book, GET, client)
            client.takes_nothing = True
            upstream.deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
            await book.settle()
        first, second = (
            next(each for each in book.gateway.lifecycle.connections if each.transport is wire) for wire in slow
        )
        first.stuck_since, second.stuck_since = 1.0, 2.0
        first.unsent = second.unsent = 100
        book.gateway.lifecycle._limit_unsent()
        await book.settle()
        assert slow[0].aborted
        assert not slow[1].aborted


async def test_a_clock_that_is_set_forward_ends_links_that_are_over_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = 0.0
    async with playing() as book:
        kept = book.gateway.lifecycle
        now = playbook.NOW.timestamp()
        monkeypatch.setattr(book.gateway.runtime, "time", lambda: now + moved)
        cache = book.gateway.services.link_cache
        checked = 0

        def note() -> None:
            nonlocal checked
            checked += 1

        monkeypatch.setattr(cache, "clock_moved", note)
        kept._follow_clock(0.0)
        kept._follow_clock(0.0)
        checked = 0
        moved = 8 * 86_400.0
        kept._follow_clock(0.0)
        assert checked == 1


# The end


async def test_a_worker_that_is_replaced_waits_for_what_is_under_way() -> None:
    async with playing() as book:
        upstream = await ask(book, GET)
        async with _draining(book) as draining:
            assert not draining.done()
            answer = await deliver(book, upstream, OK)
            assert status_of(answer) == 200
            assert b"\r\nConnection: close\r\n" in answer
        assert book.client.lost


async def test_a_server_that_stops_closes_what_is_idle_and_ends_what_has_no_end() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        assert status_of(await deliver(book, upstream, SWITCHED + b"\r\n")) == 101
        idle = book.connect()
        await book.settle()
        async with _draining(book, is_stopping=True):
            assert idle.lost
            # 1001 is "going away" (RFC 6455, section 7.4.1).
            while b"\x03\xe9" not in book.client.written:
                await book.settle(1)
            book.client.break_off()


async def test_what_has_not_ended_by_then_is_cut_and_logged() -> None:
    async with playing() as book:
        await ask(book, GET)
        with capture_logs() as logged:
            await book.gateway.lifecycle.drain(0, asyncio.Event())
            await book.settle()
        assert book.client.lost
        [line] = [each for each in logged if each["event"] == "requests_cut"]
        assert line["count"] == 1


async def test_a_connection_that_was_accepted_is_waited_for_until_it_is_there() -> None:
    """Between accept(2) and the protocol lies an iteration of the loop."""
    async with playing() as book:
        book.client.break_off()
        await book.settle()
        kept = book.gateway.lifecycle
        arriving = _arriving(book)
        kept.await_arrival(arriving)
        async with _draining(book) as draining:
            assert not draining.done()
            client = Wire(arriving)
            client.deliver(GET)
            await book.settle()
            [upstream] = book.upstreams
            upstream.deliver(OK)
            await book.settle()
            assert status_of(client.take()) == 200
