"""Several requests sent at once over one connection: answers come in the order of the requests."""

from __future__ import annotations

import pytest
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import OK, Share

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _answer(text: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


async def test_answers_come_in_the_order_of_the_requests(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(
        shared.get(b"/1")
        + shared.request(b"POST /2 HTTP/1.1", b"Content-Length: 3", body=b"two")
        + shared.request(b"POST /3 HTTP/1.1", b"Transfer-Encoding: chunked", body=b"5\r\nthree\r\n0\r\n\r\n")
        + shared.request(b"HEAD /4 HTTP/1.1")
        + b"\r\n"
        + shared.get(b"/5")
    )
    end = await upstream.accept()
    assert (await end.head()).target == b"/1"
    end.send(_answer(b"first"))
    assert (await end.head()).target == b"/2"
    assert await end.read(3) == b"two"
    end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\n")
    assert (await end.head()).target == b"/3"
    assert await end.chunked() == b"5\r\nthree\r\n0\r\n\r\n"
    end.send(_answer(b"third"))
    assert (await end.head()).line == b"HEAD /4 HTTP/1.1"
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    assert (await end.head()).target == b"/5"
    end.send(_answer(b"fifth"))
    bodies = [(await client.answer(to=method)).body for method in (b"GET", b"POST", b"POST", b"HEAD", b"GET")]
    assert bodies == [b"first", b"second", b"third", b"", b"fifth"]


async def test_a_later_request_waits_for_the_answer_before(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/1") + shared.get(b"/2"))
    end = await upstream.accept()
    assert (await end.head()).raw.endswith(b"\r\n\r\n")
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
    assert (await client.head()).status == 200
    assert await client.read(2) == b"ha"
    assert upstream.accepted == 1
    end.send(b"lf")
    assert (await end.head()).target == b"/2"
    end.send(OK)
    assert await client.read(2) == b"lf"
    assert (await client.answer()).body == b"ok"


async def test_answers_of_the_gateway_itself_keep_their_place(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    unknown = shared.get(b"/share/gp_nothing")
    foreign = shared.request(b"DELETE /x HTTP/1.1", b"Origin: http://evil.example")
    client.send(unknown + shared.get(b"/1") + foreign + unknown + shared.get(b"/2") + foreign)
    assert (await client.answer()).status == 404
    end = await upstream.accept()
    assert (await end.head()).target == b"/1"
    end.send(_answer(b"first"))
    assert (await client.answer()).body == b"first"
    assert [(await client.answer()).status for _ in range(2)] == [403, 404]
    assert (await end.head()).target == b"/2"
    end.send(_answer(b"second"))
    assert (await client.answer()).body == b"second"
    assert (await client.answer()).status == 403


async def test_a_stranger_is_told_once_for_each_connection(share: Share, upstream: RawUpstream) -> None:
    """To be refused costs them a connection, so that a megabyte of requests is one refusal and not 30,000."""
    shared = await share(upstream)
    client = await shared.connect()
    client.send((b"GET /x HTTP/1.1\r\nHost: " + shared.host + b"\r\n\r\n") * 1000 + shared.get(b"/1"))
    refusal = await client.answer()
    assert (refusal.status, dict(refusal.fields)[b"connection"]) == (401, b"close")
    assert await client.rest() == b""
    assert upstream.accepted == 0


async def test_a_refused_request_ends_what_was_sent_behind_it(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/1") + shared.get(b"/a#b") + shared.get(b"/2"))
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    assert (await client.answer()).status == 400
    assert await client.rest() == b""
    assert upstream.accepted == 1


async def test_hundreds_of_requests_at_once_are_all_answered(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    count = 1000
    client.send(b"".join(shared.get(b"/%d" % number) for number in range(count)))
    end = await upstream.accept()
    for number in range(count):
        assert (await end.head()).target == b"/%d" % number
        end.send(_answer(b"%d" % number))
        assert (await client.answer()).body == b"%d" % number
    assert upstream.accepted == 1


async def test_bytes_behind_a_counted_body_are_the_next_request_and_never_part_of_it(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST /1 HTTP/1.1", b"Content-Length: 4", body=b"GET ") + shared.get(b"/2"))
    end = await upstream.accept()
    await end.head()
    assert await end.read(4) == b"GET "
    end.send(OK)
    assert (await client.answer()).status == 200
    assert (await end.head()).line == b"GET /2 HTTP/1.1"
