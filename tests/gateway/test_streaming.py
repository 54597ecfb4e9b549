"""Bodies of any size pass in both directions as they come, and neither side's slowness is paid for with memory."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable

import pytest
from tests.gateway.memory import Memory
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import OK, Share

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
SIZE = 96 * MIB
GROWTH = 16 * MIB
PIECE = bytes(range(256)) * 256
HALF_A_SECOND = 0.5


class Sender:
    """Sends SIZE bytes as fast as they are taken; `stalled` returns when nothing more is."""

    def __init__(self, send_all: Callable[[bytes], Awaitable[None]]) -> None:
        self._send_all = send_all
        self.sent = 0
        self.digest = hashlib.sha256()

    async def run(self) -> None:
        while self.sent < SIZE:
            await self._send_all(PIECE)
            self.digest.update(PIECE)
            self.sent += len(PIECE)

    async def stalled(self) -> None:
        """Return when nothing was taken for half a second."""
        async with asyncio.timeout(30):
            before = -1
            while before != self.sent:
                before = self.sent
                await asyncio.sleep(HALF_A_SECOND)


@pytest.mark.parametrize("framing", ["counted", "chunked", "until close"])
async def test_a_slow_reader_holds_the_environment_back(share: Share, upstream: RawUpstream, framing: str) -> None:
    shared = await share(upstream)
    client = await shared.connect(receive_buffer=64 * 1024)
    client.send(shared.get(b"/large"))
    end = await upstream.accept()
    await end.head()
    memory = Memory(shared.server)

    async def send_all(piece: bytes) -> None:
        await end.send_all(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)

    sender = Sender(send_all)
    fields = {"counted": b"Content-Length: %d\r\n" % SIZE, "chunked": b"Transfer-Encoding: chunked\r\n"}
    async with asyncio.TaskGroup() as tasks:
        end.send(b"HTTP/1.1 200 OK\r\n" + fields.get(framing, b"") + b"\r\n")
        sending = tasks.create_task(sender.run())
        await sender.stalled()
        assert sender.sent < SIZE, "the environment could send everything although the visitor read nothing"
        reading = tasks.create_task(client.answer())
        await sending
        if framing == "chunked":
            end.send(b"0\r\n\r\n")
        elif framing == "until close":
            await end.close()
        body = (await reading).body
    assert len(body) == SIZE
    assert hashlib.sha256(body).digest() == sender.digest.digest()
    assert memory.growth < GROWTH


@pytest.mark.parametrize("framing", ["counted", "chunked"])
async def test_a_slow_environment_holds_the_upload_back(share: Share, upstream: RawUpstream, framing: str) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    memory = Memory(shared.server)
    fields = {"counted": b"Content-Length: %d" % SIZE, "chunked": b"Transfer-Encoding: chunked"}

    async def send_all(piece: bytes) -> None:
        await client.send_all(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)

    sender = Sender(send_all)
    async with asyncio.TaskGroup() as tasks:
        client.send(shared.request(b"POST /upload HTTP/1.1", fields[framing]))
        end = await upstream.accept()
        await end.head()
        sending = tasks.create_task(sender.run())
        await sender.stalled()
        assert sender.sent < SIZE, "the visitor could send everything although the environment read nothing"
        digest, received = hashlib.sha256(), 0
        while received < SIZE:
            if framing == "chunked":
                size = int(await end.line(), 16)
                piece = await end.read(size)
                assert await end.read(2) == b"\r\n"
            else:
                piece = await end.read(64 * 1024)
            digest.update(piece)
            received += len(piece)
        await sending
        if framing == "chunked":
            client.send(b"0\r\n\r\n")
            assert await end.read(5) == b"0\r\n\r\n"
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    assert received == SIZE
    assert digest.digest() == sender.digest.digest()
    assert memory.growth < GROWTH


async def test_long_cookie_fields_take_no_memory(share: Share, upstream: RawUpstream) -> None:
    """A browser repeats its cookies; whoever sends others each time must not fill the memory with them."""
    shared = await share(upstream)
    client = await shared.connect()
    memory = Memory(shared.server)
    cookies = b"; ".join(b"c%d=1" % number for number in range(6000))[: 60 * 1024]
    # Refused, on a connection that stays: its sender holds a pass.
    refused = b"DELETE / HTTP/1.1\r\nHost: %b\r\nOrigin: http://elsewhere.example\r\n" % shared.host
    for number in range(600):
        client.send(refused + b"Cookie: %b; n=%d; %b\r\n\r\n" % (shared.cookie, number, cookies))
        assert (await client.answer()).status == 403
    assert memory.growth < GROWTH


async def test_an_upload_to_an_environment_that_is_not_connected_yet_is_held_back(share: Share) -> None:
    # A listening socket whose backlog is full: connecting to it waits.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            shared = await share(f"http://127.0.0.1:{port}")
            client = await shared.connect()
            memory = Memory(shared.server)
            sender = Sender(client.send_all)
            async with asyncio.TaskGroup() as tasks:
                client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: %d" % SIZE))
                sending = tasks.create_task(sender.run())
                await sender.stalled()
                assert sender.sent < SIZE
                sending.cancel()
            assert memory.growth < GROWTH
        finally:
            for filler in fillers:
                filler.close()


async def test_each_server_sent_event_arrives_when_it_is_sent(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/events", b"Accept: text/event-stream"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    head = await client.head()
    assert head.get(b"content-type") == b"text/event-stream"
    for number in range(5):
        event = b"data: %d\n\n" % number
        end.send(b"%x\r\n%b\r\n" % (len(event), event))
        assert await client.read(len(event) + 5) == b"%x\r\n%b\r\n" % (len(event), event)


async def test_half_a_chunk_arrives_before_its_other_half(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabc")
    assert (await client.head()).status == 200
    assert await client.read(8) == b"3\r\nabc\r\n"
    end.send(b"def\r\n0\r\n\r\n")
    assert await client.read(13) == b"3\r\ndef\r\n0\r\n\r\n"


async def test_events_to_an_http_1_0_client_arrive_when_they_are_sent(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"GET /events HTTP/1.0"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    await client.head()
    for number in range(3):
        end.send(b"data: %d\n\n" % number)
        assert await client.read(9) == b"data: %d\n\n" % number


async def test_an_upload_arrives_while_it_is_sent(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"))
    end = await upstream.accept()
    await end.head()
    assert await end.read(8) == b"3\r\nabc\r\n"
    client.send(b"3\r\nd")
    assert await end.read(6) == b"1\r\nd\r\n"
    client.send(b"ef\r\n0\r\n\r\n")
    assert await end.read(12) == b"2\r\nef\r\n0\r\n\r\n"


async def test_a_client_that_waits_for_100_gets_it_from_the_environment(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Expect: 100-Continue", b"Content-Length: 2"))
    end = await upstream.accept()
    assert (await end.head()).get(b"expect") == b"100-continue"
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (await client.head()).status == 100
    client.send(b"hi")
    assert await end.read(2) == b"hi"
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    client.send(shared.get(b"/next"))
    assert (await end.head()).target == b"/next"


async def test_an_environment_that_wants_no_body_says_so_instead_of_100(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Expect: 100-continue", b"Content-Length: 2"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
    answer = await client.answer()
    assert (answer.status, answer.body) == (417, b"no")
    assert answer.get(b"connection") == b"close"
    assert await client.rest() == b""
    await end.gone()


async def test_an_http_1_0_client_cannot_expect_100(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.0", b"Expect: 100-continue", b"Content-Length: 2", body=b"hi"))
    end = await upstream.accept()
    assert (await end.head()).get(b"expect") is None
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert (await client.head()).status == 200


@pytest.mark.parametrize("framing", ["counted", "chunked"])
async def test_an_early_answer_arrives_although_the_client_goes_on_sending(
    share: Share, upstream: RawUpstream, framing: str
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    field = b"Content-Length: 100000000" if framing == "counted" else b"Transfer-Encoding: chunked"
    client.send(shared.request(b"POST /upload HTTP/1.1", field))
    client.send(b"%x\r\n" % 100_000_000 if framing == "chunked" else b"")
    client.send(b"x" * 1000)
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
    # The client looks for an answer only after it has sent half a MiB more.
    for _ in range(8):
        await client.send_all(b"x" * 64 * 1024)
    answer = await client.answer()
    assert (answer.status, answer.body) == (413, b"too much")
    assert answer.get(b"connection") == b"close"
    assert await client.rest() == b""
    await end.gone()


@pytest.mark.parametrize("has_pass", [True, False], ids=["environment", "gateway"])
async def test_an_early_answer_waits_for_a_client_that_sends_everything_first(
    share: Share, upstream: RawUpstream, *, has_pass: bool
) -> None:
    """As Chromium does, which would show a broken connection in place of what went wrong."""
    shared = await share(upstream)
    if not has_pass:
        shared.cookie = b"none=1"
    client = await shared.connect()
    client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: %d" % (32 * MIB)))
    if has_pass:
        end = await upstream.accept()
        await end.head()
        end.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
    for _ in range(32 * MIB // len(PIECE)):
        await client.send_all(PIECE)
    assert (await client.answer()).status == 401
    assert await client.rest() == b""


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_answer_arrives_from_an_environment_that_closes_on_an_upload(
    share: Share, upstream: RawUpstream, tls_upstream: RawUpstream, scheme: str
) -> None:
    """Many servers that want no more of a body answer and close, and the reset overtakes what they said.

    Over TLS it fails what is still being sent, often before the answer was read.
    """
    listening = tls_upstream if scheme == "https" else upstream
    shared = await share(listening, tlsVerify=False)
    for _ in range(5):
        client = await shared.connect()

        async def upload(client: RawClient = client) -> None:
            client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: 100000000"))
            for _ in range(64):
                await client.send_all(PIECE)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(upload())
            end = await listening.accept()
            await end.head()
            # Small enough for the window that a new connection has: what is not on its way yet, a reset takes back.
            body = PIECE[:20_000]
            end.send(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n" + body)
            # What it has not read of the upload makes a reset of this.
            if scheme == "https":
                end.hang_up()
            else:
                await end.close()
        answer = await client.answer()
        assert (answer.status, answer.body) == (413, body)
        assert await client.rest() == b""


async def test_an_early_answer_has_the_time_that_any_answer_has(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect(receive_buffer=4096)
    client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: 100000000", body=b"x" * 1000))
    end = await upstream.accept()
    await end.head()
    size = 3 * MIB
    end.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    await client.head()
    # All of it waits for a client that looks away for longer than the gateway would wait for more of the upload.
    await asyncio.sleep(4)
    assert await client.read(size) == bytes(size)
    assert await client.rest() == b""


async def test_a_client_that_never_stops_sending_after_its_answer_is_cut_off(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: 1000000000"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
    assert (await client.answer()).status == 413

    async def go_on() -> None:
        for _ in range(2000):
            await client.send_all(PIECE)

    with pytest.raises(ConnectionError):
        await go_on()


async def test_an_early_answer_of_any_size_arrives_whole(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: 100000000", body=b"x" * 1000))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(64):
        end.send(b"10000\r\n%b\r\n" % PIECE)
    end.send(b"0\r\n\r\n")
    answer = await client.answer()
    assert answer.body == PIECE * 64
    assert await client.rest() == b""


async def test_nothing_of_a_request_is_left_over_for_the_next_one(share: Share, upstream: RawUpstream) -> None:
    """A connection whose upload was cut short by an early answer must not carry another visitor's request."""
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST /upload HTTP/1.1", b"Content-Length: 100", body=b"x" * 10))
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    with pytest.raises(BrokenOffError):
        await end.read(1000)
    other = await shared.connect()
    other.send(shared.get(b"/other"))
    assert (await (await upstream.accept()).head()).target == b"/other"


async def test_what_is_still_to_be_sent_of_a_complete_answer_ends_with_the_link(
    share: Share, upstream: RawUpstream
) -> None:
    """The environment has said all; a slow visitor must not get the rest of it after the link was switched off."""
    shared = await share(upstream)
    client = await shared.connect(receive_buffer=4096)
    client.send(shared.get(b"/report"))
    end = await upstream.accept()
    await end.head()
    size = 900 * 1024
    end.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    # The gateway closes this connection when it has taken the whole answer from it.
    await end.gone()

    await shared.server.deactivate(shared.environment["id"], shared.link["id"])

    with pytest.raises(BrokenOffError):
        await client.answer()
