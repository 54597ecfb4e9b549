"""What a visitor gets to see of an environment's answer."""

from __future__ import annotations

import pytest
from tests.gateway.raw_client import BrokenOffError
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import OK, Share, exchange

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_status_fields_and_body_arrive_as_the_environment_sent_them(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/file", b"Range: bytes=2-4"))
    end = await upstream.accept()
    await end.head()
    end.send(
        b"HTTP/1.1 206 Partial Content\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\nContent-Range: bytes 2-4/9\r\n"
        b'Content-Length: 3\r\nETag: "abc"\r\nAccept-Ranges: bytes\r\nVary: a\r\nVary: b\r\nX-Latin: caf\xe9\r\n\r\ncde'
    )
    answer = await client.answer()
    assert (answer.version, answer.status, answer.body) == (b"HTTP/1.1", 206, b"cde")
    assert [field for field in answer.fields if field[0] != b"cache-control"] == [
        (b"date", b"Sun, 01 Mar 2026 12:00:00 GMT"),
        (b"content-range", b"bytes 2-4/9"),
        (b"etag", b'"abc"'),
        (b"accept-ranges", b"bytes"),
        (b"vary", b"a"),
        (b"vary", b"b"),
        (b"x-latin", b"caf\xe9"),
        (b"content-length", b"3"),
    ]


async def test_fields_between_neighbours_end_at_the_gateway(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Authenticate: Basic\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n"
    )
    names = {name for name, _ in (await client.answer()).fields}
    assert names == {b"x-stays", b"content-length", b"date", b"cache-control"}


async def test_what_an_environment_says_about_the_whole_origin_is_dropped(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(
        b'HTTP/1.1 200 OK\r\nClear-Site-Data: "cookies"\r\nStrict-Transport-Security: max-age=1\r\n'
        b'Alt-Svc: h3=":443"\r\nNEL: {}\r\nReport-To: {}\r\nReporting-Endpoints: x="y"\r\n'
        b"Service-Worker-Allowed: /\r\nContent-Length: 0\r\n\r\n"
    )
    names = {name for name, _ in (await client.answer()).fields}
    assert names == {b"content-length", b"date", b"cache-control"}


async def test_a_chunked_answer_is_framed_anew_and_the_connections_live_on(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/a"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n003;x=y\r\nabc\r\n")
    end.send(b"2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n")
    answer = await client.answer()
    assert answer.get(b"transfer-encoding") == b"chunked"
    assert answer.body == b"abcde"
    assert (await exchange(client, end, shared.get(b"/b"), OK)).body == b"ok"


async def test_an_answer_that_ends_with_the_connection_is_complete_at_a_clean_end(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/a"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the")
    await end.close()
    assert (await client.answer()).body == b"until the"
    client.send(shared.get(b"/b"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nvery end")
    await end.close()
    assert (await client.answer()).body == b"very end"


@pytest.mark.parametrize(
    ("answer", "length"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n", b"12345", id="with a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, id="chunked"),
    ],
)
async def test_an_answer_to_head_has_no_body_whatever_its_fields_say(
    share: Share, upstream: RawUpstream, answer: bytes, length: bytes | None
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"HEAD / HTTP/1.1"))
    end = await upstream.accept()
    assert (await end.head()).line == b"HEAD / HTTP/1.1"
    end.send(answer)
    received = await client.answer(to=b"HEAD")
    assert (received.status, received.get(b"content-length")) == (200, length)
    assert (await exchange(client, end, shared.get(), OK)).body == b"ok"


async def test_an_answer_to_head_that_names_no_length_is_the_last_of_its_connection(
    share: Share, upstream: RawUpstream
) -> None:
    """The answer to GET would end with the connection, and some servers end it here too."""
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"HEAD / HTTP/1.1"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\n\r\n")
    assert (await client.answer(to=b"HEAD")).status == 200
    await end.gone()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', id="304"),
        pytest.param(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 500\r\n\r\n', id="304 with a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="200 of length 0"),
    ],
)
async def test_an_answer_without_a_body_ends_with_its_head(share: Share, upstream: RawUpstream, answer: bytes) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/", b'If-None-Match: "a"'))
    end = await upstream.accept()
    assert (await end.head()).get(b"if-none-match") == b'"a"'
    end.send(answer)
    received = await client.answer()
    assert (received.status, received.body) == (int(answer[9:12]), b"")
    assert received.get(b"transfer-encoding") is None
    assert (await exchange(client, end, shared.get(), OK)).body == b"ok"


async def test_an_http_1_0_environment_is_asked_anew_for_each_request(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    for target in (b"/a", b"/b"):
        client.send(shared.get(target))
        end = await upstream.accept()
        assert (await end.head()).target == target
        end.send(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        answer = await client.answer()
        assert (answer.version, answer.body) == (b"HTTP/1.1", b"ok")
        await end.gone()


async def test_an_http_1_0_environment_that_offers_it_is_asked_again(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok")
    await client.answer()
    assert (await exchange(client, end, shared.get(), OK)).body == b"ok"


async def test_an_environment_that_says_close_is_not_asked_again(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    answer = await client.answer()
    assert answer.get(b"connection") is None, "the environment's wish is not the visitor's"
    await end.gone()
    client.send(shared.get(b"/again"))
    assert (await (await upstream.accept()).head()).target == b"/again"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", id="chunked"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nabc", id="until close"),
    ],
)
async def test_an_http_1_0_client_gets_a_body_of_unknown_length_until_the_end(
    share: Share, upstream: RawUpstream, answer: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"GET / HTTP/1.0", b"Connection: keep-alive"))
    end = await upstream.accept()
    await end.head()
    end.send(answer)
    await end.close()
    received = await client.answer()
    assert received.get(b"transfer-encoding") is None
    assert received.get(b"connection") == b"close"
    assert received.body == b"abc"


async def test_an_answer_that_drips_in_byte_by_byte_is_the_same_answer(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    answers = [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    ]
    for position, answer in enumerate(answers):
        await end.send_slowly(answer)
        assert (await client.answer()).body == b"ok"
        if position < len(answers) - 1:
            client.send(shared.get())
            await end.head()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="HTTP/2.0"),
        pytest.param(b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok", id="HTTP/0.9"),
        pytest.param(b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="RTSP"),
        pytest.param(b"ICE/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="ICE"),
        pytest.param(b"HTTP/1.1 000 Zero\r\nContent-Length: 2\r\n\r\nok", id="status 000"),
        pytest.param(b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok", id="status 099"),
        pytest.param(b"HTTP/1.1 600 High\r\nContent-Length: 2\r\n\r\nok", id="status 600"),
        pytest.param(b"HTTP/1.1 999 High\r\nContent-Length: 2\r\n\r\nok", id="status 999"),
        pytest.param(b"HTTP/1.1 20 Short\r\nContent-Length: 2\r\n\r\nok", id="a status of two digits"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", id="TE gzip"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok", id="TE identity"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="TE gzip, chunked"),
        pytest.param(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="TE on HTTP/1.0"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="TE twice",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="a length and TE"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", id="a length in words"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", id="a list of lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nok", id="a blank before the colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 2\r\n\r\nok", id="a folded field"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: y\x00\r\nContent-Length: 2\r\n\r\nok", id="a NUL"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n", id="bare LFs"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 201 + b"\r\n", id="more than 200 fields"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", id="a head over 64 KiB"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, id="a head that never ends"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another protocol"),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="101 unasked"
        ),
    ],
)
async def test_a_broken_answer_is_502_and_its_connection_is_dropped(
    share: Share, upstream: RawUpstream, answer: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/first"))
    end = await upstream.accept()
    await end.head()
    end.send(answer)
    received = await client.answer()
    assert received.status == 502
    await end.gone()
    client.send(shared.get(b"/second"))
    assert (await (await upstream.accept()).head()).target == b"/second"


async def test_hints_reach_an_http_1_1_client_before_the_answer(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nSet-Cookie: a=1\r\nConnection: X\r\nX: y\r\n\r\n"
    )
    hints = await client.head()
    assert (hints.status, hints.fields) == (103, ((b"link", b"</a.css>; rel=preload"),))
    end.send(OK)
    assert (await client.answer()).body == b"ok"


async def test_an_http_1_0_client_never_sees_interim_answers(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"GET / HTTP/1.0"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    assert (await client.head()).status == 200
    assert await client.rest() == b"ok"


async def test_ten_interim_answers_pass_and_more_are_502(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 10 + OK)
    assert [(await client.head()).status for _ in range(11)] == [102] * 10 + [200]
    assert await client.read(2) == b"ok"
    client.send(shared.get())
    await end.head()
    end.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 11 + OK)
    assert (await client.answer()).status == 502
    await end.gone()


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nowned", b"\r\n", b"x"])
@pytest.mark.parametrize("when", ["with the answer", "after the answer"])
async def test_a_connection_with_unexpected_bytes_is_never_used_again(
    share: Share, upstream: RawUpstream, extra: bytes, when: str
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/first"))
    end = await upstream.accept()
    await end.head()
    if when == "with the answer":
        end.send(OK + extra)
        assert (await client.answer()).body == b"ok"
    else:
        end.send(OK)
        assert (await client.answer()).body == b"ok"
        end.send(extra)
    await end.gone()
    client.send(shared.get(b"/second"))
    other = await upstream.accept()
    assert (await other.head()).target == b"/second"
    other.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright")
    assert (await client.answer()).body == b"right"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nmore",
        b"HTTP/1.1 304 Not Modified\r\n\r\nmore",
    ],
    ids=["behind a last chunk", "behind 204", "behind 304"],
)
async def test_bytes_behind_an_answers_end_reach_nobody(share: Share, upstream: RawUpstream, answer: bytes) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/first"))
    end = await upstream.accept()
    await end.head()
    end.send(answer)
    assert b"more" not in (await client.answer()).body
    await end.gone()
    client.send(shared.get(b"/second", b"Connection: close"))
    other = await upstream.accept()
    await other.head()
    other.send(OK)
    assert (await client.answer()).body == b"ok"
    assert await client.rest() == b""


async def test_an_answer_that_breaks_the_chunked_grammar_is_cut_off(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n0\r\n\r\n")
    with pytest.raises(BrokenOffError):
        await client.answer()
    await end.gone()
