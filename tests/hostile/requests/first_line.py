"""Request lines: methods, versions, blanks, and what comes before them."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Forwarded, RequestFamily, forwarded, get, refused, request

_LLHTTP: Final = "llhttp lets it pass; "
_ONE_SPACE: Final = (
    "RFC 9112, section 3: one space between the parts; a lenient reader (section 3, last paragraph) and a strict one "
    "find other parts"
)
_METHOD: Final = (
    "RFC 9110, section 9.1: methods are case-sensitive tokens; aiohttp took the longest valid prefix (HTTP Garden)"
)
_VERSION: Final = (
    "RFC 9112, section 2.3: HTTP-version is HTTP, one digit, a dot, one digit; HTTP Garden found servers that guess"
)
_OTHER: Final = (
    "RFC 9110, section 2.5: a major version that is not spoken here; nothing of it can be passed on with sense"
)

_PASSED_METHODS: Final = (
    b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND", b"PURGE", b"SOURCE", b"QUERY", b"M-SEARCH", b"LINK", b"BIND",
)  # fmt: skip

FAMILY: Final = RequestFamily(
    "first line",
    (
        refused("two empty lines first", b"\r\n\r\n" + get(), _LLHTTP + "RFC 9112, section 2.2, forgives one"),
        refused("many empty lines first", b"\r\n" * 40 + get(), _LLHTTP + "RFC 9112, section 2.2, forgives one"),
        refused("a bare LF first", b"\n" + get(), "RFC 9112, section 2.2: the forgiven empty line is a CRLF"),
        refused("a bare CR first", b"\r" + get(), "RFC 9112, section 2.2: a bare CR is no line end"),
        refused("CR CR LF first", b"\r\r\n" + get(), "RFC 9112, section 2.2: a bare CR is no line end"),
        refused("a blank first", b" " + get(), "RFC 9112, section 2.2: no blank between start line and first field"),
        refused("a tab first", b"\t" + get(), "a blank before the method shifts every part"),
        refused("a NUL first", b"\0" + get(), "HTTP Garden: methods and versions that are not validated"),
        refused("a byte-order mark first", b"\xef\xbb\xbf" + get(), "no method begins so"),
        forwarded("one empty line first", b"\r\n" + get(), "RFC 9112, section 2.2: SHOULD be ignored"),
        refused("two blanks before the target", request(b"GET  /MARK HTTP/1.1"), _ONE_SPACE),
        refused("two blanks behind the target", request(b"GET /MARK  HTTP/1.1"), _ONE_SPACE),
        refused("a tab before the target", request(b"GET\t/MARK HTTP/1.1"), _ONE_SPACE),
        refused("a tab behind the target", request(b"GET /MARK\tHTTP/1.1"), _ONE_SPACE),
        refused("a vertical tab before the target", request(b"GET\x0b/MARK HTTP/1.1"), _ONE_SPACE),
        refused("a form feed behind the target", request(b"GET /MARK\x0cHTTP/1.1"), _ONE_SPACE),
        refused("a bare CR behind the target", request(b"GET /MARK\rHTTP/1.1"), _ONE_SPACE),
        refused(
            "a bare LF behind the target", request(b"GET /MARK\nHTTP/1.1"), "aiohttp took LF for a blank (HTTP Garden)"
        ),
        refused("a blank behind the version", request(b"GET /MARK HTTP/1.1 "), _ONE_SPACE),
        refused("a tab behind the version", request(b"GET /MARK HTTP/1.1\t"), _ONE_SPACE),
        refused("a blank in the target", request(b"GET /MARK x HTTP/1.1"), _ONE_SPACE),
        refused(
            "two versions",
            request(b"GET /MARK HTTP/1.1 HTTP/1.1"),
            "a reader that splits at the last blank finds another target",
        ),
        refused(
            "a bare LF ends it",
            b"GET /MARK HTTP/1.1\nHost: HOST\r\nCookie: PASS\r\n\r\n",
            "RFC 9112, section 2.2: MAY be taken for a line end, so some do and some don't",
        ),
        refused(
            "a bare CR ends it",
            b"GET /MARK HTTP/1.1\rHost: HOST\r\nCookie: PASS\r\n\r\n",
            "RFC 9112, section 2.2: a bare CR makes the element invalid",
        ),
        refused(
            "CR CR LF ends it", b"GET /MARK HTTP/1.1\r\r\nHost: HOST\r\nCookie: PASS\r\n\r\n", "some strip every CR"
        ),
        refused(
            "a blank line begins the fields",
            b"GET /MARK HTTP/1.1\r\n Host: HOST\r\nCookie: PASS\r\n\r\n",
            "RFC 9112, section 2.2: MUST reject, or drop such lines",
        ),
        refused("only blanks", b" \r\n\r\n" + get(), "no request begins so"),
        refused("small letters", request(b"get /MARK HTTP/1.1"), _METHOD),
        refused("mixed letters", request(b"Get /MARK HTTP/1.1"), _METHOD),
        refused("an unknown method", request(b"GRAB /MARK HTTP/1.1"), _METHOD),
        refused("a longer method", request(b"GETS /MARK HTTP/1.1"), _METHOD),
        refused("a method with a colon", request(b"GET: /MARK HTTP/1.1"), _METHOD),
        refused("a method in quotes", request(b'"GET" /MARK HTTP/1.1'), _METHOD),
        refused("a method with a NUL", request(b"GE\0T /MARK HTTP/1.1"), _METHOD),
        refused("a method with an 8-bit byte", request(b"G\xc9T /MARK HTTP/1.1"), _METHOD),
        refused("no method", request(b" /MARK HTTP/1.1"), _METHOD),
        refused(
            "CONNECT",
            request(b"CONNECT HOST HTTP/1.1", b"X: MARK"),
            _LLHTTP + "RFC 9110, section 9.3.6: it makes a tunnel, which an HTTP gateway has no place for",
            405,
        ),
        refused(
            "CONNECT with a path",
            request(b"CONNECT /MARK HTTP/1.1"),
            _LLHTTP + "RFC 9112, section 3.2.3: only authority-form",
            405,
        ),
        refused(
            "TRACE",
            request(b"TRACE /MARK HTTP/1.1"),
            _LLHTTP + "RFC 9110, section 9.3.8: it would show cookies to scripts",
            405,
        ),
        *(
            forwarded(
                f"the method {method.decode()}",
                request(b"%b /MARK HTTP/1.1" % method),
                "rare methods pass llhttp; whatever they mean to the environment, they are one request without a body",
                Forwarded(method=method),
            )
            for method in _PASSED_METHODS
        ),
        refused("HTTP/1.2", request(b"GET /MARK HTTP/1.2"), _OTHER, 505),
        refused("HTTP/1.9", request(b"GET /MARK HTTP/1.9"), _OTHER, 505),
        refused("HTTP/2.0", request(b"GET /MARK HTTP/2.0"), _LLHTTP + _OTHER, 505),
        refused("HTTP/3.0", request(b"GET /MARK HTTP/3.0"), _OTHER, 505),
        refused("HTTP/0.9 with fields", request(b"GET /MARK HTTP/0.9"), _LLHTTP + _OTHER, 505),
        refused("HTTP/1.10", request(b"GET /MARK HTTP/1.10"), _VERSION),
        refused("HTTP/1.32", request(b"GET /MARK HTTP/1.32"), _VERSION),
        refused("HTTP/01.1", request(b"GET /MARK HTTP/01.1"), _VERSION),
        refused("HTTP/1.01", request(b"GET /MARK HTTP/1.01"), _VERSION),
        refused("HTTP/1.", request(b"GET /MARK HTTP/1."), _VERSION),
        refused("HTTP/1", request(b"GET /MARK HTTP/1"), _VERSION),
        refused(
            "HTTP/4294967297.1",
            request(b"GET /MARK HTTP/4294967297.1"),
            "HTTP Garden: integer overflow in version numbers",
        ),
        refused("HTTP/-1.1", request(b"GET /MARK HTTP/-1.1"), _VERSION),
        refused("HTTP/1,1", request(b"GET /MARK HTTP/1,1"), _VERSION),
        refused("HTTP/1.1x", request(b"GET /MARK HTTP/1.1x"), _VERSION),
        refused(
            "HTTP in small letters",
            request(b"GET /MARK http/1.1"),
            "RFC 9112, section 2.3: HTTP-name is case-sensitive",
        ),
        refused(
            "a version with a CR in it", request(b"GET /MARK HTTP/\r\r1.1"), "HTTP Garden: fasthttp did not validate it"
        ),
        refused("no version", request(b"GET /MARK"), "HTTP/0.9, whose answer has no head", 505),
        refused("RTSP", request(b"GET /MARK RTSP/1.0"), _LLHTTP + "another protocol", 505),
        refused("DESCRIBE of RTSP", request(b"DESCRIBE /MARK RTSP/1.0"), _LLHTTP + "another protocol", 505),
        refused("SOURCE of ICE", request(b"SOURCE /MARK ICE/1.0"), _LLHTTP + "another protocol", 505),
        refused(
            "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03MARK\r\n\r\n", "a client that takes the port for https"
        ),
        refused(
            "SMTP",
            b"EHLO MARK\r\nMAIL FROM:<a@b>\r\n\r\n",
            "cross-protocol: a form that is posted to other servers and the other way round",
        ),
        refused(
            "an answer",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: MARK\r\n\r\n",
            "an answer is no request, though llhttp can read both",
        ),
        forwarded(
            "HTTP/1.0",
            request(b"GET /MARK HTTP/1.0"),
            "RFC 9112, section 9.3: it ends with its answer, whatever was sent behind it",
            Forwarded(is_last=True),
        ),
        forwarded(
            "HTTP/1.0 that stays",
            request(b"GET /MARK HTTP/1.0", b"Connection: keep-alive"),
            "RFC 9112, appendix C.2.2: a client may ask for it",
        ),
        forwarded(
            "HTTP/1.0 that both stays and closes",
            request(b"GET /MARK HTTP/1.0", b"Connection: keep-alive", b"Connection: close"),
            "llhttp is wrong about it where they come in two fields; RFC 9112, section 9.3: close wins",
            Forwarded(is_last=True),
        ),
        forwarded(
            "a request behind one that closes",
            get(b"Connection: close", target=b"/MARK")
            + b"GET /smuggled-MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\r\n\r\n",
            "RFC 9112, section 9.6: nothing behind it is served (HTTP Garden: some close before they answer)",
            Forwarded(is_last=True),
        ),
    ),
)
