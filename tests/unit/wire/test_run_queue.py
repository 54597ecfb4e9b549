"""Nobody's bytes keep the loop: work is counted in steps and turns, since seconds depend on the machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import LINK_ID, Playbook, Wire, playing, request

from guestpass.domain.environment import Kind
from guestpass.gateway.limits import LimitSettings
from guestpass.wire.chunked import LAST_CHUNK, ChunkedDecoder
from guestpass.wire.client_connection import WRITE_BUFFER
from guestpass.wire.run_queue import STEPS_A_TURN, UNITS_A_STEP, RunQueue

# Refused at once, on a connection that stays: its sender holds a pass.
FOREIGN = request(b"DELETE /x HTTP/1.1", b"Origin: http://evil.example")
CHUNK = b"1\r\nx\r\n"
PING = b"\x89\x00"
KEY = base64.b64encode(bytes(16))
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


class _Steps:
    def __init__(self, name: str, count: int, queue: RunQueue, done: list[str]) -> None:
        self._name = name
        self._left = count
        self._queue = queue
        self._done = done

    def run(self) -> None:
        self._done.append(self._name)
        self._left -= 1
        if self._left:
            self._queue.add(self)


async def test_who_has_much_to_do_takes_turns_with_the_others() -> None:
    done: list[str] = []
    queue = RunQueue(asyncio.get_running_loop())
    for name, count in (("a", 4), ("b", 1), ("c", 2)):
        queue.add(_Steps(name, count, queue, done))
    assert done == []
    for _ in range(4):
        await asyncio.sleep(0)
    assert "".join(done) == "abcacaa"


async def test_a_turn_has_so_many_steps_however_many_wait() -> None:
    done: list[str] = []
    queue = RunQueue(asyncio.get_running_loop())
    for _ in range(3 * STEPS_A_TURN):
        queue.add(_Steps("x", 1, queue, done))
    for turns in (1, 2, 3):
        await asyncio.sleep(0)
        assert len(done) == turns * STEPS_A_TURN


async def test_a_step_that_fails_does_not_stop_the_others() -> None:
    done: list[str] = []
    failures: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    queue = RunQueue(loop)

    class _Broken:
        def run(self) -> None:
            raise ValueError("a mistake")

    queue.add(_Broken())
    queue.add(_Steps("x", 2, queue, done))
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == ["x", "x"]
    assert len(failures) == 1


async def test_one_turn_serves_one_request_of_a_connection() -> None:
    async with playing() as book:
        book.client.deliver(FOREIGN * 500)
        answers = book.client.written.count(b"HTTP/1.1 403")
        for _ in range(100):
            assert answers <= 1
            book.client.take()
            await asyncio.sleep(0)
            answers = book.client.written.count(b"HTTP/1.1 403")


async def test_another_visitor_is_served_before_a_backlog_is() -> None:
    async with playing() as book:
        other = book.connect()
        book.client.deliver(FOREIGN * 2000)
        await asyncio.sleep(0)
        other.deliver(FOREIGN)
        await book.settle(2)
        assert other.written.count(b"HTTP/1.1 403") == 1
        assert book.client.written.count(b"HTTP/1.1 403") <= 4


async def test_a_backlog_is_served_whole_and_in_order() -> None:
    async with playing() as book:
        book.client.deliver(FOREIGN * 99 + request(b"GET /a#b HTTP/1.1"))
        await book.settle(300)
        assert book.client.written.count(b"HTTP/1.1 403") == 99
        assert book.client.written.count(b"HTTP/1.1 400") == 1
        assert book.client.written.rindex(b"HTTP/1.1") == book.client.written.index(b"HTTP/1.1 400")


async def test_what_waits_is_served_although_the_client_says_no_more() -> None:
    async with playing() as book:
        book.client.deliver(FOREIGN * 50)
        book.client.deliver_end()
        await book.settle(200)
        assert book.client.written.count(b"HTTP/1.1 403") == 50
        assert book.client.lost


async def test_nothing_is_served_to_who_takes_no_answers() -> None:
    async with playing() as book:
        client = book.client
        client.protocol.pause_writing()
        client.deliver(FOREIGN * 3)
        await book.settle()
        assert client.written == b""
        client.protocol.resume_writing()
        await book.settle()
        assert client.written.count(b"HTTP/1.1 403") == 3


async def test_nothing_more_is_read_from_who_takes_no_answers() -> None:
    async with playing() as book:
        client = book.client
        client.protocol.pause_writing()
        client.deliver(FOREIGN * 1000)
        assert client.is_paused


async def test_where_too_much_waits_it_is_noticed_at_once_and_not_half_a_second_later() -> None:
    async with playing(LimitSettings(unsent=2 * WRITE_BUFFER + 10)) as book:
        wires = [book.connect() for _ in range(3)]
        for wire in wires:
            wire.takes_nothing = True
            wire.write(bytes(WRITE_BUFFER + 1))
            wire.protocol.pause_writing()
        await book.settle()
        assert [wire.aborted for wire in wires] == [True, False, False]


async def test_who_takes_no_answers_is_no_idle_connection_that_nobody_counts() -> None:
    async with playing(LimitSettings(connections=1)) as book:
        book.client.takes_nothing = True
        book.client.deliver(FOREIGN)
        await book.settle()
        assert book.client.written
        assert book.connect().aborted
        assert len(book.gateway.lifecycle.connections) == 1


async def test_a_body_of_tiny_chunks_is_read_in_steps_and_arrives_whole() -> None:
    async with playing() as book:
        count = 10 * UNITS_A_STEP
        book.client.deliver(request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=CHUNK * count + LAST_CHUNK))
        while not (book.upstreams and _payload(book.upstreams[0])):
            await book.settle(1)
        upstream = book.upstreams[0]
        seen = len(_payload(upstream))
        assert seen < count
        while seen < count:
            await asyncio.sleep(0)
            now = len(_payload(upstream))
            assert now - seen <= UNITS_A_STEP + 1
            seen = now
        await book.settle()
        assert upstream.written.endswith(LAST_CHUNK)


async def test_the_next_request_behind_a_body_of_tiny_chunks_is_served() -> None:
    async with playing() as book:
        body = CHUNK * 5 * UNITS_A_STEP + LAST_CHUNK
        book.client.deliver(request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=body) + FOREIGN)
        book.client.deliver_end()
        await book.settle(40)
        book.upstreams[0].deliver(b"HTTP/1.1 204 No Content\r\n\r\n")
        await book.settle(40)
        assert book.client.written.startswith(b"HTTP/1.1 204")
        assert b"HTTP/1.1 403" in book.client.written
        assert book.client.lost


async def _answering(book: Playbook) -> Wire:
    book.client.deliver(request(b"GET / HTTP/1.1"))
    await book.settle()
    book.upstreams[0].deliver(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await book.settle()
    book.client.take()
    return book.upstreams[0]


async def test_an_answer_of_tiny_chunks_is_passed_on_in_steps_and_arrives_whole() -> None:
    async with playing() as book:
        upstream, count = await _answering(book), 10 * UNITS_A_STEP
        upstream.deliver(CHUNK * count + LAST_CHUNK)
        assert upstream.is_paused
        seen = 0
        while seen < count:
            payload = b"".join(_decoded(book.client.written))
            assert len(payload) - seen <= UNITS_A_STEP + 1
            seen = len(payload)
            await asyncio.sleep(0)
        await book.settle()
        assert book.client.written.endswith(LAST_CHUNK)
        assert not upstream.is_paused


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut short"])
async def test_the_end_of_a_connection_comes_behind_what_arrived_before_it(whole: bool) -> None:
    async with playing() as book:
        upstream, count = await _answering(book), 10 * UNITS_A_STEP
        upstream.deliver(CHUNK * count + (LAST_CHUNK if whole else b""))
        upstream.deliver_end()
        await book.settle(60)
        assert len(b"".join(_decoded(book.client.written))) == count
        assert book.client.written.endswith(LAST_CHUNK) is whole
        assert book.client.aborted is not whole


@pytest.mark.parametrize("end", ["more than the answer", "the connection's end"])
async def test_an_answer_is_over_once_although_its_visitor_is_slow(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(playbook, "_ENVIRONMENT", replace(playbook._ENVIRONMENT, kind=Kind.ODOO))
    async with playing() as book:
        upstream, count = await _answering(book), 10 * UNITS_A_STEP
        book.client.protocol.pause_writing()
        if end == "more than the answer":
            upstream.deliver(CHUNK * count + LAST_CHUNK + b"HTTP/1.1 200 OK\r\n")
        else:
            upstream.deliver(CHUNK * count + LAST_CHUNK)
            upstream.deliver_end()
        await book.settle(60)
        book.client.protocol.resume_writing()
        await book.settle(60)
        assert len(b"".join(_decoded(book.client.written))) == count
        assert book.client.written.count(LAST_CHUNK) == 1
        assert not book.client.aborted
        # And the next request is served on the same connection.
        book.client.deliver(request(b"GET / HTTP/1.1"))
        await book.settle()
        assert len(book.upstreams) == 2


async def _tunnel(book: Playbook) -> Wire:
    book.client.deliver(
        request(
            b"GET /websocket HTTP/1.1",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + KEY,
        )
    )
    await book.settle()
    book.upstreams[0].deliver(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % ACCEPT
    )
    await book.settle()
    book.client.take()
    return book.upstreams[0]


async def test_endless_pings_of_an_environment_are_passed_on_in_steps() -> None:
    async with playing() as book:
        upstream, count = await _tunnel(book), 10 * UNITS_A_STEP
        upstream.deliver(PING * count)
        seen = 0
        while seen < count:
            now = len(book.client.written) // len(PING)
            assert now - seen <= UNITS_A_STEP
            seen = now
            await asyncio.sleep(0)
        assert book.client.written == PING * count


@pytest.mark.parametrize("sender", ["visitor", "environment"])
async def test_tiny_chunks_and_frames_count_like_requests(sender: str) -> None:
    """Whoever sends nothing but them has used up what an address, or a link, may have in a minute."""
    async with playing(LimitSettings(requests_per_address="10/minute", requests_per_link="10/minute")) as book:
        if sender == "visitor":
            body = CHUNK * 60 * UNITS_A_STEP
            book.client.deliver(request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=body))
        else:
            upstream = await _tunnel(book)
            upstream.deliver(PING * 60 * UNITS_A_STEP)
        await book.settle(100)
        assert book.client.lost or book.client.finished_writing
        if sender == "visitor":
            assert book.client.written.startswith(b"HTTP/1.1 400")
            assert b"too many small chunks" in book.client.written
        else:
            passed, close = book.client.written.count(PING), book.client.written[-20:]
            assert 8 * UNITS_A_STEP <= passed <= 12 * UNITS_A_STEP
            assert b"\x03\xf0Too many frames." in close


async def test_a_tunnel_is_closed_once_although_it_takes_too_much_work_by_then() -> None:
    async with playing(LimitSettings(requests_per_link="10/minute")) as book:
        upstream = await _tunnel(book)
        upstream.deliver(b"\x01\x01a")
        for connection in book.gateway.lifecycle.connections:
            connection.go_away()
        while book.gateway.services.limits.take_request_of(LINK_ID) is None:
            pass
        upstream.deliver(PING * (UNITS_A_STEP - 2) + b"\x80\x01b" + PING * UNITS_A_STEP)
        await book.settle(100)
        assert book.client.written.endswith(b"\x80\x01b\x88\x16\x03\xe9The server restarts.")
        assert not book.client.aborted


def _payload(upstream: Wire) -> bytes:
    """The payload of the request's body, as far as it was sent."""
    return b"".join(_decoded(upstream.written.partition(b"\r\n\r\n")[2]))


def _decoded(data: bytes) -> list[bytes]:
    decoder, pieces, at = ChunkedDecoder(), [], 0
    while at < len(data) and not decoder.done:
        pieces += decoder.feed(data, at)
        at = decoder.position
    return pieces
