"""WebSockets under attack from both sides, on all kinds of links, and links that end in the midst of it."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from tests.hostile.websockets.tunnel import (
    MASK,
    SMUGGLED,
    SWITCHED,
    UPGRADE,
    Behind,
    asking,
    closed_with,
    masked,
    plain,
    tunnel,
)

ALL = pytest.mark.parametrize("behind", Behind)
ODOOS = pytest.mark.parametrize("behind", [Behind.ODOO, Behind.VIEW_ONLY])
UNTOUCHED = pytest.mark.parametrize("behind", [Behind.WEB, Behind.ODOO])
PIECES = pytest.mark.parametrize("by_bytes", [False, True], ids=["in one piece", "byte by byte"])
SUBSCRIPTION = b'{"event_name":"subscribe","data":{"channels":[],"last":7}}'

# What no client may send (RFC 6455, section 5): the frame, and what of the bytes is right before it.
WRONG_FRAMES = {
    "not masked": plain(0x81, b"hello"),
    "a reserved bit": masked(0xC1, b"hello"),
    "all reserved bits": masked(0xF1, b"hello"),
    "a reserved data opcode": masked(0x83, b"hello"),
    "a reserved control opcode": masked(0x8B, b"hello"),
    "a fragmented Ping": masked(0x09, b"hello"),
    "a fragmented Close": masked(0x08, b"\x03\xe8"),
    "a Ping of 126 bytes": masked(0x89, b"x" * 126),
    "a Close of 126 bytes": masked(0x88, b"\x03\xe8" + b"x" * 124),
    "a continuation of nothing": masked(0x80, b"hello"),
    "a message within a message": masked(0x01, b"{") + masked(0x81, b"}"),
    "a negative length": masked(0x81, b"hello", length=b"\xff" + b"\xff" * 8),
    "HTTP": SMUGGLED,
    "a binary message": masked(0x82, b"\x00\x01"),
    "a message of 4 EiB": masked(0x81, b"hello", length=b"\xff" + (1 << 62).to_bytes(8)),
    "the longest message": masked(0x81, b"hello", length=b"\xff" + ((1 << 63) - 1).to_bytes(8)),
    "a message of 65 KiB in pieces": masked(0x01, b"x" * 65000) + masked(0x80, b"x" * 1000),
}
WRONG = pytest.mark.parametrize("frames", WRONG_FRAMES.values(), ids=WRONG_FRAMES)

# What no server may send, with whether a Close of ours could still be put behind it.
SERVERS_FRAMES = {
    "masked": masked(0x81, b"hello"),
    "a reserved opcode": plain(0x83, b"hello"),
    "a fragmented Ping": plain(0x09, b"hello"),
    "a Ping of 126 bytes": plain(0x89, b"x" * 126),
    "a continuation of nothing": plain(0x80, b"hello"),
    "a message within a message": plain(0x01, b"a") + plain(0x81, b"b"),
    "a negative length": plain(0x81, b"hello", length=b"\x7f" + b"\xff" * 8),
    "HTTP": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "half a head": b"\x81",
    "half a length": b"\x81\x7e\x00",
    "half a message": plain(0x81, b"hello")[:-1],
    "a message of 4 EiB": plain(0x81, b"hello", length=b"\x7f" + (1 << 62).to_bytes(8)),
    "the longest message": plain(0x81, b"hello", length=b"\x7f" + ((1 << 63) - 1).to_bytes(8)),
    "compressed, as nobody agreed": plain(0xC1, b"hello"),
    "compressed in pieces, as nobody agreed": plain(0x41, b"hello") + plain(0x80, b"hello"),
    "the first piece of a message": plain(0x01, b"hello"),
    "a Ping within a message": plain(0x01, b"hello") + plain(0x89),
    "a Close": plain(0x88, b"\x03\xe8"),
    "a message behind a Close": plain(0x88) + plain(0x81, b"hello"),
}
SERVERS = pytest.mark.parametrize("frames", SERVERS_FRAMES.values(), ids=SERVERS_FRAMES)
WHOLE_FRAMES = {
    "nothing": b"",
    "a message": plain(0x81, b"hello"),
    "an empty message": plain(0x81),
    "a message in pieces with a Ping between": plain(0x01, b"a") + plain(0x89, b"?") + plain(0x80, b"b"),
    "many messages": plain(0x81, b"hello") * 100,
    "a long message": plain(0x82, b"x" * 70_000, length=b"\x7f" + (70_000).to_bytes(8)),
}
WHOLE = pytest.mark.parametrize("frames", WHOLE_FRAMES.values(), ids=WHOLE_FRAMES)


@UNTOUCHED
@PIECES
@WRONG
async def test_frames_that_are_none_reach_the_environment_as_they_came_and_nothing_else(
    behind: Behind, by_bytes: bool, frames: bytes
) -> None:
    async with tunnel(behind) as open:
        await open.say(open.client, frames + SMUGGLED, by_bytes=by_bytes)
        assert open.upstream.take() == frames + SMUGGLED
        assert open.client.written == b""
        await open.revoke()
        assert closed_with(open.client.written) == (1001 if behind is Behind.ODOO else None)
        assert await open.has_ended()
        assert len(open.book.upstreams) == 1


@PIECES
@WRONG
async def test_where_a_visitor_only_looks_they_reach_nobody(by_bytes: bool, frames: bytes) -> None:
    async with tunnel(Behind.VIEW_ONLY) as open:
        await open.say(open.client, masked(0x81, SUBSCRIPTION) + frames + masked(0x81, SUBSCRIPTION), by_bytes=by_bytes)
        # What was right before them may have gone, written anew; of them and what lies behind nothing has.
        assert len(open.upstream.take()) in (0, len(masked(0x81, SUBSCRIPTION)))
        assert closed_with(open.client.written) == 1008
        assert await open.has_ended()


@ALL
@SERVERS
@PIECES
async def test_what_an_environment_says_wrongly_passes_alone_and_nothing_of_ours_is_put_into_it(
    behind: Behind, frames: bytes, by_bytes: bool
) -> None:
    async with tunnel(behind) as open:
        await open.say(open.upstream, frames, by_bytes=by_bytes)
        assert open.client.written == frames
        await open.revoke()
        assert open.client.written == frames
        assert open.client.aborted
        assert await open.has_ended()


@ODOOS
@WHOLE
@PIECES
async def test_behind_whole_frames_the_end_of_a_link_is_said_once(
    behind: Behind, frames: bytes, by_bytes: bool
) -> None:
    async with tunnel(behind) as open:
        await open.say(open.upstream, frames, by_bytes=by_bytes)
        await open.revoke()
        assert open.client.written.startswith(frames)
        assert closed_with(open.client.written) == 1001
        assert await open.has_ended()


@WHOLE
async def test_a_tunnel_of_another_application_is_cut(frames: bytes) -> None:
    async with tunnel(Behind.WEB) as open:
        await open.say(open.upstream, frames)
        await open.revoke()
        assert open.client.written == frames
        assert open.client.aborted
        assert await open.has_ended()


@ALL
async def test_a_client_in_the_midst_of_a_frame_ends_with_its_link(behind: Behind) -> None:
    frame = masked(0x81, SUBSCRIPTION)
    for start, end in pairwise(range(len(frame))):
        async with tunnel(behind) as open:
            await open.say(open.client, frame[:end])
            assert open.upstream.take() == (b"" if behind is Behind.VIEW_ONLY else frame[:end]), start
            await open.revoke()
            # The rest of its frame, and what it hides, are nobody's.
            await open.say(open.client, frame[end:] + SMUGGLED)
            assert open.upstream.take() == b""
            assert await open.has_ended()


@ALL
async def test_what_is_glued_to_the_101_and_to_the_request_arrives_in_order(behind: Behind) -> None:
    early, glued = masked(0x89, b"early"), plain(0x81, b"glued")
    async with tunnel(behind, early, glued) as open:
        assert open.client.take() == glued
        passed = open.upstream.take()
        if behind is Behind.VIEW_ONLY:
            assert (passed[:2], len(passed)) == (early[:2], len(early))
        else:
            assert passed == early
        await open.revoke()
        assert await open.has_ended()


@ALL
@pytest.mark.parametrize("frames", [SMUGGLED, WRONG_FRAMES["not masked"], WRONG_FRAMES["a reserved bit"]])
async def test_early_bytes_that_are_no_frames_are_never_read_as_a_request(behind: Behind, frames: bytes) -> None:
    async with tunnel(behind, frames) as open:
        assert len(open.book.upstreams) == 1
        if behind is Behind.VIEW_ONLY:
            assert open.upstream.take() == b""
            assert closed_with(open.client.written) == 1008
        else:
            assert open.upstream.take() == frames
            assert open.client.written == b""
            await open.revoke()
        assert await open.has_ended()


@ALL
@pytest.mark.parametrize("early", [b"", SMUGGLED, masked(0x81, SUBSCRIPTION)], ids=["", "a request", "a frame"])
async def test_a_link_that_ends_before_the_101_takes_everything_with_it(behind: Behind, early: bytes) -> None:
    async with asking(behind, early) as asked:
        await asked.revoke()
        await asked.say(asked.upstream, SWITCHED)
        assert b"101" not in asked.client.written
        assert asked.upstream.take() == b""
        assert await asked.has_ended()


@ALL
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, id="200"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200, id="200 that pretends"
        ),
        pytest.param(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403, id="403"),
        pytest.param(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", 426, id="426"),
        pytest.param(SWITCHED.replace(b"s3pP", b"s3pQ"), 502, id="another Accept"),
        pytest.param(SWITCHED.replace(b"s3pPLM", b"S3PplM"), 502, id="an Accept in other letters"),
        pytest.param(SWITCHED.replace(b"Upgrade: websocket", b"Upgrade: h2c"), 502, id="another protocol"),
        pytest.param(SWITCHED.replace(b"Connection: Upgrade", b"Connection: close"), 502, id="no Connection"),
        pytest.param(SWITCHED.replace(b"1.1 101", b"2.0 101"), 502, id="HTTP/2.0"),
    ],
)
async def test_whatever_is_no_right_101_opens_no_tunnel_and_the_early_bytes_reach_nobody(
    behind: Behind, answer: bytes, status: int
) -> None:
    async with asking(behind, SMUGGLED) as asked:
        await asked.say(asked.upstream, answer)
        await asked.say(asked.client, masked(0x81, SUBSCRIPTION) + SMUGGLED)
        await asked.say(asked.upstream, plain(0x81, b"injected"))
        if b"pretends" in answer or answer.endswith(b"Upgrade\r\n\r\n"):
            asked.upstream.deliver_end()
            await asked.book.settle()
        assert asked.client.written.startswith(b"HTTP/1.1 %d " % status)
        assert asked.client.written.count(b"HTTP/1.1 ") == 1
        assert asked.upstream.take() == b""
        assert await asked.has_ended()


@ALL
@pytest.mark.parametrize("is_offered", [False, True], ids=["nothing offered", "offered by the client"])
async def test_an_extension_is_accepted_only_where_the_environment_was_offered_it(
    behind: Behind, is_offered: bool
) -> None:
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    async with asking(behind, upgrade=UPGRADE[:-2] + extension if is_offered else UPGRADE) as asked:
        await asked.say(asked.upstream, SWITCHED[:-2] + extension + plain(0xC1, b"bomb"))
        # A bus is never offered any.
        if is_offered and behind is Behind.WEB:
            assert asked.client.written.startswith(b"HTTP/1.1 101 ")
            assert asked.client.written.endswith(plain(0xC1, b"bomb"))
        else:
            assert asked.client.written.startswith(b"HTTP/1.1 502 ")
            assert b"bomb" not in asked.client.written
            assert asked.upstream.lost


@ALL
async def test_a_101_that_nobody_asked_for_is_502(behind: Behind) -> None:
    plain_get = UPGRADE.replace(b"Upgrade: websocket", b"X-Nothing: x").replace(b"Connection: Upgrade", b"X-Other: x")
    async with asking(behind, upgrade=plain_get) as asked:
        await asked.say(asked.upstream, SWITCHED + plain(0x81, b"injected"))
        assert asked.client.written.startswith(b"HTTP/1.1 502 ")
        assert b"injected" not in asked.client.written
        assert asked.upstream.lost


@ALL
async def test_a_half_open_tunnel_ends_on_both_sides(behind: Behind) -> None:
    for name in ("client", "upstream"):
        async with tunnel(behind) as open:
            wire = open.client if name == "client" else open.upstream
            wire.deliver_end()
            await open.book.settle()
            assert open.upstream.lost, name
            # The visitor has been told that this was all, and has a moment to say the same (RFC 6455, section 7.1.1).
            assert open.client.lost or open.client.finished_writing, name
            await open.book.after(2)
            assert open.client.lost, name


@ALL
async def test_closes_that_cross_end_it_once(behind: Behind) -> None:
    async with tunnel(behind) as open:
        theirs, ours = plain(0x88, b"\x03\xe8"), masked(0x88, b"\x03\xe9")
        open.upstream.deliver(theirs)
        open.client.deliver(ours)
        open.upstream.deliver_end()
        open.client.deliver_end()
        await open.book.settle()
        assert open.client.written == theirs
        assert open.upstream.written[:2] == ours[:2]
        assert await open.has_ended()


@ALL
async def test_a_link_that_ends_while_both_close_ends_it_once(behind: Behind) -> None:
    async with tunnel(behind) as open:
        theirs = plain(0x88, b"\x03\xe8")
        open.upstream.deliver(theirs)
        open.client.deliver(masked(0x88, b"\x03\xe8"))
        await open.revoke()
        assert open.client.written == theirs
        assert await open.has_ended()


@ALL
async def test_endless_messages_are_not_kept(behind: Behind) -> None:
    size, piece = 4 * 1024 * 1024, b"x" * 65_536
    async with tunnel(behind) as open:
        tracemalloc.start()
        try:
            await open.say(open.upstream, plain(0x81, length=b"\x7f" + (1 << 62).to_bytes(8)))
            open.client.deliver(masked(0x01, b""))
            for _ in range(size // len(piece)):
                open.upstream.deliver(piece)
                # A message in pieces without end.
                if not open.client.is_closing():
                    open.client.deliver(masked(0x00, b"") * 50)
                open.client.take()
                open.upstream.take()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < size // 4
        await open.revoke()
        assert await open.has_ended()


@ALL
async def test_a_visitor_who_drips_a_frame_loses_the_tunnel_only_where_he_is_idle(behind: Behind) -> None:
    async with tunnel(behind) as open:
        for byte in masked(0x81, SUBSCRIPTION)[:-1]:
            await open.say(open.client, bytes([byte]))
            await open.book.after(80)
            assert not open.client.lost
        await open.book.after(91)
        assert await open.has_ended()


@ODOOS
async def test_an_idle_bus_socket_is_closed_in_order_and_no_link_is_said_to_have_ended(behind: Behind) -> None:
    async with tunnel(behind) as open:
        await open.book.after(91)
        assert closed_with(open.client.written) == 1001
        assert b"link" not in open.client.written


def test_the_frames_here_are_what_they_are_called() -> None:
    assert masked(0x81, b"ab") == b"\x81\x82" + MASK + bytes((ord("a") ^ MASK[0], ord("b") ^ MASK[1]))
    assert plain(0x81, b"hello") == b"\x81\x05hello"  # RFC 6455, section 5.7, but for the letters
    assert closed_with(plain(0x81, b"x") + plain(0x88, b"\x03\xe9")) == 1001
