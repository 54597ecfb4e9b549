"""Answers that have no body, and upstreams that send one all the same."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Asking, Passed, ResponseCase, ResponseFamily

_NONE: Final = "RFC 9112, section 6.3, rule 1: the head ends it; what follows is nobody's answer"
_HIDDEN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nSet-Cookie: evil=1\r\n\r\nsmuggled"
_BODY: Final = b"Content-Length: %d\r\n\r\n%b" % (len(_HIDDEN), _HIDDEN)
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_HIDDEN), _HIDDEN)


def _trails(name: str, sent: bytes, status: int, asking: Asking = Asking.GET) -> ResponseCase:
    return ResponseCase(name, sent, Passed(status), _NONE, asking, trails=True)


def _alone(name: str, sent: bytes, status: int, why: str, asking: Asking = Asking.GET) -> ResponseCase:
    return ResponseCase(name, sent, Passed(status), why, asking, is_kept=True)


FAMILY: Final = ResponseFamily(
    "no body",
    (
        _alone("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, "RFC 9110, section 15.3.5"),
        _alone("304", b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, "RFC 9110, section 15.4.5"),
        _alone("304 that tells of a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, "RFC 9110, section 8.6: the length that a 200 would have had"),
        _alone("HEAD that tells of a length", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, "RFC 9110, section 8.6: the length that a GET would have had", Asking.HEAD),
        _alone("HEAD that tells of chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "RFC 9112, section 6.1: a GET's would have been", Asking.HEAD),
        _alone("HEAD that tells of neither", b"HTTP/1.1 200 OK\r\n\r\n", 200, "RFC 9112, section 6.3, rule 1: the head ends it", Asking.HEAD),
        ResponseCase("204 that tells of a length", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", Passed(204), "RFC 9110, section 8.6: MUST NOT; who sends it may send the body as well, and later"),
        ResponseCase("204 that tells of chunks", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Passed(204), "RFC 9112, section 6.1: MUST NOT; as above"),
        _trails("204 with a counted body", b"HTTP/1.1 204 No Content\r\n" + _BODY, 204),
        _trails("204 with a chunked body", b"HTTP/1.1 204 No Content\r\n" + _CHUNKED, 204),
        _trails("204 with bytes", b"HTTP/1.1 204 No Content\r\n\r\n" + _HIDDEN, 204),
        _trails("304 with a counted body", b"HTTP/1.1 304 Not Modified\r\n" + _BODY, 304),
        _trails("304 with a chunked body", b"HTTP/1.1 304 Not Modified\r\n" + _CHUNKED, 304),
        _trails("304 with bytes", b"HTTP/1.1 304 Not Modified\r\n\r\n" + _HIDDEN, 304),
        _trails("HEAD with a counted body", b"HTTP/1.1 200 OK\r\n" + _BODY, 200, Asking.HEAD),
        _trails("HEAD with a chunked body", b"HTTP/1.1 200 OK\r\n" + _CHUNKED, 200, Asking.HEAD),
        _trails("HEAD with bytes", b"HTTP/1.1 200 OK\r\n\r\n" + _HIDDEN, 200, Asking.HEAD),
        _trails("HEAD with a 404 and its page", b"HTTP/1.1 404 Not Found\r\n" + _BODY, 404, Asking.HEAD),
        _trails("HEAD with one byte", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, Asking.HEAD),
        ResponseCase("205 with a body", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok", Passed(205, b"ok"), "RFC 9110, section 15.3.6: MUST NOT have one, but is framed like others, so all find the same end", is_kept=True),
    ),
)  # fmt: skip
