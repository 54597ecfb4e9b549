"""Connection: what it names ends here, and what everybody needs must not be named."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import BOTH, Forwarded, RequestCase, RequestFamily, forwarded, get, post, refused

_NEEDED: Final = (
    "RFC 9110, section 7.6.1: MUST NOT name a field that is for all recipients; else one decides by it and another "
    "never sees it (N. Davison, Abusing HTTP hop-by-hop request headers)"
)
_HOP: Final = "RFC 9110, section 7.6.1: fields of one hop MUST be removed"

_FOR_ALL: Final = (
    (b"Host", b"X: y"),
    (b"Cookie", b"X: y"),
    (b"Content-Length", b"Content-Length: 0"),
    (b"Content-Type", b"Content-Type: application/json"),
    (b"Content-Encoding", b"Content-Encoding: gzip"),
    (b"Transfer-Encoding", b"X: y"),
    (b"X-Forwarded-For", b"X-Forwarded-For: 10.0.0.1"),
    (b"X-Forwarded-Host", b"X: y"),
    (b"X-Forwarded-Proto", b"X: y"),
    (b"Forwarded", b"Forwarded: for=10.0.0.1"),
    (b"X-Real-IP", b"X-Real-IP: 10.0.0.1"),
    (b"Authorization", b"Authorization: Basic YTpi"),
    (b"Origin", b"Origin: http://HOST"),
    (b"Sec-Fetch-Site", b"Sec-Fetch-Site: cross-site"),
    (b"Sec-WebSocket-Key", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
)


def _named(name: str, *fields: bytes, **seen: bytes | None) -> RequestCase:
    arrive = tuple((known.replace("_", "-").encode(), value) for known, value in seen.items())
    return forwarded(name, get(*fields), _HOP, Forwarded(fields=arrive))


FAMILY: Final = RequestFamily(
    "connection",
    (
        *(
            refused(f"names {name.decode()}", post(b"Connection: close, " + name, field), _NEEDED)
            for name, field in _FOR_ALL
        ),
        refused("names Host in small letters", get(b"Connection: hoSt"), _NEEDED),
        refused("names Cookie in a second field", get(b"Connection: keep-alive", b"Connection: cookie"), _NEEDED),
        refused("names thousands", get(b"Connection: " + b",".join(b"x-%d" % number for number in range(6000))), "each name costs a look, and a head has room for ten thousand"),
        _named("names as many as anybody has", b"Connection: " + b", ".join(b"x-%d" % number for number in range(100)), b"X-99: y", x_99=None),
        refused("names Host among many", get(b"Connection: a, b, ,\t,Host , c"), _NEEDED),
        _named("names a field", b"Connection: X-One", b"X-One: y", b"X-Two: z", x_one=None, x_two=b"z"),
        _named("names a field in other letters", b"connection: x-ONE", b"X-One: y", x_one=None),
        _named("names a field that comes twice", b"Connection: X-One", b"X-One: y", b"X-One: z", x_one=None),
        _named("names a field that comes before it", b"X-One: y", b"Connection: X-One", x_one=None),
        _named("names fields in two lists", b"Connection: X-One", b"Connection: ,, x-two", b"X-One: y", b"X-Two: z", x_one=None, x_two=None),
        _named("names itself", b"Connection: Connection", connection=None),
        _named("names what does not come", b"Connection: X-One, keep-alive", x_one=None),
        _named("names what is no token", b"Connection: (;\"@, X-One", b"X-One: y", x_one=None),
        _named("is empty", b"Connection:", connection=None),
        _named("is commas", b"Connection: , , ,", connection=None),
        _named("Keep-Alive", b"Keep-Alive: timeout=999", keep_alive=None),
        _named("Proxy-Connection", b"Proxy-Connection: close", proxy_connection=None),
        _named("Proxy-Authorization", b"Proxy-Authorization: Basic YTpi", proxy_authorization=None),
        _named("TE", b"Connection: TE", b"TE: trailers, chunked", te=None),
        _named("TE alone", b"TE: trailers", te=None),
        _named("Trailer", b"Trailer: Host", trailer=None),
        forwarded("close", get(b"Connection: close"), "RFC 9112, section 9.6: the last request of its connection", Forwarded(is_last=True)),
        forwarded("close in capitals", get(b"Connection: CLOSE"), "RFC 9110, section 7.6.1: options have no case", Forwarded(is_last=True)),
        forwarded("close and keep-alive", get(b"Connection: keep-alive, close"), "RFC 9112, section 9.3: close wins", Forwarded(is_last=True)),
        forwarded("close in a second field", get(b"Connection: keep-alive", b"X: y", b"Connection: close"), "RFC 9112, section 9.3: close wins", Forwarded(is_last=True)),
        forwarded("closed", get(b"Connection: closed, xclose"), "it only looks like close", Forwarded()),
    ),
    BOTH,
)  # fmt: skip
