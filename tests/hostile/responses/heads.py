"""Heads of answers: status lines and field lines with more than one reading."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Failed, Passed, ResponseCase, ResponseFamily

_STATUS: Final = (
    "RFC 9112, section 4: a version, three digits and a reason; what is otherwise is not known to be HTTP/1"
)
_PASSES: Final = "llhttp lets it pass; "
_LINE: Final = (
    "RFC 9112, section 5: proxies MUST NOT pass on what a field line can't be; the next reader may find another field"
)
_REST: Final = b"\r\nContent-Length: 2\r\n\r\nok"
_OK: Final = b"HTTP/1.1 200 OK\r\n"


def _status(name: str, line: bytes, why: str = _STATUS) -> ResponseCase:
    return ResponseCase(name, line + _REST, Failed(), why)


def _field(name: str, line: bytes, why: str = _LINE) -> ResponseCase:
    return ResponseCase(name, _OK + line + _REST, Failed(), why)


def _passes(name: str, line: bytes, why: str, *fields: tuple[bytes, bytes | None], kept: bool = True) -> ResponseCase:
    return ResponseCase(name, line + _REST, Passed(body=b"ok", fields=fields), why, is_kept=kept)


FAMILY: Final = ResponseFamily(
    "answer's head",
    (
        _passes("no reason", b"HTTP/1.1 200 ", "RFC 9112, section 4: the reason may be empty"),
        _passes("neither reason nor blank", b"HTTP/1.1 200", "common; the status is clear"),
        _passes("a long reason", b"HTTP/1.1 200 " + b"x" * 5000, "RFC 9112, section 4: a reason means nothing; ours goes on"),
        _passes("an 8-bit reason", b"HTTP/1.1 200 \xe9\xff", "RFC 9112, section 4: obs-text; ours goes on"),
        _passes("a NUL in the reason", b"HTTP/1.1 200 O\0K", _PASSES + "a reason means nothing; ours goes on"),
        _passes("HTTP/1.0", b"HTTP/1.0 200 OK", "RFC 9112, section 9.3: it ends with its connection", kept=False),
        _passes("HTTP/1.0 that stays", b"HTTP/1.0 200 OK\r\nConnection: keep-alive", "RFC 9112, section 9.3"),
        _status("HTTP/0.9 in a head", b"HTTP/0.9 200 OK", _PASSES + _STATUS),
        _status("HTTP/1.2", b"HTTP/1.2 200 OK"),
        _status("HTTP/1.10", b"HTTP/1.10 200 OK"),
        _status("HTTP/2.0", b"HTTP/2.0 200 OK", _PASSES + _STATUS),
        _status("HTTP/2", b"HTTP/2 200 OK"),
        _status("RTSP", b"RTSP/1.0 200 OK", _PASSES + "another protocol"),
        _status("ICE", b"ICE/1.0 200 OK", _PASSES + "another protocol"),
        _status("ICY", b"ICY 200 OK", "another protocol"),
        _status("SMTP", b"220 mail.example ESMTP", "another protocol"),
        _status("SSH", b"SSH-2.0-OpenSSH_9.6", "another protocol"),
        _status("small letters", b"http/1.1 200 OK"),
        _status("a blank first", b" HTTP/1.1 200 OK"),
        _status("an empty line first", b"\r\nHTTP/1.1 200 OK", "RFC 9112, section 2.2, forgives it in requests; here it may be the end of an answer before"),
        _status("a bare LF first", b"\nHTTP/1.1 200 OK"),
        _status("a byte-order mark first", b"\xef\xbb\xbfHTTP/1.1 200 OK"),
        _status("two blanks before the status", b"HTTP/1.1  200 OK"),
        _status("a tab before the status", b"HTTP/1.1\t200 OK"),
        _status("no blank behind the status", b"HTTP/1.1 200OK"),
        _status("no status", b"HTTP/1.1 OK"),
        _status("status 000", b"HTTP/1.1 000 x", _PASSES + "RFC 9110, section 15: 100 to 599"),
        _status("status 099", b"HTTP/1.1 099 x", _PASSES + "RFC 9110, section 15: 100 to 599"),
        _status("status 600", b"HTTP/1.1 600 x", _PASSES + "RFC 9110, section 15: 100 to 599"),
        _status("status 999", b"HTTP/1.1 999 x", _PASSES + "RFC 9110, section 15: 100 to 599"),
        _status("status 20", b"HTTP/1.1 20 OK"),
        _status("status 2000", b"HTTP/1.1 2000 OK"),
        _status("status -200", b"HTTP/1.1 -200 OK"),
        _status("status 2e2", b"HTTP/1.1 2e2 OK"),
        _status("status 200.1", b"HTTP/1.1 200.1 OK"),
        _status("a bare CR in the reason", b"HTTP/1.1 200 OK\rX: y"),
        _status("a bare LF behind the reason", b"HTTP/1.1 200 OK\nX: y"),
        _status("a request", b"GET / HTTP/1.1", "a proxy that loops"),
        _field("a bare LF behind a field", b"X: y\nSet-Cookie: a=b"),
        _field("a bare CR in a value", b"X: a\rSet-Cookie: a=b"),
        _field("CR CR LF behind a field", b"X: y\r"),
        _field("a NUL in a value", b"X: a\0b"),
        _field("a control byte in a value", b"X: \x1b[2J"),
        _field("DEL in a value", b"X: a\x7f"),
        _field("a folded value", b"X: y\r\n z", "RFC 9112, section 5.2: a gateway MUST discard it or replace the fold"),
        _field("a fold that holds a field", b"X: y\r\n Set-Cookie: a=b", "RFC 9112, section 5.2"),
        _field("a fold behind the status line", b" X: y", "RFC 9112, section 2.2"),
        _field("a blank before the colon", b"X : y", "RFC 9112, section 5.1: MUST be removed; whoever does not, reads on elsewhere"),
        _field("no colon", b"X"),
        _field("no name", b": y"),
        _field("a name that is no token", b"X(: y"),
        _field("an 8-bit byte in a name", b"X\xff: y"),
        _field("a NUL in a name", b"X\0: y"),
        _field("an HTML page for a field", b"<html>"),
        _field("201 fields", b"X: y\r\n" * 200 + b"X: y", "llhttp has no limit"),
        _field("a value over the limit", b"X: " + b"y" * 70_000, "llhttp has no limit"),
        ResponseCase("a head that never ends", _OK + b"X: y\r\n" * 12_000, Failed(), "llhttp has no limit; what is kept of it must have one"),
        ResponseCase("a status line that never ends", b"HTTP/1.1 200 " + b"x" * 70_000, Failed(), "llhttp has no limit"),
        ResponseCase("zeros that never end", b"\0" * 70_000, Failed(), "no answer at all"),
        ResponseCase("bare LFs throughout", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", Failed(), "RFC 9112, section 2.2: MAY be taken for line ends; they end no head here", closes=True),
        ResponseCase("a head that breaks off", _OK + b"Content-Le", Failed(), "RFC 9112, section 8: incomplete", closes=True),
        ResponseCase("nothing but a line end", b"\r\n", Failed(), "RFC 9112, section 8: incomplete", closes=True),
        ResponseCase("HTTP/0.9 as it was", b"<html>hello</html>", Failed(), "RFC 9112, appendix C.1.1: an answer without a head", closes=True),
        ResponseCase("TLS for an answer", b"\x15\x03\x01\x00\x02\x02\x46", Failed(), "an upstream that takes the port for https", closes=True),
        _passes("blanks around a value", _OK + b"X: \t y \t", "RFC 9112, section 5.1: no part of it", (b"x", b"y")),
        _passes("8-bit bytes in a value", _OK + b"X: \xe9\xff", "RFC 9110, section 5.5: obs-text", (b"x", b"\xe9\xff")),
        _passes("an empty value", _OK + b"X:", "RFC 9110, section 5.5", (b"x", b"")),
    ),
)  # fmt: skip
