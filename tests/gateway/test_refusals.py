"""Requests that have no single safe meaning: refused, and nothing of them reaches an environment."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.gateway.raw_client import BrokenOffError
from tests.gateway.raw_upstream import RawUpstream, raw_upstream
from tests.gateway.shared import OK, Share, Shared, sharing
from tests.installation import Installation

pytestmark = pytest.mark.asyncio(loop_scope="session")

_HOST = b"Host: HOST\r\n"
_LAST = b"0\r\n\r\n"


def _post(*fields: bytes, version: bytes = b"1.1", body: bytes = b"") -> bytes:
    return b"POST / HTTP/%b\r\n" % version + _HOST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def _case(status: int, raw: bytes, name: str) -> object:
    return pytest.param(status, raw, id=name)


REFUSED = [
    # The first line
    _case(400, b"\r\n\r\nGET / HTTP/1.1\r\n" + _HOST + b"\r\n", "two empty lines first"),
    _case(400, b"\nGET / HTTP/1.1\r\n" + _HOST + b"\r\n", "a bare LF first"),
    _case(400, b" GET / HTTP/1.1\r\n" + _HOST + b"\r\n", "a blank first"),
    _case(400, b"GET  / HTTP/1.1\r\n" + _HOST + b"\r\n", "two blanks before the target"),
    _case(400, b"GET /  HTTP/1.1\r\n" + _HOST + b"\r\n", "two blanks behind the target"),
    _case(400, b"GET / HTTP/1.1 \r\n" + _HOST + b"\r\n", "a blank behind the version"),
    _case(505, b"GET /\r\n" + _HOST + b"\r\n", "no version"),
    _case(400, b"get / HTTP/1.1\r\n" + _HOST + b"\r\n", "a method in small letters"),
    _case(400, b"GRAB / HTTP/1.1\r\n" + _HOST + b"\r\n", "a method that is none"),
    _case(400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "TLS on a plain port"),
    _case(505, b"GET / HTTP/2.0\r\n" + _HOST + b"\r\n", "HTTP/2.0"),
    _case(505, b"GET / HTTP/0.9\r\n" + _HOST + b"\r\n", "HTTP/0.9"),
    _case(505, b"GET / HTTP/1.2\r\n" + _HOST + b"\r\n", "HTTP/1.2"),
    _case(505, b"GET / RTSP/1.0\r\n" + _HOST + b"\r\n", "RTSP"),
    _case(405, b"CONNECT HOST HTTP/1.1\r\n" + _HOST + b"\r\n", "CONNECT"),
    _case(405, b"TRACE / HTTP/1.1\r\n" + _HOST + b"\r\n", "TRACE"),
    # The target
    _case(400, b"GET http://other.example/ HTTP/1.1\r\n" + _HOST + b"\r\n", "another host in the target"),
    _case(400, b"GET http://user@HOST/ HTTP/1.1\r\n" + _HOST + b"\r\n", "a user in the target"),
    _case(400, b"GET http:/// HTTP/1.1\r\n" + _HOST + b"\r\n", "no host in the target"),
    _case(400, b"GET ftp://HOST/ HTTP/1.1\r\n" + _HOST + b"\r\n", "ftp in the target"),
    _case(400, b"GET * HTTP/1.1\r\n" + _HOST + b"\r\n", "an asterisk as target"),
    _case(400, b"GET x HTTP/1.1\r\n" + _HOST + b"\r\n", "a target without a slash"),
    _case(400, b"GET /x#y HTTP/1.1\r\n" + _HOST + b"\r\n", "a fragment"),
    _case(400, b"GET /x\\y HTTP/1.1\r\n" + _HOST + b"\r\n", "a backslash"),
    _case(400, b"GET /%zz HTTP/1.1\r\n" + _HOST + b"\r\n", "a broken escape"),
    _case(400, b"GET /?%2 HTTP/1.1\r\n" + _HOST + b"\r\n", "an escape cut short"),
    _case(400, b"GET /\x01 HTTP/1.1\r\n" + _HOST + b"\r\n", "a control byte in the target"),
    _case(400, b"GET /\xe9 HTTP/1.1\r\n" + _HOST + b"\r\n", "an 8-bit byte in the target"),
    _case(414, b"GET /%b HTTP/1.1\r\n" % (b"x" * 17_000) + _HOST + b"\r\n", "a target over 16 KiB"),
    _case(414, b"GET /%b HTTP/1.1\r\n" % (b"x" * 100_000) + _HOST + b"\r\n", "a target over any head's size"),
    # Host
    _case(400, b"GET / HTTP/1.1\r\n\r\n", "no Host"),
    _case(400, b"GET / HTTP/1.0\r\n\r\n", "no Host on HTTP/1.0"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + _HOST + b"\r\n", "Host twice"),
    _case(400, b"GET / HTTP/1.1\r\nHost: \r\n\r\n", "an empty Host"),
    _case(400, b"GET / HTTP/1.1\r\nHost: a b/c@d,e\r\n\r\n", "junk as Host"),
    _case(400, b"GET / HTTP/1.1\r\nHost: user@HOST\r\n\r\n", "a user in Host"),
    _case(400, b"GET / HTTP/1.1\r\nHost: HOST:x\r\n\r\n", "a port that is none"),
    # Fields
    _case(400, b"GET / HTTP/1.1\n" + _HOST + b"\r\n", "a bare LF behind the first line"),
    _case(400, b"GET / HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n", "a bare LF between fields"),
    _case(400, b"GET / HTTP/1.1\nHost: HOST\n\n", "bare LFs throughout"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\rb\r\n\r\n", "a bare CR"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + b"X : y\r\n\r\n", "a blank before the colon"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + b"X: y\r\n z\r\n\r\n", "a folded field"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + b"X(: y\r\n\r\n", "a name that is no token"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\x00b\r\n\r\n", "a NUL in a value"),
    _case(400, b"GET / HTTP/1.1\r\n" + _HOST + b"X\r\n\r\n", "a field without a colon"),
    _case(431, b"GET / HTTP/1.1\r\n" + _HOST + b"X: %b\r\n\r\n" % (b"y" * 66_000), "a head over 64 KiB"),
    _case(431, b"GET / HTTP/1.1\r\n" + _HOST + b"X: %b" % (b"y" * 200_000), "a head that never ends"),
    _case(431, b"GET / HTTP/1.1\r\n" + _HOST + b"X: y\r\n" * 200 + b"\r\n", "more than 200 fields"),
    # Framing
    _case(400, _post(b"Transfer-Encoding: gzip"), "TE gzip"),
    _case(400, _post(b"Transfer-Encoding: gzip, chunked", body=_LAST), "TE gzip, chunked"),
    _case(400, _post(b"Transfer-Encoding: identity, chunked", body=_LAST), "TE identity, chunked"),
    _case(400, _post(b"Transfer-Encoding: ,chunked", body=_LAST), "TE with a comma first"),
    _case(400, _post(b"Transfer-Encoding: chunked, gzip"), "TE chunked, gzip"),
    _case(400, _post(b"Transfer-Encoding: chunked;q=1", body=_LAST), "TE with a parameter"),
    _case(400, _post(b"Transfer-Encoding: "), "an empty TE"),
    _case(400, _post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=_LAST), "TE twice"),
    _case(400, _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=_LAST), "TE chunked twice"),
    _case(400, _post(b"Transfer-Encoding: chunked", version=b"1.0", body=_LAST), "TE on HTTP/1.0"),
    _case(400, _post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=_LAST), "a length and TE"),
    _case(400, _post(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=_LAST), "TE and a length"),
    _case(400, _post(b"Content-Length: 1", b"Content-Length: 1", body=b"x"), "a length twice"),
    _case(400, _post(b"Content-Length: 1, 1", body=b"x"), "a list of lengths"),
    _case(400, _post(b"Content-Length: +1", body=b"x"), "a length with a sign"),
    _case(400, _post(b"Content-Length: 0x1", body=b"x"), "a length in hex"),
    _case(400, _post(b"Content-Length: "), "an empty length"),
    _case(400, _post(b"Content-Length: 99999999999999999999"), "a length over 64 bits"),
    # Upgrades
    _case(400, _post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 1", body=b"x"), "h2c with a body"),
    _case(
        400,
        _post(b"Connection: Upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked", body=_LAST),
        "a WebSocket with a body",
    ),
]


def _with_host(raw: bytes, shared: Shared) -> bytes:
    host, cookie = shared.host, shared.cookie
    # A pass is added, so that only what is wrong with the request itself keeps it from the environment.
    first, end, rest = raw.partition(b"Host: HOST\r\n")
    return (first + end + (b"Cookie: " + cookie + b"\r\n" if end else b"") + rest).replace(b"HOST", host)


@dataclass(frozen=True)
class Untouched:
    """An environment that nothing must reach."""

    shared: Shared
    upstream: RawUpstream


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def untouched(server: Installation) -> AsyncIterator[Untouched]:
    async with raw_upstream() as upstream, sharing(server) as share:
        yield Untouched(await share(upstream), upstream)


@pytest.mark.parametrize("how", ["at once", "byte by byte"])
@pytest.mark.parametrize(("status", "raw"), REFUSED)
async def test_a_request_that_could_be_misread_is_refused_and_the_connection_closed(
    untouched: Untouched, status: int, raw: bytes, how: str
) -> None:
    shared = untouched.shared
    client = await shared.connect()
    request = _with_host(raw, shared)
    follower = shared.get(b"/smuggled")
    if how == "at once":
        client.send(request + follower)
    elif len(request) > 10_000:
        for start in range(0, len(request), 1000):
            await client.send_all(request[start : start + 1000])
    else:
        await client.send_slowly(request)
    answer = await client.answer()
    assert answer.status == status
    assert answer.get(b"content-type") == b"application/problem+json"
    assert json.loads(answer.body)["status"] == status
    assert answer.get(b"connection") == b"close"
    await client.gone()
    await client.close()
    assert untouched.upstream.accepted == 0


async def test_the_host_of_somebody_else_is_misdirected_and_the_connection_lives_on(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/elsewhere").replace(b"Host: " + shared.host, b"Host: other.example"))
    assert (await client.answer()).status == 421
    client.send(shared.get(b"/here"))
    assert (await (await upstream.accept()).head()).target == b"/here"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"3\r\nabcd\r\n0\r\n\r\n", id="a chunk longer than it says"),
        pytest.param(b"3\nabc\r\n0\r\n\r\n", id="a bare LF behind a size"),
        pytest.param(b"3\r\nabc\n0\r\n\r\n", id="a bare LF behind a chunk"),
        pytest.param(b"0x3\r\nabc\r\n0\r\n\r\n", id="a size with 0x"),
        pytest.param(b"-3\r\nabc\r\n0\r\n\r\n", id="a negative size"),
        pytest.param(b"3 \r\nabc\r\n0\r\n\r\n", id="a blank behind a size"),
        pytest.param(b"3;\r\nabc\r\n0\r\n\r\n", id="a semicolon alone"),
        pytest.param(b"3;a\x01\r\nabc\r\n0\r\n\r\n", id="a control byte in an extension"),
        pytest.param(b"ffffffffffffffff1\r\nabc\r\n0\r\n\r\n", id="a size that overflows"),
        pytest.param(b"3;x=" + b"y" * 10_000 + b"\r\nabc\r\n0\r\n\r\n", id="an endless extension"),
        pytest.param(b"\r\n\r\n", id="no size"),
        pytest.param(b"0\r\nContent-Length: 3\r\n\r\n", id="a length as trailer"),
        pytest.param(b"0\r\nTransfer-Encoding: chunked\r\n\r\n", id="a coding as trailer"),
        pytest.param(b"0\r\nHost: other.example\r\n\r\n", id="a host as trailer"),
        pytest.param(b"0\r\nX: y\r\n z\r\n\r\n", id="a folded trailer"),
        pytest.param(
            b"0\r\nX-Y: " + b"z" * 3000 + b"\r\n" + (b"X: " + b"z" * 3000 + b"\r\n") * 6 + b"\r\n",
            id="endless trailers",
        ),
    ],
)
async def test_a_chunked_body_that_breaks_the_grammar_is_refused_and_never_completed(
    share: Share, upstream: RawUpstream, body: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=body))
    answer = await client.answer()
    assert answer.status == 400
    assert answer.get(b"connection") == b"close"
    await client.gone()
    if upstream.accepted:
        end = await upstream.accept()
        with pytest.raises(BrokenOffError):
            await end.read(10_000_000)


async def test_a_body_with_a_length_over_the_limit_is_refused_at_once(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream, bodyLimit=1000)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Content-Length: 1001", b"Expect: 100-continue"))
    answer = await client.answer()
    assert answer.status == 413
    assert "1000" in json.loads(answer.body)["detail"]
    assert upstream.accepted == 0


async def test_a_body_of_just_the_limit_passes(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream, bodyLimit=1000)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Content-Length: 1000", body=b"x" * 1000))
    end = await upstream.accept()
    await end.head()
    assert await end.read(1000) == b"x" * 1000
    end.send(OK)
    assert (await client.answer()).status == 200
    client.send(
        shared.request(
            b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3e8\r\n%b\r\n0\r\n\r\n" % (b"x" * 1000)
        )
    )
    await end.head()
    assert len(await end.chunked()) > 1000
    end.send(OK)
    assert (await client.answer()).status == 200


async def test_a_chunked_body_over_the_limit_is_refused_and_never_completed(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream, bodyLimit=1000)
    client = await shared.connect()
    client.send(
        shared.request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3e8\r\n%b\r\n" % (b"x" * 1000))
    )
    end = await upstream.accept()
    await end.head()
    client.send(b"1\r\ny\r\n0\r\n\r\n")
    answer = await client.answer()
    assert answer.status == 413
    assert answer.get(b"connection") == b"close"
    with pytest.raises(BrokenOffError):
        await end.read(10_000)


async def test_a_browser_that_is_refused_gets_a_page(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream, bodyLimit=10)
    answer = await shared.ask(b"POST / HTTP/1.1", b"Sec-Fetch-Mode: navigate", b"Content-Length: 11")
    assert answer.status == 413
    assert (answer.get(b"content-type") or b"").startswith(b"text/html")
    assert b"<html" in answer.body
