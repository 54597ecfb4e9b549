"""A head whose cookies are too long is shortened by its own answer, round by round."""

from __future__ import annotations

import pytest

from guestpass.gateway.oversized_cookies import shed
from guestpass.wire.heads import MAX_HEAD

NAVIGATES = b"Sec-Fetch-Mode: navigate"


def head(*cookies: bytes, line: bytes = b"GET /web/x?a=b HTTP/1.1", field: bytes = NAVIGATES) -> bytes:
    return b"\r\n".join([line, b"Host: share.example.com", field, b"Cookie: " + b"; ".join(cookies), b"", b""])


def removed(lines: list[bytes]) -> set[bytes]:
    return {line.removeprefix(b"Set-Cookie: ").partition(b"=")[0] for line in lines}


@pytest.mark.parametrize("size", [3, 300, 4090])
@pytest.mark.parametrize("secure", [True, False])
def test_within_as_many_redirects_as_browsers_follow_the_rest_is_short_enough(size: int, secure: bool) -> None:
    # Chromium keeps 180 for a domain, of 4096 bytes with their names.
    kept = [b"guestpass=1", b"__Host-Http-guestpass=1", b"guestpass.tag.sid=1"]
    names = [b"x%d" % number + b"n" * (size if number % 2 else 0) for number in range(180)]
    cookies = [*kept, *(name + b"=" + b"v" * (4096 - len(name)) for name in names)]
    rounds = 0
    while len(sent := head(*cookies)) > MAX_HEAD:
        shortened = shed(sent, secure=secure)
        assert shortened is not None
        target, lines = shortened
        assert target == b"/web/x?a=b"
        assert sum(map(len, lines)) <= 192 * 1024
        gone = removed(lines)
        cookies = [each for each in cookies if each.partition(b"=")[0] not in gone]
        rounds += 1
        assert rounds < 20
    assert cookies[:3] == kept


def test_it_removes_a_cookie_from_each_path_that_brings_it() -> None:
    shortened = shed(head(b"a=1", b"b" * MAX_HEAD, line=b"GET /web/x?/y HTTP/1.1"), secure=False)
    assert shortened is not None
    paths = [line.partition(b"Path=")[2].strip() for line in shortened[1]]
    assert paths == [b"/", b"/web", b"/web/", b"/web/x"]


def test_what_one_link_set_for_all_is_removed_too() -> None:
    shortened = shed(head(b"a=1", b"__Host-b=1", b"c=" + b"v" * MAX_HEAD), secure=True, domain=b"links.example.com")
    assert shortened is not None
    ends = [line.partition(b"Max-Age=0; ")[2].strip() for line in shortened[1] if line.startswith(b"Set-Cookie: a=")]
    assert b"Path=/; Secure; Domain=links.example.com" in ends
    assert b"Path=/; Secure" in ends
    assert not any(b"__Host-b" in line and b"Domain" in line for line in shortened[1])


@pytest.mark.parametrize(
    "sent",
    [
        head(b"a=1", b"b=" + b"v" * MAX_HEAD, line=b"POST / HTTP/1.1"),
        head(b"a=1", b"b=" + b"v" * MAX_HEAD, line=b"GET //evil.example/ HTTP/1.1"),
        head(b"a=1", b"b=" + b"v" * MAX_HEAD, line=b"GET http://evil.example/ HTTP/1.1"),
        head(b"a=1", b"b=" + b"v" * MAX_HEAD, line=b"GET /\\evil.example/ HTTP/1.1"),
        head(b"a=1", b"b=" + b"v" * MAX_HEAD, field=b"Sec-Fetch-Mode: cors"),
        head(b"guestpass=1", b"__Host-guestpass.x=" + b"v" * MAX_HEAD),
        head(b"a" * MAX_HEAD),
        b"GET / HTTP/1.1\r\nSec-Fetch-Mode: navigate\r\nX: " + b"v" * MAX_HEAD,
        b"GET /" + b"v" * MAX_HEAD,
    ],
)
def test_what_it_can_not_shorten_is_refused(sent: bytes) -> None:
    assert shed(sent, secure=True) is None


def test_no_cookie_adds_a_field_to_the_answer() -> None:
    names = (b"a\x0bb", b"a\x00", b"a\tb", b"\xff", b"a,b")
    shortened = shed(head(*(name + b"=1" for name in names), b"b=" + b"v" * MAX_HEAD), secure=True)
    assert shortened is not None
    assert removed(shortened[1]) == {b"\xff", b"a,b"}
