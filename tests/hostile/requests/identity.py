"""Fields that say who asks, or for what: only the gateway's own word arrives."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Answered, Forwarded, RequestCase, RequestFamily, forwarded, get, post, refused

_OURS: Final = "behind the gateway it would be believed; each hop says it anew (RFC 7239, section 8.1)"
_REROUTES: Final = "frameworks take it for the target (PortSwigger, Practical web cache poisoning)"
_DROPPED: Final = (
    (b"Forwarded", b"for=10.0.0.1;host=evil.example"), (b"X-Forwarded-Port", b"1"), (b"X-Forwarded-Prefix", b"/evil"),
    (b"X-Forwarded-Scheme", b"https"), (b"X-Forwarded-Server", b"evil.example"), (b"X-Forwarded-SSL", b"on"),
    (b"X-Forwarded-By", b"10.0.0.1"), (b"X-Forwarded-User", b"admin"), (b"X-Forwarded-Email", b"admin@example.com"),
    (b"X-Forwarded-Anything", b"y"), (b"X-Real-IP", b"10.0.0.1"), (b"X-Client-IP", b"10.0.0.1"),
    (b"X-Cluster-Client-IP", b"10.0.0.1"), (b"True-Client-IP", b"10.0.0.1"), (b"CF-Connecting-IP", b"10.0.0.1"),
    (b"Front-End-Https", b"on"), (b"X-Host", b"evil.example"), (b"X-Original-Host", b"evil.example"),
    (b"X-Guestpass-Admin", b"1"), (b"X-Guestpass-Client-Address", b"10.0.0.1"),
)  # fmt: skip


def _dropped(name: bytes, value: bytes, why: str = _OURS) -> RequestCase:
    seen = Forwarded(fields=((name.lower(), None), (b"x-later", b"y")))
    return forwarded(name.decode(), get(name + b": " + value, b"X-Later: y"), why, seen)


FAMILY: Final = RequestFamily(
    "identity",
    (
        *(_dropped(name, value) for name, value in _DROPPED),
        _dropped(b"X-Original-URL", b"/smuggled-MARK", _REROUTES),
        _dropped(b"X-Rewrite-URL", b"/smuggled-MARK", _REROUTES),
        forwarded("X-Forwarded-For", get(b"X-Forwarded-For: 10.0.0.1"), _OURS, Forwarded(fields=((b"x-forwarded-for", b"127.0.0.1"),))),
        forwarded("X-Forwarded-For twice", get(b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-For: 10.0.0.2"), _OURS, Forwarded(fields=((b"x-forwarded-for", b"127.0.0.1"),))),
        forwarded("X-Forwarded-Host", get(b"X-Forwarded-Host: evil.example"), _OURS, Forwarded(fields=((b"x-forwarded-host", b"HOST"),))),
        forwarded("X-Forwarded-Proto", get(b"X-Forwarded-Proto: https"), _OURS, Forwarded(fields=((b"x-forwarded-proto", b"http"),))),
        forwarded("X-Forwarded-For in other letters", get(b"x-FORWARDED-for: 10.0.0.1"), _OURS, Forwarded(fields=((b"x-forwarded-for", b"127.0.0.1"),))),
        forwarded("a Referer with a token", get(b"Referer: http://HOST/share/gp_MARK"), "the token would be told to whoever reads the environment's log", Forwarded(fields=((b"referer", None),))),
        forwarded("a Cookie of the gateway's own", get(b"Cookie: guestpass=x; a=b; __Host-guestpass=y"), "a pass is nobody's but the gateway's", Forwarded(fields=((b"cookie", b"a=b"),))),
        forwarded("a Cookie of another visitor", get(b"Cookie: guestpass.0000.session_id=evil; a=b"), "what is kept under a tag is that visitor's alone", Forwarded(fields=((b"cookie", b"a=b"),))),
        forwarded("a foreign Origin", post(b"Origin: http://evil.example"), "a page of another origin acts with the visitor's cookies", Answered(403, b"POST")),
        forwarded("two Origins", post(b"Origin: http://HOST", b"Origin: http://evil.example"), "RFC 6454, section 7.3: one; a list is nobody's", Answered(403, b"POST")),
        refused("no pass", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\n\r\n", "without a pass nothing is passed on", 401),
        refused("a pass in an Authorization", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\nAuthorization: PASS\r\n\r\n", "a pass is a cookie", 401),
    ),
)  # fmt: skip
