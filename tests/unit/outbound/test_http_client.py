"""What is made of an upstream's response to a request of ours, and when no more of it is waited for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.unit.outbound.upstreams import http_client, saying, serving

from guestpass.outbound.http_client import CONNECTIONS, MAX_BODY, AddressNotAllowedError, NoResponseError
from guestpass.wire.connector import UpstreamOrigin

REQUEST = b"GET / HTTP/1.1\r\nHost: odoo\r\n\r\n"


@pytest.mark.parametrize("at_a_time", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("answer", "stays"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello", False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
    ],
)
async def test_a_body_is_read_whole_however_it_ends_and_arrives(answer: bytes, stays: bool, at_a_time: int) -> None:
    async with serving(saying(answer, at_a_time=at_a_time, then_stay=stays)) as origin:
        response = await http_client().send(origin, REQUEST)
    assert (response.status, response.body) == (200, b"hello")


@pytest.mark.parametrize(
    ("request_line", "answer", "status"),
    [
        (b"HEAD / HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200),
        (b"GET / HTTP/1.1", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"GET / HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"GET / HTTP/1.1", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101),
    ],
)
async def test_where_there_is_no_body_none_is_waited_for(request_line: bytes, answer: bytes, status: int) -> None:
    async with serving(saying(answer, then_stay=True)) as origin:
        response = await http_client().send(origin, request_line + b"\r\nHost: odoo\r\n\r\n")
    assert (response.status, response.body) == (status, b"")


async def test_the_head_alone_can_be_asked_for() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-A: b\r\n\r\n", then_stay=True)) as origin:
        response = await http_client().send(origin, REQUEST, body=False)
    assert (response.value(b"x-a"), response.value(b"x-b")) == (b"b", b"")


@pytest.mark.parametrize("framing", [b"Content-Length: 999999999", b"Transfer-Encoding: chunked", b"Connection: close"])
async def test_of_a_long_body_only_the_beginning_is_read(framing: bytes) -> None:
    gone = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        piece = b"x" * 1000
        try:
            while True:
                writer.write(b"3e8\r\n" + piece + b"\r\n" if b"chunked" in framing else piece)
                await writer.drain()
        finally:
            gone.set()

    async with serving(script) as origin:
        response = await http_client().send(origin, REQUEST)
        async with asyncio.timeout(60):
            await gone.wait()
    assert response.body == b"x" * MAX_BODY


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "ended the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "ended the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "ended the connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "ended the connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", "not valid HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "not valid HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 11, "not valid HTTP"),
    ],
)
async def test_what_is_no_answer_is_told_in_words_of_ours(answer: bytes, said: str) -> None:
    async with serving(saying(answer)) as origin:
        with pytest.raises(NoResponseError, match=said) as caught:
            await http_client().send(origin, REQUEST)
    assert "OpenSSH" not in str(caught.value)


async def test_what_hangs_for_one_organisation_holds_up_no_other_behind_the_same_proxy() -> None:
    asked, all_hang, hanging = 0, asyncio.Event(), asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == CONNECTIONS:
            all_hang.set()
        if asked <= CONNECTIONS:
            await hanging.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    one = http_client()
    async with serving(script) as origin, asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(one.send(replace(origin, org="agency"), REQUEST))
        await all_hang.wait()
        waiting = tasks.create_task(one.send(replace(origin, org="agency"), REQUEST))
        assert (await one.send(replace(origin, org="another"), REQUEST)).status == 200
        assert not waiting.done()
        hanging.set()
        assert (await waiting).status == 200


async def test_an_upstream_that_says_nothing_is_let_go() -> None:
    gone = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            gone.set()

    async with serving(script) as origin:
        with pytest.raises(NoResponseError, match=r"did not answer within 0\.2 s"):
            await http_client(seconds=0.2).send(origin, REQUEST)
        async with asyncio.timeout(60):
            await gone.wait()


async def test_where_nothing_listens_that_is_said_at_once() -> None:
    for call in (
        http_client().send(UpstreamOrigin("127.0.0.1", 1, None), REQUEST),
        http_client().connect(UpstreamOrigin("127.0.0.1", 1, None)),
    ):
        with pytest.raises(NoResponseError, match="no connection can be made") as caught:
            await call
        assert not isinstance(caught.value, AddressNotAllowedError)


async def test_what_must_not_be_connected_to_is_not() -> None:
    asked = asyncio.Event()

    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()

    async with serving(script) as origin:
        for call in (
            http_client(deny="127.0.0.0/8").send(origin, REQUEST),
            http_client(deny="127.0.0.0/8").connect(origin),
        ):
            with pytest.raises(AddressNotAllowedError):
                await call
    assert not asked.is_set()


async def test_connecting_sends_nothing() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        await http_client().connect(UpstreamOrigin("127.0.0.1", server.sockets[0].getsockname()[1], None))
        async with asyncio.timeout(60):
            assert await received.get() == b""
