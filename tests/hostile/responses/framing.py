"""Lengths of answers: what says how long a body is, twice, wrongly or not at all."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Asking, CutOff, Failed, Passed, ResponseCase, ResponseFamily

_LENGTH: Final = "RFC 9112, section 6.3, rule 5: a gateway MUST close and answer 502"
_BOTH: Final = "RFC 9112, section 6.3, rule 3: answer splitting; whoever counts and whoever decodes see two answers"
_CODING: Final = "llhttp reads it to the end of the connection; RFC 9112, section 6.3, rule 4: others find another end"
_OK: Final = b"HTTP/1.1 200 OK\r\n"
_HIDDEN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"


def _length(name: str, *fields: bytes, body: bytes = b"ok", why: str = _LENGTH) -> ResponseCase:
    return ResponseCase(name, _OK + b"\r\n".join([*fields, b"", body]), Failed(), why)


def _coding(name: str, *fields: bytes, version: bytes = b"1.1", why: str = _CODING) -> ResponseCase:
    body = b"2\r\nok\r\n0\r\n\r\n" + _HIDDEN
    return ResponseCase(name, b"HTTP/%b 200 OK\r\n" % version + b"\r\n".join([*fields, b"", body]), Failed(), why)


FAMILY: Final = ResponseFamily(
    "answer's length",
    (
        ResponseCase("a length", _OK + b"Content-Length: 2\r\n\r\nok", Passed(body=b"ok"), "RFC 9112, section 6.3, rule 6", is_kept=True),
        ResponseCase("a length with zeros", _OK + b"Content-Length: 0002\r\n\r\nok", Passed(body=b"ok"), "octal to some; it is decimal, and goes on without them", is_kept=True),
        ResponseCase("a length of 0", _OK + b"Content-Length: 0\r\n\r\n", Passed(), "RFC 9112, section 6.3, rule 6", is_kept=True),
        ResponseCase("an answer as content", _OK + b"Content-Length: %d\r\n\r\n%b" % (len(_HIDDEN), _HIDDEN), Passed(body=_HIDDEN), "content may be anything", is_kept=True),
        _length("a length twice", b"Content-Length: 2", b"Content-Length: 2"),
        _length("two lengths", b"Content-Length: 2", b"Content-Length: %d" % (2 + len(_HIDDEN)), body=b"ok" + _HIDDEN),
        _length("a list of lengths", b"Content-Length: 2, 2"),
        _length("a length with a sign", b"Content-Length: +2"),
        _length("a negative length", b"Content-Length: -2"),
        _length("a length in hex", b"Content-Length: 0x2"),
        _length("a length with an underscore", b"Content-Length: 0_2"),
        _length("a length and a letter", b"Content-Length: 2k"),
        _length("a length and a blank within", b"Content-Length: 0 2"),
        _length("an empty length", b"Content-Length:"),
        _length("a fraction", b"Content-Length: 2.0"),
        _length("a length over 64 bits", b"Content-Length: 18446744073709551618"),
        _length("a length over 63 bits", b"Content-Length: 18446744073709551615", why="llhttp lets it pass; no body is so long, and to some it is -1"),
        _length("a blank before its colon", b"Content-Length : 2"),
        _length("indented", b"X: y", b" Content-Length: 2"),
        _length("a length and chunked", b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", why=_BOTH),
        _length("chunked and a length", b"Transfer-Encoding: chunked", b"Content-Length: 100", body=b"2\r\nok\r\n0\r\n\r\n" + _HIDDEN, why=_BOTH),
        _length("gzip and a length", b"Transfer-Encoding: gzip", b"Content-Length: 2", why=_BOTH),
        _coding("gzip", b"Transfer-Encoding: gzip"),
        _coding("identity", b"Transfer-Encoding: identity"),
        _coding("gzip, chunked", b"Transfer-Encoding: gzip, chunked", why="llhttp lets it pass; the content would stay compressed when the field is gone"),
        _coding("chunked, gzip", b"Transfer-Encoding: chunked, gzip"),
        _coding("chunked, identity", b"Transfer-Encoding: chunked, identity"),
        _coding("chunked twice in a list", b"Transfer-Encoding: chunked, chunked"),
        _coding("chunked twice", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        _coding("identity, then chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
        _coding("a comma before", b"Transfer-Encoding: ,chunked"),
        _coding("a letter before", b"Transfer-Encoding: xchunked"),
        _coding("a parameter", b"Transfer-Encoding: chunked;q=1"),
        _coding("quotes", b'Transfer-Encoding: "chunked"'),
        _coding("a vertical tab before", b"Transfer-Encoding: \x0bchunked"),
        _coding("NEL before", b"Transfer-Encoding: \x85chunked"),
        _coding("empty", b"Transfer-Encoding:"),
        _coding("a blank before the coding's colon", b"Transfer-Encoding : chunked"),
        _coding("coding indented", b"X: y", b" Transfer-Encoding: chunked"),
        _coding("HTTP/1.0", b"Transfer-Encoding: chunked", version=b"1.0", why="llhttp lets it pass; RFC 9112, section 6.1: faulty framing"),
        ResponseCase("fewer bytes than it says", _OK + b"Content-Length: 10\r\n\r\nok", CutOff(), "RFC 9112, section 8: incomplete, and must not look complete", closes=True),
        ResponseCase("no byte of what it says", _OK + b"Content-Length: 10\r\n\r\n", CutOff(), "RFC 9112, section 8", closes=True),
        ResponseCase("a terabyte that ends at once", _OK + b"Content-Length: 1099511627776\r\n\r\nok", CutOff(), "RFC 9112, section 8", closes=True),
        ResponseCase("no length", _OK + b"\r\nok", Passed(body=b"ok"), "RFC 9112, section 6.3, rule 8: to the end of the connection", closes=True),
        ResponseCase("no length and no byte", _OK + b"\r\n", Passed(), "RFC 9112, section 6.3, rule 8", closes=True),
        ResponseCase("no length, and an answer as content", _OK + b"\r\n" + _HIDDEN, Passed(body=_HIDDEN), "RFC 9112, section 6.3, rule 8: whatever comes is content", closes=True),
        ResponseCase("no length, although it stays", _OK + b"Connection: keep-alive\r\n\r\nok", Passed(body=b"ok"), "RFC 9112, section 6.3, rule 8: nothing else ends it", closes=True),
        ResponseCase("no length to HTTP/1.0", _OK + b"\r\nok", Passed(body=b"ok"), "RFC 9112, section 6.3, rule 8: so it ends there too", Asking.OLD, closes=True),
        ResponseCase("a length to HTTP/1.0", _OK + b"Content-Length: 2\r\n\r\nok", Passed(body=b"ok"), "RFC 9112, section 6.3, rule 6", Asking.OLD, is_kept=True),
        ResponseCase("chunked to HTTP/1.0", _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Passed(body=b"ok", fields=((b"transfer-encoding", None),)), "RFC 9112, section 6.1: MUST NOT be sent to it", Asking.OLD, is_kept=True),
        ResponseCase("a length named by Connection", _OK + b"Connection: Content-Length\r\nContent-Length: 2\r\n\r\nok", Passed(body=b"ok"), "RFC 9110, section 7.6.1: what frames this message counts all the same", is_kept=True),
        ResponseCase("a coding named by Connection", _OK + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Passed(body=b"ok"), "RFC 9110, section 7.6.1", is_kept=True),
        ResponseCase("a coding in capitals", _OK + b"transfer-encoding: CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n", Passed(body=b"ok"), "RFC 9112, section 7: codings have no case", is_kept=True),
    ),
)  # fmt: skip
