"""Fields of answers that are for one hop, or that would speak for an origin that is not the environment's."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Passed, ResponseCase, ResponseFamily

_HOP: Final = "RFC 9110, section 7.6.1: fields of one hop MUST be removed"
_ORIGIN: Final = "it would bind the whole origin, which is the gateway's and serves others as well"
_COOKIE: Final = (
    "cookies of the gateway's own names are nobody else's to set; Domain would reach sibling hosts (RFC 6265bis)"
)


def _case(name: str, *lines: bytes, why: str = _HOP, kept: bool = True, **seen: bytes | None) -> ResponseCase:
    fields = tuple((known.replace("_", "-").encode(), value) for known, value in seen.items())
    sent = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: 2", *lines, b"", b"ok"])
    return ResponseCase(name, sent, Passed(body=b"ok", fields=fields), why, is_kept=kept)


FAMILY: Final = ResponseFamily(
    "answer's fields",
    (
        _case("Connection names a field", b"Connection: X-One", b"X-One: y", b"X-Two: z", x_one=None, x_two=b"z", connection=None),
        _case("Connection names a cookie", b"Connection: Set-Cookie", b"Set-Cookie: a=b", set_cookie=None),
        _case("Connection names itself and more", b"Connection: Connection, , ,keep-alive", connection=None),
        _case("Connection closes", b"Connection: close", kept=False, connection=None),
        _case("Connection closes in capitals and a list", b"Connection: x, CLOSE", kept=False, connection=None),
        _case("Connection closes in a second field", b"Connection: keep-alive", b"Connection: close", kept=False, connection=None),
        _case("Keep-Alive", b"Keep-Alive: timeout=9999", keep_alive=None),
        _case("Proxy-Authenticate", b"Proxy-Authenticate: Basic", proxy_authenticate=None),
        _case("Proxy-Connection", b"Proxy-Connection: close", proxy_connection=None),
        _case("Upgrade", b"Connection: upgrade", b"Upgrade: h2c", upgrade=None, connection=None),
        _case("Trailer", b"Trailer: Set-Cookie", trailer=None),
        _case("TE", b"TE: trailers", te=None),
        _case("Alt-Svc", b'Alt-Svc: h3="evil.example:443"', why=_ORIGIN, alt_svc=None),
        _case("Clear-Site-Data", b'Clear-Site-Data: "*"', why=_ORIGIN, clear_site_data=None),
        _case("Strict-Transport-Security", b"Strict-Transport-Security: max-age=99999; includeSubDomains", why=_ORIGIN, strict_transport_security=None),
        _case("NEL and Report-To", b"NEL: {}", b"Report-To: {}", b"Reporting-Endpoints: a=b", why=_ORIGIN, nel=None, report_to=None, reporting_endpoints=None),
        _case("Service-Worker-Allowed", b"Service-Worker-Allowed: /", why=_ORIGIN, service_worker_allowed=None),
        _case("Set-Cookie2", b"Set-Cookie2: a=b", why=_COOKIE, set_cookie2=None),
        _case("a cookie of ours", b"Set-Cookie: guestpass=evil; Path=/", why=_COOKIE, set_cookie=None),
        _case("a cookie of ours with a prefix", b"Set-Cookie: __Host-guestpass=evil; Path=/; Secure", why=_COOKIE, set_cookie=None),
    _case("a pass under its name on https", b"Set-Cookie: __Host-Http-guestpass=evil; Path=/; HttpOnly; Secure", why=_COOKIE, set_cookie=None),
        _case("a cookie of ours with a prefix in other letters", b"Set-Cookie: __hOST-guestpass=evil; Path=/; Secure", why=_COOKIE, set_cookie=None),
        _case("a cookie of another visitor", b"Set-Cookie: guestpass.0000.session_id=evil; Path=/", why=_COOKIE, set_cookie=None),
        _case("a cookie with a domain", b"Set-Cookie: a=b; Domain=example; Path=/", why=_COOKIE, set_cookie=b"a=b; Path=/"),
        _case("a cookie without a name", b"Set-Cookie: =guestpass=evil", why=_COOKIE + "; browsers send a nameless one as its bare value", set_cookie=None),
        _case("a cookie without an equals sign", b"Set-Cookie: guestpass", why=_COOKIE, set_cookie=None),
        _case("a date", b"Date: Sun, 01 Mar 2026 12:00:00 GMT", why="RFC 9110, section 6.6.1: with one it is passed on, without one it is added", date=b"Sun, 01 Mar 2026 12:00:00 GMT"),
        _case("a cache that may keep it for all", b"Cache-Control: public, max-age=31536000, immutable", why="on an origin that others use after it no answer may be used unasked", cache_control=b"private, no-cache"),
    ),
)  # fmt: skip
