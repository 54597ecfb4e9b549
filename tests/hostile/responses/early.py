"""Answers that come before the request is whole: what is left of it must not become a request."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import WEB, Asking, CutOff, Failed, Passed, ResponseCase, ResponseFamily

_EARLY: Final = (
    "RFC 9110, section 7.5, and RFC 9112, section 9.3: the rest of the body is still to come on both connections, so "
    "neither may carry another message (0.CL and early-response gadgets, PortSwigger, HTTP/1.1 must die)"
)


def _passes(
    name: str, sent: bytes, status: int, body: bytes = b"ok", *, closes: bool = False, trails: bool = False
) -> ResponseCase:
    return ResponseCase(name, sent, Passed(status, body), _EARLY, Asking.UNFINISHED, closes=closes, trails=trails)


FAMILY: Final = ResponseFamily(
    "early",
    (
        _passes("200", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        _passes("413", b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nok", 413),
        _passes("a redirect", b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, b""),
        _passes("401", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 401, b""),
        _passes("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        _passes("304", b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, b""),
        _passes("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
        _passes("no length", b"HTTP/1.1 200 OK\r\n\r\nok", 200, closes=True),
        _passes("that closes", b"HTTP/1.1 413 x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 413, closes=True),
        _passes("behind 100", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        _passes("two answers", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled", 200, trails=True),
        ResponseCase("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", Failed(), _EARLY, Asking.UNFINISHED),
        ResponseCase("no HTTP", b"220 mail.example ESMTP\r\n\r\n", Failed(), _EARLY, Asking.UNFINISHED),
        ResponseCase("half an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", CutOff(), _EARLY, Asking.UNFINISHED, closes=True),
        ResponseCase("a broken chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CutOff(), _EARLY, Asking.UNFINISHED),
    ),
    (WEB,),
)  # fmt: skip
