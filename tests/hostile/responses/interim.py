"""Interim answers: floods of them, with bodies, and protocols that nobody asked for."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import WEB, Asking, Failed, Passed, ResponseCase, ResponseFamily

_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_INTERIM: Final = "RFC 9110, section 15.2: any number may come before the answer, and they have no body"
_FLOOD: Final = "llhttp has no limit: an upstream must not keep a visitor with them"
_BODY: Final = "llhttp reads a body on some of them; RFC 9110, section 15.2: an interim answer ends with its head"
_SWITCH: Final = (
    "RFC 9110, section 15.2.2: only to a protocol that was asked for; after it nothing is HTTP (RFC 6455, section 4.1)"
)
_UPGRADED: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "


def _passes(name: str, before: bytes, why: str = _INTERIM, asking: Asking = Asking.GET) -> ResponseCase:
    seen = Passed(body=b"ok", fields=((b"set-cookie", None),))
    return ResponseCase(name, before + _ANSWER, seen, why, asking, is_kept=True)


def _fails(name: str, sent: bytes, why: str, asking: Asking = Asking.GET, *, closes: bool = False) -> ResponseCase:
    return ResponseCase(name, sent, Failed(), why, asking, closes=closes)


FAMILY: Final = ResponseFamily(
    "interim",
    (
        _passes("100", _CONTINUE),
        _passes("100 ten times", _CONTINUE * 10),
        _passes("102", b"HTTP/1.1 102 Processing\r\n\r\n"),
        _passes("103 with links", b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n", "RFC 8297"),
        _passes("103 with a cookie", b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: evil=1\r\n\r\n", "a browser would keep it; the gateway's rules for cookies are those of answers"),
        _passes("199", b"HTTP/1.1 199 x\r\n\r\n"),
        _passes("100 with fields that frame", b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", _BODY),
        _passes("100 to HTTP/1.0", _CONTINUE, "RFC 9110, section 15.2: MUST NOT be sent to it", Asking.OLD),
        _passes("100, 102 and 103", _CONTINUE + b"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\n\r\n"),
        _fails("100 eleven times", _CONTINUE * 11 + _ANSWER, _FLOOD),
        _fails("100 thousands of times", _CONTINUE * 3000, _FLOOD),
        _fails("103 thousands of times", b"HTTP/1.1 103 Early Hints\r\nLink: </%b>\r\n\r\n" % (b"x" * 100) * 1000, _FLOOD),
        _fails("100 with a body", b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + _ANSWER, _BODY),
        _fails("103 with an answer for a body", b"HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n12345HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled", _BODY),
        _fails("104 with a body", b"HTTP/1.1 104 x\r\nContent-Length: 5\r\n\r\nhello" + _ANSWER, _BODY),
        _fails("100 and nothing more", _CONTINUE, "RFC 9112, section 8: incomplete", closes=True),
        _fails("100 with a bare LF", b"HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "RFC 9112, section 2.2"),
        _fails("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\n" + _UPGRADED + b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", _SWITCH),
        _fails("101 unasked, without fields", b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + _ANSWER, _SWITCH),
        _fails("101 to h2c", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", _SWITCH),
        _fails("101 behind 100", _CONTINUE + b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", _SWITCH),
    ),
)  # fmt: skip

UPGRADES: Final = ResponseFamily(
    "upgrade's answer",
    (
        _fails("a wrong accept", b"HTTP/1.1 101 Switching Protocols\r\n" + _UPGRADED + b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", _SWITCH, Asking.WEBSOCKET),
        _fails("no accept", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", _SWITCH, Asking.WEBSOCKET),
        _fails("another protocol", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", _SWITCH, Asking.WEBSOCKET),
        _fails("no Connection", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", _SWITCH, Asking.WEBSOCKET),
        ResponseCase("no upgrade after all", _ANSWER, Passed(body=b"ok"), "WebSocket smuggling (M. Egorov): a proxy that takes any answer for a tunnel", Asking.WEBSOCKET),
        ResponseCase("426", b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n", Passed(426, fields=((b"upgrade", None),)), "WebSocket smuggling (M. Egorov)", Asking.WEBSOCKET),
        ResponseCase("no upgrade, and an answer behind it", _ANSWER + b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled", Passed(body=b"ok"), "as above", Asking.WEBSOCKET, trails=True),
    ),
    (WEB,),
)  # fmt: skip
