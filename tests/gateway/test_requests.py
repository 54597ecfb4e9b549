"""What an environment gets to see of a request."""

from __future__ import annotations

import pytest
from tests.gateway.raw_client import BrokenOffError
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import OK, Share

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_method_target_and_end_to_end_fields_arrive_as_they_were_sent(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(
        shared.request(
            b"PROPFIND /dav/%C3%A9//x?a=1&b=%20;c HTTP/1.1",
            b"Range: bytes=0-99",
            b'If-None-Match: "abc", W/"d"',
            b"If-Modified-Since: Sun, 01 Mar 2026 12:00:00 GMT",
            b'If-Range: "abc"',
            b"Authorization: Bearer dXNlcjpwdw==",
            b"X-Latin: caf\xe9",
            b"X-Twice: 1",
            b"X-Twice: 2",
            b"X-Empty:",
        )
    )
    end = await upstream.accept()
    head = await end.head()
    assert head.line == b"PROPFIND /dav/%C3%A9//x?a=1&b=%20;c HTTP/1.1"
    assert [field for field in head.fields if not field[0].startswith(b"X-Forwarded")] == [
        (b"Host", shared.host),
        (b"Range", b"bytes=0-99"),
        (b"If-None-Match", b'"abc", W/"d"'),
        (b"If-Modified-Since", b"Sun, 01 Mar 2026 12:00:00 GMT"),
        (b"If-Range", b'"abc"'),
        (b"Authorization", b"Bearer dXNlcjpwdw=="),
        (b"X-Latin", b"caf\xe9"),
        (b"X-Twice", b"1"),
        (b"X-Twice", b"2"),
        (b"X-Empty", b""),
    ]
    end.send(OK)
    assert (await client.answer()).body == b"ok"


async def test_fields_between_neighbours_end_at_the_gateway(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(
        shared.get(
            b"/",
            b"Connection: keep-alive, X-Named, x-other",
            b"X-Named: 1",
            b"X-Other: 1",
            b"Keep-Alive: timeout=5",
            b"Proxy-Connection: keep-alive",
            b"Proxy-Authorization: Basic eA==",
            b"TE: trailers",
            b"Trailer: X-Sum",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABk",
            b"Accept: */*",
        )
    )
    head = await (await upstream.accept()).head()
    assert head.names == [b"host", b"accept", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"]


async def test_names_that_servers_could_take_for_others_never_arrive(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(
        shared.get(
            b"/",
            b"X_Forwarded_Host: evil.example",
            b"Content_Length: 3",
            b"X_Odoo_Database: other",
            b"X.Dot: 1",
            b"X-Good-1: 1",
        )
    )
    head = await (await upstream.accept()).head()
    assert head.names == [b"host", b"x-good-1", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"]


async def test_forwarding_fields_from_outside_are_replaced_by_true_ones(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(
        shared.get(
            b"/",
            b"X-Forwarded-For: 203.0.113.9",
            b"X-Forwarded-Host: evil.example",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Port: 443",
            b"X-Forwarded-Prefix: /evil",
            b"X-Real-IP: 203.0.113.9",
            b"Forwarded: for=203.0.113.9;host=evil.example",
        )
    )
    head = await (await upstream.accept()).head()
    assert dict(head.fields) == {
        b"Host": shared.host,
        b"X-Forwarded-For": b"127.0.0.1",
        b"X-Forwarded-Host": shared.host,
        b"X-Forwarded-Proto": b"http",
    }


async def test_the_visitors_pass_never_reaches_the_environment(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    request = shared.get(b"/").replace(b"Cookie: ", b"Cookie: theme=dark; ")
    client.send(request)
    head = await (await upstream.accept()).head()
    assert head.get(b"cookie") == b"theme=dark"


async def test_an_own_cookie_field_for_each_cookie_is_one_for_the_environment(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/", b"Cookie: a=1", b"Cookie: b=2"))
    head = await (await upstream.accept()).head()
    assert head.get(b"cookie") == b"a=1; b=2"


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        (b"http://HOST/a?b", b"/a?b"),
        (b"HTTP://HOST/a", b"/a"),
        (b"http://HOST", b"/"),
        (b"http://HOST?b", b"/?b"),
    ],
)
async def test_a_target_with_this_very_host_arrives_as_a_path(
    share: Share, upstream: RawUpstream, target: bytes, arrives: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(target.replace(b"HOST", shared.host)))
    assert (await (await upstream.accept()).head()).target == arrives


async def test_one_empty_line_before_a_request_is_forgiven(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(b"\r\n" + shared.get(b"/first"))
    end = await upstream.accept()
    assert (await end.head()).target == b"/first"
    end.send(OK)
    assert (await client.answer()).status == 200
    client.send(b"\r\n" + shared.get(b"/second"))
    assert (await end.head()).target == b"/second"
    end.send(OK)
    assert (await client.answer()).status == 200


async def test_a_request_that_drips_in_byte_by_byte_is_the_same_request(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    requests = [
        shared.request(b"POST /a?b HTTP/1.1", b"Content-Length: 5", b"X-A: 1", body=b"12345"),
        shared.request(b"POST /c HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n"),
        shared.get(b"/d"),
    ]
    seen: list[tuple[bytes, bytes]] = []
    for send in ("send", "send_slowly"):
        client = await shared.connect()
        for request in requests:
            if send == "send":
                client.send(request)
            else:
                await client.send_slowly(request)
            if not seen:
                end = await upstream.accept()
            head = await end.head()
            chunked = head.get(b"transfer-encoding") is not None
            body = await end.chunked() if chunked else await end.read(int(head.get(b"content-length") or 0))
            seen.append((head.raw, body.replace(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n", b"3\r\nabc\r\n")))
            end.send(OK)
            assert (await client.answer()).body == b"ok"
    assert seen[:3] == seen[3:]
    assert [body for _, body in seen[:3]] == [b"12345", b"3\r\nabc\r\n0\r\n\r\n", b""]


async def test_a_request_cut_in_two_at_any_byte_is_the_same_request(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    request = shared.request(b"POST /a HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n")
    client = await shared.connect()
    client.send(request)
    end = await upstream.accept()
    whole = (await end.head()).raw
    assert await end.chunked() == b"3\r\nabc\r\n0\r\n\r\n"
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    for cut in range(1, len(request)):
        await client.send_all(request[:cut])
        client.send(request[cut:])
        assert (await end.head()).raw == whole
        assert b"".join((await end.chunked()).split(b"\r\n")[1::2]) == b"abc"
        end.send(OK)
        assert (await client.answer()).body == b"ok"
    assert upstream.accepted == 1


async def test_a_chunked_body_is_framed_anew_without_extensions_and_trailers(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    body = b'00005;name="va;l\\"ue"\r\nhello\r\n1;x\r\n \r\n005\r\nworld\r\n000\r\nX-Sum: 1\r\nConnection: x\r\n\r\n'
    client.send(shared.request(b"POST /upload HTTP/1.1", b"Transfer-Encoding: chunked", b"Trailer: X-Sum", body=body))
    end = await upstream.accept()
    head = await end.head()
    assert head.get(b"transfer-encoding") == b"chunked"
    assert head.get(b"content-length") is None
    received = await end.chunked()
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert b"X-Sum" not in received
    assert b"name" not in received
    sizes_and_data = received.removesuffix(b"0\r\n\r\n").split(b"\r\n")
    assert b"".join(sizes_and_data[1::2]) == b"hello world"
    end.send(OK)
    assert (await client.answer()).status == 200


async def test_an_empty_body_with_a_length_keeps_its_length(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Content-Length: 0"))
    assert (await (await upstream.accept()).head()).get(b"content-length") == b"0"


async def test_an_http_1_0_client_is_served_and_closed(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"GET /old HTTP/1.0"))
    end = await upstream.accept()
    assert (await end.head()).line == b"GET /old HTTP/1.1"
    end.send(OK)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    assert await client.rest() == b""


async def test_an_http_1_0_client_that_asks_for_it_keeps_its_connection(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST /old HTTP/1.0", b"Connection: Keep-Alive", b"Content-Length: 2", body=b"hi"))
    end = await upstream.accept()
    await end.head()
    assert await end.read(2) == b"hi"
    end.send(OK)
    assert (await client.answer()).get(b"connection") == b"keep-alive"
    client.send(shared.request(b"GET /again HTTP/1.0"))
    assert (await end.head()).target == b"/again"


async def test_a_client_that_says_close_is_closed_after_its_answer(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/", b"Connection: Close"))
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await client.answer()).get(b"connection") == b"close"
    assert await client.rest() == b""


async def test_a_client_that_closes_its_sending_half_still_gets_its_answer(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/"))
    client.finish_sending()
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    assert await client.rest() == b""


async def test_all_that_was_sent_before_the_sending_half_was_closed_is_answered(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    unknown = shared.get(b"/share/gp_nothing")
    post = shared.request(b"POST /3 HTTP/1.1", b"Content-Length: 2", body=b"hi")
    client.send(shared.get(b"/1") + unknown + unknown + post + b"GET /4 HTTP/1.1\r\nHost")
    client.finish_sending()
    end = await upstream.accept()
    assert (await end.head()).target == b"/1"
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    assert [(await client.answer()).status for _ in range(2)] == [404, 404]
    assert (await end.head()).target == b"/3"
    assert await end.read(2) == b"hi"
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    assert await client.rest() == b""


async def test_an_upload_whose_end_can_not_come_any_more_is_ended(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/1") + shared.request(b"POST /2 HTTP/1.1", b"Content-Length: 9", body=b"some"))
    client.finish_sending()
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await client.answer()).body == b"ok"
    assert await client.rest() == b""
    with pytest.raises(BrokenOffError):
        await end.read(10_000)


async def test_a_referer_that_holds_a_share_url_is_withheld(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    end = None
    url = shared.link["url"].encode()
    path = url.removeprefix(b"http://" + shared.host)
    # RFC 9110, section 10.1.3: it may be a part of a URL, too.
    for referer in (url, path, path + b"/login?a", b"//" + shared.host + path, url.replace(b"http", b"HTTP")):
        client.send(shared.get(b"/", b"Referer: " + referer))
        end = end or await upstream.accept()
        assert (await end.head()).get(b"referer") is None
        end.send(OK)
        await client.answer()
    for referer in (b"http://" + shared.host + b"/page", b"/page?from=" + path, b"share/of-the-market"):
        client.send(shared.get(b"/", b"Referer: " + referer))
        end = end or await upstream.accept()
        assert (await end.head()).get(b"referer") == referer
        end.send(OK)
        await client.answer()
