"""What connections send in one turn of the event loop, over real sockets: when it leaves, and in which order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
import uvloop

from guestpass.wire.write_buffer import AT_ONCE, MOST_WAITING, FlushQueue, WriteBuffer

LARGE = b"L" * AT_ONCE


@contextmanager
def pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as exits:
        made = [socket.socketpair() for _ in range(count)]
        for ours, theirs in made:
            ours.setblocking(False)
            theirs.setblocking(False)
            exits.enter_context(theirs)
        yield made


@asynccontextmanager
async def sending(count: int) -> AsyncIterator[tuple[list[WriteBuffer], list[socket.socket], list[asyncio.Transport]]]:
    """So many connections of one outbox, the sockets at their other ends, and their transports."""
    loop = asyncio.get_running_loop()
    outbox = FlushQueue(loop)
    with pairs(count) as made:
        transports = [(await loop.create_connection(asyncio.Protocol, sock=ours))[0] for ours, _ in made]
        try:
            connections = [WriteBuffer(outbox) for _ in made]
            for connection, transport in zip(connections, transports, strict=True):
                connection.begin(transport)
            yield connections, [theirs for _, theirs in made], transports
        finally:
            for each in transports:
                each.abort()
            await asyncio.sleep(0)


def arrived(end: socket.socket) -> bytes:
    """What can be read now, without waiting."""
    received = b""
    try:
        while piece := end.recv(1024 * 1024):
            received += piece
    except BlockingIOError:
        pass
    return received


async def test_small_pieces_leave_together_when_the_turn_ends() -> None:
    async with sending(2) as ([one, other], [end, other_end], _):
        one.write(b"first ")
        other.write(b"another")
        one.write(b"second")
        assert (arrived(end), arrived(other_end)) == (b"", b"")
        assert (one.unsent, other.unsent) == (12, 7)
        await asyncio.sleep(0)
        assert (arrived(end), arrived(other_end)) == (b"first second", b"another")
        assert (one.unsent, other.unsent) == (0, 0)


async def test_each_turn_sends_what_was_written_in_it() -> None:
    async with sending(1) as ([one], [end], _):
        for piece in (b"first", b"second"):
            one.write(piece)
            await asyncio.sleep(0)
            assert arrived(end) == piece


@pytest.mark.parametrize("parts", [False, True])
async def test_a_large_piece_leaves_at_once_behind_what_was_written_before_it(*, parts: bool) -> None:
    async with sending(1) as ([one], [end], _):
        one.write(b"small ")
        if parts:
            one.write_parts(b"head ", LARGE)
        else:
            one.write(LARGE)
        one.write(b" last")
        assert arrived(end) == b"small " + (b"head " if parts else b"") + LARGE
        await asyncio.sleep(0)
        assert arrived(end) == b" last"


async def test_in_a_long_turn_the_first_do_not_wait_for_the_last() -> None:
    async with sending(MOST_WAITING + 1) as (all_of_them, ends, _):
        for each in all_of_them:
            each.write(b"answer")
        assert [arrived(end) for end in ends] == [b"answer"] * MOST_WAITING + [b""]
        await asyncio.sleep(0)
        assert arrived(ends[-1]) == b"answer"


async def turns() -> None:
    """More of them than a transport takes to write, to end and to close."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["end", "close", "abort"])
async def test_nothing_is_lost_that_was_written_before_an_end(way: str) -> None:
    async with sending(1) as ([one], [end], [transport]):
        one.write(b"the last words")
        getattr(one, way)()
        await turns()
        assert end.recv(100) == b"the last words"
        assert end.recv(100) == b""
        assert transport.is_closing() == (way != "end")


async def test_what_comes_after_the_end_is_not_sent() -> None:
    async with sending(1) as ([one], [end], _):
        one.close()
        one.write(b"too late")
        await turns()
        assert end.recv(100) == b""


def test_a_connection_that_is_lost_meanwhile_keeps_nobody_elses_answer_back() -> None:
    async def lose_one() -> bytes:
        async with sending(2) as ([one, other], [_, other_end], [transport, _]):
            transport.abort()
            one.write(b"nobody is there any more")
            other.write(b"an answer")
            await turns()
            return arrived(other_end)

    # The server's own loop raises where something is written to a transport that is gone.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(lose_one()) == b"an answer"
