"""TLS over real sockets: what waits is counted, what arrives takes turns, and an end is an end."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import uvloop
from tests.operate.certificates import trusting, write_pair
from tests.unit.wire.tls_records import RecordClient

from guestpass.wire import tls_transport
from guestpass.wire.client_connection import RESET
from guestpass.wire.run_queue import RunQueue
from guestpass.wire.tls_transport import MOST_EMPTY_RECORDS, RECORDS_AT_ONCE, TlsTransport

WAIT_SECONDS = 30
MIB = 1024 * 1024


class Side(asyncio.Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.pieces: list[bytes] = []
        self.has_ended = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.is_held = False
        self.reads_one_by_one = False
        self.fails_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        if len(self.pieces) == self.fails_at:
            raise ValueError("a mistake")
        if self.reads_one_by_one:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.has_ended.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    def pause_writing(self) -> None:
        self.is_held = True

    def resume_writing(self) -> None:
        self.is_held = False

    def has_more_than(self, pieces: int) -> bool:
        return len(self.pieces) > pieces

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)


class Peer:
    """The client: it reads and writes when it is told to, and no sooner."""

    def __init__(self, tls: RecordClient, end: socket.socket) -> None:
        self.tls = tls
        self.socket = end
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.socket, data)

    async def shake_hands(self) -> None:
        given = b""
        while not self.tls.shake_hands(given):
            await self.send(self.tls.take())
            given = await self._loop.sock_recv(self.socket, MIB)
        await self.send(self.tls.take())

    async def rest(self) -> tuple[bytes, bool]:
        """All that is still sent, until the connection ends, and whether TLS said so itself."""
        data = b""
        while arrived := await self._loop.sock_recv(self.socket, MIB):
            self.tls.give(arrived)
            data += self.tls.read()
        return data, self.tls.has_ended


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[Side, Peer]]:
    """A server's side whose handshake is complete, and its client."""
    write_pair(folder / "cert.pem", folder / "key.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.setblocking(False)
        await loop.sock_connect(end, listener.getsockname())
        side = Side()
        transport = TlsTransport(loop, RunQueue(loop), context, side)
        await loop.connect_accepted_socket(lambda: transport, listener.accept()[0])
        peer = Peer(RecordClient(trusting(folder / "cert.pem"), folder / "keys"), end)
        await asyncio.gather(transport.shake_hands(), peer.shake_hands())
        try:
            yield side, peer
        finally:
            transport.abort()
            await side.lost


def run(test: Callable[[Side, Peer], Awaitable[None]], folder: Path) -> None:
    """On uvloop, as it is served."""

    async def bounded() -> None:
        async with asyncio.timeout(WAIT_SECONDS), connected(folder) as (side, peer):
            await test(side, peer)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


async def until(is_so: Callable[[], bool]) -> None:
    while True:
        if is_so():
            return
        await asyncio.sleep(0)


def test_small_pieces_and_large_ones_arrive_in_their_order(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        side.transport.write(b"one ")
        side.transport.writelines([b"two ", b"", bytes(300_000), b" three"])
        side.transport.write(b" four")
        side.transport.close()
        assert await peer.rest() == (b"one two " + bytes(300_000) + b" three four", True)

    run(test, tmp_path)


def test_what_waits_is_counted_and_the_protocol_told_to_stop(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        side.transport.set_write_buffer_limits(high=MIB)
        written = 0
        while not side.is_held:
            side.transport.write(bytes(100_000))
            written += 100_000
            await asyncio.sleep(0)
        # Sealed it is a little more.
        assert MIB < side.transport.get_write_buffer_size() < MIB + 110_000
        side.transport.close()
        assert not side.lost.done()
        assert await peer.rest() == (bytes(written), True)

    run(test, tmp_path)


def test_what_has_not_left_is_waited_for_and_only_then_the_other_sides_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_transport, "SHUTDOWN_SECONDS", 0)

    async def test(side: Side, peer: Peer) -> None:
        side.transport.write(bytes(8 * MIB))
        side.transport.close()
        for _ in range(100):
            await asyncio.sleep(0)
        assert side.transport.get_write_buffer_size()
        assert not side.lost.done()
        assert await peer.rest() == (bytes(8 * MIB), True)
        assert await side.lost is None

    run(test, tmp_path)


def test_what_is_dropped_does_not_look_whole(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        side.transport.write(bytes(8 * MIB))
        side.transport.close()
        side.transport.abort()
        data, has_ended = b"", False
        with suppress(ConnectionError):
            data, has_ended = await peer.rest()
        assert len(data) < 8 * MIB
        assert not has_ended

    run(test, tmp_path)


def test_records_take_turns_however_little_is_in_each(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        count = 40 * RECORDS_AT_ONCE
        sent = b"".join(peer.tls.data(b"x") for _ in range(count))
        await peer.send(sent)
        await until(lambda: len(side.received) == count)
        assert max(map(len, side.pieces)) <= RECORDS_AT_ONCE
        # The others get turns between them.
        side.pieces.clear()
        await peer.send(b"".join(peer.tls.data(b"x") for _ in range(count)))
        turns = 0
        while len(side.received) < count:
            # Who keeps the connection for another request must know that this answer goes on.
            assert not side.pieces or side.transport.get_extra_info("has_encrypted")
            turns += 1
            await asyncio.sleep(0)
        assert turns >= count // RECORDS_AT_ONCE
        assert not side.transport.get_extra_info("has_encrypted")

    run(test, tmp_path)


def test_a_reader_that_pauses_gets_no_more_and_later_the_rest(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        count = 10 * RECORDS_AT_ONCE
        side.reads_one_by_one = True
        await peer.send(b"".join(peer.tls.data(b"x") for _ in range(count)))
        await until(lambda: bool(side.pieces))
        while len(side.received) < count:
            seen = len(side.pieces)
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(side.pieces) == seen
            side.transport.resume_reading()
            await until(partial(side.has_more_than, seen))
        assert side.received == b"x" * count

    run(test, tmp_path)


def test_a_mistake_in_a_later_step_ends_the_connection_too(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        mistakes: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: mistakes.append(told["exception"]))
        side.fails_at = 2
        await peer.send(b"".join(peer.tls.data(b"x") for _ in range(10 * RECORDS_AT_ONCE)))
        await asyncio.wait_for(asyncio.shield(side.lost), WAIT_SECONDS)
        assert [str(mistake) for mistake in mistakes] == ["a mistake"]

    run(test, tmp_path)


def test_new_keys_are_taken_and_without_end_they_are_not(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        await peer.send(b"".join(peer.tls.new_keys() for _ in range(MOST_EMPTY_RECORDS)) + peer.tls.data(b"on"))
        await until(lambda: side.received == b"on")
        assert not side.lost.done()
        await peer.send(peer.tls.new_keys())
        await side.lost

    run(test, tmp_path)


def test_each_half_has_its_own_end(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        side.transport.write(b"all")
        side.transport.write_eof()
        assert await peer.rest() == (b"all", True)
        await peer.send(peer.tls.data(b"still sending"))
        await until(lambda: side.received == b"still sending")
        peer.socket.shutdown(socket.SHUT_WR)
        await side.has_ended.wait()
        assert await side.lost is None

    run(test, tmp_path)


class Upstream:
    """An upstream that says what it is told to, over a connection that we have made."""

    def __init__(self, context: ssl.SSLContext, end: socket.socket) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.socket = end
        self._loop = asyncio.get_running_loop()

    async def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._loop.sock_sendall(self.socket, self._outgoing.read())
                self._incoming.write(await self._loop.sock_recv(self.socket, MIB))
            else:
                await self._loop.sock_sendall(self.socket, self._outgoing.read())
                return

    async def say(self, *data: bytes) -> None:
        """One record for each."""
        for each in data:
            self.tls.write(each)
        await self._loop.sock_sendall(self.socket, self._outgoing.read())

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


@asynccontextmanager
async def connected_to_upstream(folder: Path) -> AsyncIterator[tuple[Side, Upstream]]:
    write_pair(folder / "cert.pem", folder / "key.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        side = Side()
        trust = trusting(folder / "cert.pem")
        transport = TlsTransport(loop, RunQueue(loop), trust, side, server_hostname="127.0.0.1")
        await loop.create_connection(lambda: transport, *listener.getsockname())
        end, _ = listener.accept()
        end.setblocking(False)
        # A reset takes back what has not left.
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream = Upstream(context, end)
        await asyncio.gather(transport.shake_hands(), upstream.shake_hands())
        with end:
            try:
                yield side, upstream
            finally:
                transport.abort()
                await side.lost


def run_upstream(test: Callable[[Side, Upstream], Awaitable[None]], folder: Path) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(WAIT_SECONDS), connected_to_upstream(folder) as (side, upstream):
            await test(side, upstream)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


def test_what_an_upstream_said_before_a_reset_arrives_when_it_is_wanted_and_then_the_reset(tmp_path: Path) -> None:
    async def test(side: Side, upstream: Upstream) -> None:
        count = 5 * RECORDS_AT_ONCE
        side.transport.pause_reading()
        await upstream.say(*[b"x" * 100] * count)
        upstream.reset()
        # What is written to a connection that is no more tells of its end.
        while not side.transport.is_closing():
            side.transport.write(b"more of an upload")
            await asyncio.sleep(0)
        assert side.pieces == []
        assert not side.lost.done()
        side.transport.resume_reading()
        assert isinstance(await side.lost, ConnectionError)
        assert side.received == b"x" * 100 * count
        assert max(map(len, side.pieces)) == 100 * RECORDS_AT_ONCE

    run_upstream(test, tmp_path)


def test_an_upstream_whose_records_are_wrong_has_failed_and_not_ended(tmp_path: Path) -> None:
    async def test(side: Side, upstream: Upstream) -> None:
        await upstream.say(b"half")
        await asyncio.get_running_loop().sock_sendall(upstream.socket, b"\x17\x03\x03\x00\x20" + bytes(32))
        assert isinstance(await side.lost, ssl.SSLError)
        assert side.received == b"half"

    run_upstream(test, tmp_path)


def test_who_is_gone_is_forgotten_without_a_search_for_garbage(tmp_path: Path) -> None:
    async def test(side: Side, peer: Peer) -> None:
        peer.socket.shutdown(socket.SHUT_WR)
        await side.lost

    async def forgotten() -> None:
        gc.disable()
        try:
            async with connected(tmp_path) as (side, peer):
                await test(side, peer)
            known = weakref.ref(side)
            del side, peer
            for _ in range(3):
                await asyncio.sleep(0)
            assert known() is None
        finally:
            gc.enable()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(forgotten())


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100)])
def test_what_is_no_tls_ends_at_once(nonsense: bytes) -> None:
    async def test() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            transport = TlsTransport(loop, RunQueue(loop), context, Side())
            await loop.connect_accepted_socket(lambda: transport, ours)
            theirs.sendall(nonsense)
            with pytest.raises(OSError, match=r"SSL|closed"):
                await transport.shake_hands()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())
