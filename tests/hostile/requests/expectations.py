"""Expect: who says 100 Continue, and what comes if nobody waits for it."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import (
    BOTH,
    Answered,
    Forwarded,
    RequestCase,
    RequestFamily,
    forwarded,
    get,
    post,
    refused,
    request,
)

_EXPECT: Final = "RFC 9110, section 10.1.1; PortSwigger, HTTP/1.1 must die: Expect makes front ends and back ends disagree about the body"
_HIDDEN: Final = b"GET /smuggled-MARK HTTP/1.1\r\nX: y"
_LENGTH: Final = b"Content-Length: %d" % (len(_HIDDEN) - len(b"MARK") + len(b"mark000000x"))
_CONTINUE: Final = b"Expect: 100-continue"


def _arrives(name: str, line: bytes, *fields: bytes) -> RequestCase:
    sent = request(line, *fields, _LENGTH, body=_HIDDEN)
    return forwarded(name, sent, _EXPECT, Forwarded(method=line.split(b" ")[0], body=_HIDDEN))


FAMILY: Final = RequestFamily(
    "expect",
    (
        _arrives("a POST whose body does not wait", b"POST /MARK HTTP/1.1", _CONTINUE),
        _arrives("a GET whose body does not wait", b"GET /MARK HTTP/1.1", _CONTINUE),
        _arrives("a HEAD whose body does not wait", b"HEAD /MARK HTTP/1.1", _CONTINUE),
        _arrives("capitals", b"POST /MARK HTTP/1.1", b"EXPECT: 100-CONTINUE"),
        _arrives("twice", b"POST /MARK HTTP/1.1", _CONTINUE, _CONTINUE),
        _arrives("a word before", b"POST /MARK HTTP/1.1", b"Expect: y 100-continue"),
        _arrives("another", b"POST /MARK HTTP/1.1", b"Expect: 200-ok"),
        _arrives("a list", b"POST /MARK HTTP/1.1", b"Expect: 100-continue, 200-ok"),
        _arrives("a parameter", b"POST /MARK HTTP/1.1", b"Expect: 100-continue;a=b"),
        _arrives("empty", b"POST /MARK HTTP/1.1", b"Expect:"),
        _arrives("named by Connection", b"POST /MARK HTTP/1.1", b"Connection: Expect", _CONTINUE),
        _arrives("an underscore in its name", b"POST /MARK HTTP/1.1", b"Expect_: 100-continue"),
        forwarded("no body to wait for", get(_CONTINUE), "RFC 9110, section 10.1.1: MUST NOT be sent without content", Forwarded(fields=((b"expect", None),))),
        forwarded("a length of 0", post(_CONTINUE, b"Content-Length: 0"), "RFC 9110, section 10.1.1: MUST NOT be sent without content", Forwarded(method=b"POST", fields=((b"expect", None),))),
        forwarded("a chunked body", post(_CONTINUE, b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), _EXPECT, Forwarded(method=b"POST", body=b"abc")),
        forwarded("HTTP/1.0", request(b"POST /MARK HTTP/1.0", _CONTINUE, b"Content-Length: 3", body=b"abc"), "RFC 9110, section 10.1.1: MUST be ignored there", Forwarded(method=b"POST", body=b"abc", fields=((b"expect", None),), is_last=True)),
        refused("two framings", post(_CONTINUE, b"Content-Length: 3", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), _EXPECT),
        refused("a blank before its colon", post(b"Expect : 100-continue", b"Content-Length: 3", body=b"abc"), _EXPECT),
        refused("an answer of our own", request(b"GET /share/MARK HTTP/1.1", _CONTINUE, _LENGTH, body=_HIDDEN), "RFC 9112, section 9.3: who answers at once and does not read the body closes", 404),
        forwarded("an answer of our own without a body", request(b"GET /share/MARK HTTP/1.1", _CONTINUE), _EXPECT, Answered(404)),
    ),
    BOTH,
)  # fmt: skip
