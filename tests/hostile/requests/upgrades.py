"""Upgrade: protocols that are not offered, WebSockets that are none, and what hides behind them."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import (
    WEB,
    Forwarded,
    Refused,
    RequestCase,
    RequestFamily,
    forwarded,
    get,
    post,
    refused,
    request,
)

_H2C: Final = (
    "h2c smuggling (Bishop Fox): who passes the upgrade on lets the visitor talk past every rule; RFC 9113, appendix B, "
    "has withdrawn it"
)
_BODY: Final = "llhttp raises an upgrade and skips the body, counted or chunked; servers disagree whether there is one"
_WEBSOCKET: Final = (
    "RFC 6455, section 4.2.1; WebSocket smuggling (M. Egorov): a refused handshake that a proxy takes for a tunnel"
)
_SETTINGS: Final = b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
_UPGRADE: Final = b"Connection: Upgrade"
_KEY: Final = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_VERSION: Final = b"Sec-WebSocket-Version: 13"
_NOT_OFFERED: Final = Forwarded(fields=((b"upgrade", None), (b"connection", None), (b"http2-settings", None)))
_OFFERED: Final = Forwarded(fields=((b"upgrade", b"websocket"), (b"connection", b"Upgrade")), is_last=True)


def _plain(name: str, *fields: bytes) -> RequestCase:
    return forwarded(name, get(*fields), _H2C, _NOT_OFFERED)


FAMILY: Final = RequestFamily(
    "upgrade",
    (
        _plain("h2c", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", _SETTINGS),
        _plain("h2c whose settings are not named", _UPGRADE, b"Upgrade: h2c", _SETTINGS),
        _plain("h2c that is not named", b"Upgrade: h2c", _SETTINGS),
        _plain("h2", _UPGRADE, b"Upgrade: h2"),
        _plain("TLS", _UPGRADE, b"Upgrade: TLS/1.2"),
        _plain("HTTP/2.0", _UPGRADE, b"Upgrade: HTTP/2.0"),
        _plain("anything", _UPGRADE, b"Upgrade: anything"),
        _plain("nothing", _UPGRADE, b"Upgrade:"),
        _plain("a field that is not there", _UPGRADE),
        _plain("a lookalike of WebSocket", _UPGRADE, b"Upgrade: xwebsocket, websocketx", _KEY, _VERSION),
        _plain("a WebSocket that Connection does not name", b"Upgrade: websocket", _KEY, _VERSION),
        _plain("a WebSocket that Connection names wrongly", b"Connection: xupgrade", b"Upgrade: websocket", _KEY, _VERSION),
        refused("h2c with a counted body", post(_UPGRADE, b"Upgrade: h2c", b"Content-Length: 30", body=b"GET /smuggled-MARK HTTP/1.1\r\n\r\n"), _BODY),
        refused("h2c with a chunked body", post(_UPGRADE, b"Upgrade: h2c", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), _BODY),
        refused("anything with a body", post(_UPGRADE, b"Upgrade: anything", b"Content-Length: 1", body=b"x"), _BODY),
        refused("a WebSocket with a body", get(_UPGRADE, b"Upgrade: websocket", _KEY, _VERSION, b"Content-Length: 30", body=b"GET /smuggled-MARK HTTP/1.1\r\n\r\n"), _BODY),
        refused("a WebSocket with a chunked body", get(_UPGRADE, b"Upgrade: websocket", _KEY, _VERSION, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), _BODY),
        forwarded("h2c with a body of nothing", post(_UPGRADE, b"Upgrade: h2c", b"Content-Length: 0"), _BODY, Forwarded(method=b"POST", fields=((b"upgrade", None),))),
        forwarded("anything, and a request behind it", get(_UPGRADE, b"Upgrade: anything") + get(target=b"/second-MARK"), _BODY, _NOT_OFFERED, Forwarded(b"/second-MARK")),
        refused("a WebSocket by POST", post(_UPGRADE, b"Upgrade: websocket", _KEY, _VERSION), _WEBSOCKET),
        refused("a WebSocket by PUT", request(b"PUT /MARK HTTP/1.1", _UPGRADE, b"Upgrade: websocket", _KEY, _VERSION), _WEBSOCKET),
        refused("a WebSocket of HTTP/1.0", request(b"GET /MARK HTTP/1.0", _UPGRADE, b"Upgrade: websocket", _KEY, _VERSION), _WEBSOCKET),
        refused("a WebSocket of version 8", get(_UPGRADE, b"Upgrade: websocket", _KEY, b"Sec-WebSocket-Version: 8"), _WEBSOCKET),
        refused("a WebSocket of version 777", get(_UPGRADE, b"Upgrade: websocket", _KEY, b"Sec-WebSocket-Version: 777"), _WEBSOCKET),
        refused("a WebSocket of two versions", get(_UPGRADE, b"Upgrade: websocket", _KEY, b"Sec-WebSocket-Version: 13, 8"), _WEBSOCKET),
        refused("a WebSocket without a version", get(_UPGRADE, b"Upgrade: websocket", _KEY), _WEBSOCKET),
        refused("a WebSocket without a key", get(_UPGRADE, b"Upgrade: websocket", _VERSION), _WEBSOCKET),
        refused("a WebSocket with a short key", get(_UPGRADE, b"Upgrade: websocket", _VERSION, b"Sec-WebSocket-Key: YWJj"), _WEBSOCKET),
        refused("a WebSocket with a key that is no base64", get(_UPGRADE, b"Upgrade: websocket", _VERSION, b"Sec-WebSocket-Key: !!"), _WEBSOCKET),
        refused("a WebSocket with two keys", get(_UPGRADE, b"Upgrade: websocket", _VERSION, _KEY, _KEY), _WEBSOCKET),
        forwarded("a WebSocket that the environment does not open", get(_UPGRADE, b"Upgrade: websocket", _KEY, _VERSION), _WEBSOCKET, _OFFERED),
        forwarded("a WebSocket that is not opened, and a request behind it", get(_UPGRADE, b"Upgrade: websocket", _KEY, _VERSION) + b"GET /smuggled-MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\r\n\r\n", _WEBSOCKET, _OFFERED),
        forwarded("a WebSocket among others", get(b"Connection: keep-alive, Upgrade", b"Upgrade: h2c, WebSocket", _KEY, _VERSION), "RFC 9110, section 7.8: a list; only what is known goes on", _OFFERED),
        refused("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "RFC 9113, section 3.4: a client that takes this for HTTP/2"),
        refused("the HTTP/2 preface and a frame", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "RFC 9113, section 3.4"),
        RequestCase("the HTTP/2 preface behind a request", get() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (Forwarded(), Refused()), "RFC 9113, section 3.4: it begins a connection, and is nothing within one"),
    ),
    (WEB,),
)  # fmt: skip
