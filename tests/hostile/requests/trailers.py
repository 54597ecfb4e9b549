"""Trailers: fields behind a chunked body, which end here."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import BOTH, Forwarded, RequestCase, RequestFamily, chunked, forwarded, refused

_FORBIDDEN: Final = "RFC 9110, section 6.5.1: fields that frame, route or authenticate MUST NOT be in trailers; whoever merges them reads another request"
_GRAMMAR: Final = "RFC 9112, section 7.1.2: trailers are fields; HTTP Garden and Funky chunks: line ends that differ"
_DROPPED: Final = (
    "llhttp hands it over like a field of the head; RFC 9110, section 6.5.1: MUST NOT be merged; it ends here"
)


def _refused(name: str, lines: bytes, why: str) -> RequestCase:
    return refused(name, chunked(b"3\r\nabc\r\n0\r\n" + lines + b"\r\n"), why)


def _dropped(name: str, line: bytes, *names: bytes) -> RequestCase:
    fields = tuple((name, None) for name in names)
    sent = chunked(b"3\r\nabc\r\n0\r\n" + line + b"\r\n\r\n", b"Trailer: X")
    return forwarded(name, sent, _DROPPED, Forwarded(method=b"POST", body=b"abc", fields=(*fields, (b"trailer", None))))


FAMILY: Final = RequestFamily(
    "trailers",
    (
        _dropped("one", b"X: y", b"x"),
        _dropped("two", b"X: y\r\nZ: w", b"x", b"z"),
        _dropped("Connection", b"Connection: close", b"connection"),
        _dropped("Connection that names Host", b"Connection: Host", b"connection"),
        _dropped("Upgrade", b"Connection: upgrade\r\nUpgrade: h2c", b"connection", b"upgrade"),
        _dropped("Cookie", b"Cookie: session_id=evil", b"cookie"),
        _dropped("Authorization", b"Authorization: Basic YTpi", b"authorization"),
        _dropped("X-Real-IP", b"X-Real-IP: 10.0.0.1", b"x-real-ip"),
        _dropped("Expect", b"Expect: 100-continue", b"expect"),
        _dropped("Trailer", b"Trailer: Host", b"trailer"),
        _dropped("an empty value", b"X:", b"x"),
        _dropped("8-bit bytes", b"X: \xe9", b"x"),
        _refused("Content-Length", b"Content-Length: 0\r\n", _FORBIDDEN),
        _refused("Content-Length in small letters", b"content-length: 100\r\n", _FORBIDDEN),
        _refused("Transfer-Encoding", b"Transfer-Encoding: chunked\r\n", _FORBIDDEN),
        _refused("Host", b"Host: other.example\r\n", _FORBIDDEN),
        _refused("our own Host", b"Host: HOST\r\n", _FORBIDDEN),
        _refused("Host behind others", b"X: y\r\nZ: w\r\nhOST: other.example\r\n", _FORBIDDEN),
        _refused("a blank before the colon", b"X : y\r\n", _GRAMMAR),
        _refused("Content-Length with a blank before the colon", b"Content-Length : 3\r\n", _GRAMMAR),
        _refused("folded", b"X: y\r\n z\r\n", _GRAMMAR),
        _refused("indented", b" X: y\r\n", _GRAMMAR),
        _refused("no colon", b"X\r\n", _GRAMMAR),
        _refused("no name", b": y\r\n", _GRAMMAR),
        _refused("a bare LF behind it", b"X: y\n", _GRAMMAR),
        _refused("a bare LF ends them", b"X: y\r\n\n", _GRAMMAR),
        _refused("a bare CR in it", b"X: y\rContent-Length: 3\r\n", _GRAMMAR),
        _refused("a NUL in it", b"X: y\0\r\n", _GRAMMAR),
        _refused("a control byte in it", b"X: \x1b\r\n", _GRAMMAR),
        _refused("a name that is no token", b"X(: y\r\n", _GRAMMAR),
        _refused("a request", b"GET /smuggled-MARK HTTP/1.1\r\nHost: HOST\r\n", "a body that ended early, to somebody"),
        _refused("an endless one", b"X: %b\r\n" % (b"y" * 6000), "llhttp has no limit"),
        _refused("endless many", (b"X: %b\r\n" % (b"y" * 1000)) * 20, "llhttp has no limit"),
    ),
    BOTH,
)  # fmt: skip
