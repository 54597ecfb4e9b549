"""Chunked answers: ends, sizes, extensions and trailers that another reader would find elsewhere."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import CutOff, Passed, ResponseCase, ResponseFamily

_GRAMMAR: Final = (
    "RFC 9112, section 7.1: nothing behind a broken chunk has a certain meaning; half an answer must not look whole"
)
_TRAILER: Final = "RFC 9110, section 6.5.1: trailers MUST NOT be merged into the head; they end here"
_HEAD: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_LAST: Final = b"0\r\n\r\n"


def _broken(name: str, body: bytes, *, closes: bool = False) -> ResponseCase:
    return ResponseCase(name, _HEAD + body, CutOff(), _GRAMMAR, closes=closes)


def _reads(name: str, body: bytes, content: bytes, why: str, *names: bytes) -> ResponseCase:
    fields = tuple((name, None) for name in names)
    return ResponseCase(name, _HEAD + body, Passed(body=content, fields=fields), why, is_kept=True)


FAMILY: Final = ResponseFamily(
    "answer's chunks",
    (
        _reads("one", b"2\r\nok\r\n" + _LAST, b"ok", "RFC 9112, section 7.1"),
        _reads("none", _LAST, b"", "RFC 9112, section 7.1"),
        _reads("zeros and capitals", b"000A\r\n0123456789\r\n000\r\n\r\n", b"0123456789", "RFC 9112, section 7.1"),
        _reads("an extension", b'2;a="b;c"\r\nok\r\n0;d\r\n\r\n', b"ok", "RFC 9112, section 7.1.1: they end here"),
        _reads("an answer as content", b"13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n" + _LAST, b"HTTP/1.1 200 OK\r\n\r\n", "content may be anything"),
        _reads("a trailer", b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n", b"ok", _TRAILER, b"x-sum"),
        _reads("Set-Cookie as a trailer", b"2\r\nok\r\n0\r\nSet-Cookie: a=b\r\n\r\n", b"ok", _TRAILER, b"set-cookie"),
        _reads("Connection as a trailer", b"2\r\nok\r\n0\r\nConnection: close\r\n\r\n", b"ok", _TRAILER, b"connection"),
        _broken("a length as a trailer", b"2\r\nok\r\n0\r\nContent-Length: 100\r\n\r\n"),
        _broken("a coding as a trailer", b"2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        _broken("a folded trailer", b"2\r\nok\r\n0\r\nX: y\r\n z\r\n\r\n"),
        _broken("an endless trailer", b"2\r\nok\r\n0\r\nX: " + b"y" * 9000),
        _broken("endless trailers", b"2\r\nok\r\n0\r\n" + (b"X: %b\r\n" % (b"y" * 1000)) * 20),
        _broken("a bare LF behind a size", b"2\nok\r\n" + _LAST),
        _broken("a bare CR behind a size", b"2\rok\r\n" + _LAST),
        _broken("a bare LF behind a chunk", b"2\r\nok\n" + _LAST),
        _broken("two letters behind a chunk", b"2\r\nokXY" + _LAST),
        _broken("a last chunk of LF", b"2\r\nok\r\n0\n\n"),
        _broken("a chunk longer than it says", b"2\r\nokay\r\n" + _LAST),
        _broken("a chunk shorter than it says", b"3\r\nok\r\n" + _LAST),
        _broken("no size", b"\r\nok\r\n" + _LAST),
        _broken("0x before a size", b"0x2\r\nok\r\n" + _LAST),
        _broken("a minus sign", b"-2\r\nok\r\n" + _LAST),
        _broken("a blank behind a size", b"2 \r\nok\r\n" + _LAST),
        _broken("a size over 64 bits", b"10000000000000002\r\nok\r\n" + _LAST),
        _broken("a size that is -1 to some", b"ffffffffffffffff\r\nok\r\n" + _LAST),
        _broken("endless digits", b"0" * 5000),
        _broken("an endless extension", b"2;" + b"a" * 5000),
        _broken("CR CR in an extension", b"2;a\r\r\nok\r\n" + _LAST),
        _broken("a semicolon alone", b"2;\r\nok\r\n" + _LAST),
        _broken("no chunk at all", b"hello, world\r\n"),
        _broken("no last chunk", b"2\r\nok\r\n", closes=True),
        _broken("half a last chunk", b"2\r\nok\r\n0\r\n", closes=True),
        _broken("half a chunk", b"5\r\nok", closes=True),
        _broken("nothing behind the head", b"", closes=True),
    ),
)  # fmt: skip
