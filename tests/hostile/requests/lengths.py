"""Content-Length: lengths that disagree, lengths that are none, and bodies where nobody expects one."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import (
    BOTH,
    SMUGGLED,
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

_NUMBER: Final = "RFC 9112, section 6.3, rule 5: an invalid Content-Length MUST be an unrecoverable error; HTTP Garden found parsers that guess"
_TWICE: Final = "RFC 9110, section 8.6: differing or repeated lengths; first or last wins, depending on who reads"
_CL_0: Final = (
    "CL.0 (PortSwigger, Browser-powered desync attacks): a back end that expects no body takes it for a request"
)
_0_CL: Final = "0.CL (PortSwigger, HTTP/1.1 must die): a front end that sees no length, and a back end that does"
# Of SMUGGLED no length is known before it is filled in, so bodies that hide a request have a filled-up one.
_HIDDEN: Final = b"GET /smuggled-MARK HTTP/1.1\r\nX: y"
_SIZE: Final = len(_HIDDEN) - len(b"MARK") + len(b"mark000000x")


def _length(name: str, value: bytes, why: str = _NUMBER) -> RequestCase:
    return refused(name, post(b"Content-Length: " + value, body=b"x=MARK-x=y"), why)


def _hidden(name: str, line: bytes, why: str, *fields: bytes, **seen: bytes) -> RequestCase:
    sent = request(line, b"Content-Length: %d" % _SIZE, *fields, body=_HIDDEN)
    return forwarded(name, sent, why, Forwarded(method=line.split(b" ")[0], body=_HIDDEN, **seen))  # type: ignore[arg-type]


FAMILY: Final = RequestFamily(
    "length",
    (
        refused("twice the same", post(b"Content-Length: 1", b"Content-Length: 1", body=b"x"), _TWICE),
        refused("0, then more", post(b"Content-Length: 0", b"Content-Length: %d" % _SIZE, body=_HIDDEN), _TWICE),
        refused("more, then 0", post(b"Content-Length: %d" % _SIZE, b"Content-Length: 0", body=_HIDDEN), _TWICE),
        refused("empty, then more", post(b"Content-Length:", b"Content-Length: 1", body=b"x"), "HTTP Garden: lighttpd and Akamai took the first"),
        refused("in other letters as well", post(b"Content-Length: 1", b"CONTENT-LENGTH: 0", body=b"x"), _TWICE),
        refused("a list of the same", post(b"Content-Length: 1, 1", body=b"x"), _TWICE),
        refused("a list of others", post(b"Content-Length: 1, 0", body=b"x"), _TWICE),
        refused("a comma before", post(b"Content-Length: ,1", body=b"x"), _TWICE),
        refused("a comma behind", post(b"Content-Length: 1,", body=b"x"), _TWICE),
        _length("empty", b""),
        _length("blanks", b" \t "),
        _length("a plus sign", b"+1"),
        _length("a minus sign", b"-1"),
        _length("minus 0", b"-0"),
        _length("minus 48", b"-48", "HTTP Garden: a negative one made a server loop"),
        _length("hex", b"0x1"),
        _length("a hex digit", b"a"),
        _length("an underscore", b"1_0", "HTTP Garden: Python's int() takes it"),
        _length("an exponent", b"1e0"),
        _length("a fraction", b"1.0"),
        _length("a letter behind", b"1Z", "HTTP Garden: the longest valid prefix"),
        _length("a blank within", b"1 0"),
        _length("a parameter", b"1;a=b"),
        _length("quotes", b'"1"'),
        _length("a digit of another script", b"\xd9\xa1", "Python's isdigit() takes it, as text"),
        _length("superscript one", b"\xb9", "Python's isdigit() takes it, as text"),
        _length("a NUL behind", b"1\0"),
        _length("a vertical tab behind", b"1\x0b"),
        _length("a no-break space behind", b"1\xa0"),
        _length("2 ** 64", b"18446744073709551616"),
        _length("2 ** 64 + 1", b"18446744073709551617"),
        refused("2 ** 64 - 1", post(b"Content-Length: 18446744073709551615", body=b"x=MARK"), "llhttp lets it pass; no body is so long, and to some it is -1"),
        _length("50 digits", b"9" * 50),
        refused("more than may be sent", post(b"Content-Length: 9999999999999", body=b"x=MARK"), "RFC 9110, section 15.5.14: it is refused before any of it is read", 413),
        refused("a blank before its colon", post(b"Content-Length : %d" % _SIZE, body=_HIDDEN), _0_CL),
        refused("indented", post(b"X: y", b" Content-Length: %d" % _SIZE, body=_HIDDEN), _0_CL),
        refused("behind a bare LF", post(b"X: y\nContent-Length: %d" % _SIZE, body=_HIDDEN), _0_CL),
        refused("behind a bare CR", post(b"X: y\rContent-Length: %d" % _SIZE, body=_HIDDEN), _0_CL),
        refused("NEL behind its name", post(b"Content-Length\x85: %d" % _SIZE, body=_HIDDEN), "HTTP Garden: gunicorn stripped it"),
        refused("a fold before its value", post(b"Content-Length:\r\n %d" % _SIZE, body=_HIDDEN), _0_CL),
        refused("broken before its hyphen", post(b"Content\r\n-Length: %d" % _SIZE, body=_HIDDEN), _0_CL),
        refused("a broken field before it", post(b"X-Invalid Y: ", b"Content-Length: %d" % _SIZE, body=_HIDDEN), "http-request-smuggler, CL-error"),
        forwarded("a leading zero", post(b"Content-Length: 010", body=b"0123456789"), "octal to strtoll (HTTP Garden); it is decimal, and goes on without the zero", Forwarded(method=b"POST", body=b"0123456789", fields=((b"content-length", b"10"),))),
        forwarded("blanks around it", post(b"Content-Length: \t 3 \t ", body=b"abc"), "llhttp leaves those behind it in the value", Forwarded(method=b"POST", body=b"abc", fields=((b"content-length", b"3"),))),
        forwarded("its name in other letters", post(b"cONTENT-lENGTH: 3", body=b"abc"), "RFC 9110, section 5.1: names have no case", Forwarded(method=b"POST", body=b"abc")),
        forwarded("none, and no body", post(), "RFC 9112, section 6.3, rule 7: then there is none", Forwarded(method=b"POST")),
        forwarded("0", post(b"Content-Length: 0"), "HTTP Garden: one took the next request for its body all the same", Forwarded(method=b"POST")),
        forwarded(
            "0, and a request behind it",
            post(b"Content-Length: 0") + get(target=b"/second-MARK"),
            "RFC 9112, section 9.3.2: what lies behind a body is the next request, and is answered as one",
            Forwarded(method=b"POST"),
            Forwarded(b"/second-MARK"),
        ),
        forwarded(
            "an underscore in its name, and a request behind it",
            post(b"Content_Length: %d" % _SIZE) + get(target=b"/second-MARK"),
            _0_CL + "; the field is not passed on, so both see none",
            Forwarded(method=b"POST", fields=((b"content_length", None), (b"content-length", None))),
            Forwarded(b"/second-MARK"),
        ),
        forwarded("an empty line behind the body", post(b"Content-Length: 2", body=b"ab\r\n"), "RFC 9112, section 2.2: old clients send one that they don't count", Forwarded(method=b"POST", body=b"ab")),
        _hidden("a request hides in a POST", b"POST /MARK HTTP/1.1", _CL_0),
        _hidden("a request hides in a GET", b"GET /MARK HTTP/1.1", _CL_0 + "; RFC 9110, section 9.3.1: a GET may have one, without a meaning"),
        _hidden("a request hides in a HEAD", b"HEAD /MARK HTTP/1.1", _CL_0),
        _hidden("a request hides in an OPTIONS", b"OPTIONS /MARK HTTP/1.1", _CL_0),
        _hidden("a request hides in a DELETE", b"DELETE /MARK HTTP/1.1", _CL_0),
        _hidden("a request hides behind a type of form", b"POST /MARK HTTP/1.1", _CL_0, b"Content-Type: application/x-www-form-urlencoded"),
        _hidden("a request hides behind keep-alive", b"POST /MARK HTTP/1.1", _CL_0, b"Connection: keep-alive", b"Keep-Alive: timeout=5, max=1000"),
        _hidden("a request hides behind a range", b"GET /MARK HTTP/1.1", _CL_0, b"Range: bytes=0-0"),
        _hidden("a request hides behind a method of another field", b"POST /MARK HTTP/1.1", _CL_0, b"X-HTTP-Method-Override: HEAD"),
        forwarded(
            "a request hides in HTTP/1.0",
            request(b"POST /MARK HTTP/1.0", b"Content-Length: %d" % _SIZE, body=_HIDDEN),
            _CL_0,
            Forwarded(method=b"POST", body=_HIDDEN, is_last=True),
        ),
        forwarded(
            "a body for an answer of our own",
            request(b"GET /share/MARK HTTP/1.1", b"Content-Length: 0") + get(target=b"/second-MARK"),
            "CL.0 happens where a server answers without reading the body",
            Answered(404),
            Forwarded(b"/second-MARK"),
        ),
        refused("a hidden request for an answer of our own", request(b"GET /share/MARK HTTP/1.1", b"Content-Length: %d" % _SIZE, body=_HIDDEN), "CL.0: what is answered without its body being read ends its connection", 404),
        refused("a hidden request for a host that is not ours", b"POST /MARK HTTP/1.1\r\nHost: other.example\r\nContent-Length: %d\r\n\r\n%b" % (_SIZE, _HIDDEN), "CL.0, as above", 421),
        refused("a hidden request from a foreign page", post(b"Origin: http://evil.example", b"Content-Length: %d" % _SIZE, body=_HIDDEN), "CL.0, as above", 403),
        refused("a hidden request from nobody", b"POST /MARK HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\n\r\n" % (len(SMUGGLED) + 100) + SMUGGLED, "CL.0, as above", 401),
    ),
    BOTH,
)  # fmt: skip
