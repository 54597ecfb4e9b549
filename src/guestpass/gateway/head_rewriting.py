"""Build the heads that leave us, anew and field by field, from what was read of those that came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from guestpass.app.handover import PREFIX as HANDOVER_PREFIX
from guestpass.gateway.cookies import EnvironmentCookies
from guestpass.gateway.credentials import Credentials
from guestpass.gateway.paths import PathKind, read_path
from guestpass.gateway.peers import FORWARDING_FIELDS
from guestpass.wire.heads import Field, RequestHead, ResponseHead
from guestpass.wire.response_heads import date_field

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Written anew below, or meant for us: none of these passes as it came.
_REQUEST_DROPS: Final = (
    _HOP_BY_HOP | FORWARDING_FIELDS | {b"host", b"cookie", b"content-length", b"expect", b"http2-settings"}
)
# What an application and the web server in front of it say to each other: which file to send in an answer's place, how
# long to cache it, that the application is ill. In front of us stands the operator's server, which has other files and
# other applications than the environment; and in a request some applications learn from it how to name files.
_FOR_WEB_SERVERS: Final = (b"x-accel-", b"x-envoy-", b"x-lighttpd-", b"x-litespeed-", b"x-reproxy-", b"x-sendfile")
# Any name that begins so: proxies in front of an application use many more of them than the known ones (-User, -Email).
_REQUEST_DROPPED_BEGINNINGS: Final = (b"x-forwarded-", HANDOVER_PREFIX.encode(), *_FOR_WEB_SERVERS)
# What an environment must not say about an origin that is ours and that others use after it.
_ORIGIN_WIDE: Final = frozenset(
    {
        b"alt-svc",
        b"clear-site-data",
        b"nel",
        b"report-to",
        b"reporting-endpoints",
        b"set-cookie2",
        b"strict-transport-security",
    }
)
# Where links follow each other on one origin, no service worker and no compression dictionary (RFC 9842) of one may act
# on, or be named to, the next.
_OF_ONE_ORIGIN: Final = frozenset({b"service-worker-allowed", b"use-as-dictionary"})
# What tells caches of many people to keep an answer in spite of its Cache-Control: RFC 9213 and what came before it.
_FOR_SHARED_CACHES: Final = frozenset({b"edge-control", b"surrogate-control"})
_TARGETED_CACHE_CONTROL: Final = b"-cache-control"
_RESPONSE_DROPS: Final = _HOP_BY_HOP | _ORIGIN_WIDE | _FOR_SHARED_CACHES | {b"content-length"}
_APPLICATION_DROPS: Final = _HOP_BY_HOP | {b"content-length"}
# A Referer may leave out scheme and host (RFC 9110, section 10.1.3), though no browser does.
_REFERER_PATH = re.compile(rb"(?:[a-z][a-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)", re.IGNORECASE)

_HEAD: Final = (
    b"%b %b HTTP/1.1\r\nHost: %b\r\n%bX-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Proto: %b\r\n%b%b\r\n"
)
_UPGRADE: Final = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"


@dataclass(slots=True, init=False)
class ForwardedVisitor:
    """How a visitor reached us, as the environment is told: `host` is the checked Host, `scheme` http or https."""

    address: bytes
    host: bytes
    scheme: bytes

    # Written out as for all that each request makes: what dataclasses would make is not compiled, and takes longer
    # then by a factor of ten.
    def __init__(self, address: bytes, host: bytes, scheme: bytes) -> None:
        self.address = address
        self.host = host
        self.scheme = scheme


def request_head(
    head: RequestHead,
    target: bytes,
    visitor: ForwardedVisitor,
    *,
    cookie: bytes,
    upgrade: bool,
    lines: bytes | None = None,
    extra: bytes = b"",
) -> bytes:
    """Return the request head for an upstream; `extra` are complete field lines that nobody outside can send.

    With `lines` these go on in the place of the client's own, and nobody is asked whether to send a body.
    """
    ours = b"Cookie: %b\r\n" % cookie if cookie else b""
    if head.chunked:
        ours += b"Transfer-Encoding: chunked\r\n"
    elif head.content_length is not None:
        ours += b"Content-Length: %d\r\n" % head.content_length
    if lines is None:
        if head.has_body and head.minor == 1 and head.values.get(b"expect", b"").lower() == b"100-continue":
            ours += b"Expect: 100-continue\r\n"
        lines = head.block.passed_on if head.fields is head.block.fields else None
        if lines is None:
            lines = _passed_on(head)
    if upgrade:
        ours += _UPGRADE
    host = visitor.host
    return _HEAD % (head.method, target, host, lines, visitor.address, host, visitor.scheme, ours, extra)


def _passed_on(head: RequestHead) -> bytes:
    """Return the field lines that go on as they came; chosen once for all requests that repeat them."""
    lines = pass_on(head.fields, head.connection)
    if head.fields is head.block.fields:
        head.block.passed_on = lines
    return lines


def whole_request_head(
    method: bytes, target: bytes, visitor: ForwardedVisitor, lines: bytes, *, cookie: bytes, length: int | None
) -> bytes:
    """Return the head of a request whose body is here whole, with these field `lines`."""
    ours = b"Cookie: %b\r\n" % cookie if cookie else b""
    if length is not None:
        ours += b"Content-Length: %d\r\n" % length
    host = visitor.host
    return _HEAD % (method, target, host, lines, visitor.address, host, visitor.scheme, ours, b"")


def pass_on(fields: Sequence[Field], connection: frozenset[bytes]) -> bytes:
    """Return the lines of those fields of a request that go on to an upstream as they came."""
    lines = []
    for lower, name, value in fields:
        if lower in _REQUEST_DROPS or lower in connection or lower.startswith(_REQUEST_DROPPED_BEGINNINGS):
            continue
        if lower == b"referer" and _is_ours(value):
            continue
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


@dataclass(slots=True, init=False)
class EnvironmentResponse:
    """How an environment's answer to one visitor is changed on its way.

    `shares_origin` says that other environments are opened on this very origin: no answer may be used there
    without asking again. `opens` says that this answers a share URL itself, which must never be answered from a
    cache: the link may have ended by then. `pass_cookie` is set with the final answer, and `credentials` are what the
    request said by HTTP authentication, where that must not go to others on this origin. `kind` is a number below 4
    for what, besides its fields, decides how an answer is changed.
    """

    cookies: EnvironmentCookies
    shares_origin: bool
    opens: bool
    pass_cookie: bytes | None
    credentials: Credentials | None
    kind: int

    def __init__(
        self,
        cookies: EnvironmentCookies,
        *,
        shares_origin: bool,
        opens: bool = False,
        pass_cookie: bytes | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.cookies = cookies
        self.shares_origin = shares_origin
        self.opens = opens
        self.kind = shares_origin + 2 * opens
        self.pass_cookie = pass_cookie
        self.credentials = credentials

    def fields(self, head: ResponseHead) -> list[bytes]:
        """Return the field lines for the visitor, without those that frame the message."""
        block = head.block
        if block is None or self.pass_cookie is not None:
            return self.lines(head)
        credentials = self.credentials
        if credentials is not None and not (credentials.is_silent and head.status != 401):
            return self.lines(head)
        template = block.templates.get(self.kind)
        if template is None:
            template = block.templates[self.kind] = make_template(self.lines(head))
        return fill_template(template, head)

    def is_alike(self, status: int) -> bool:
        """Return whether an answer is changed like any other with the same fields, for visitors of this `kind`."""
        credentials = self.credentials
        return self.pass_cookie is None and (credentials is None or (credentials.is_silent and status != 401))

    def lines(self, head: ResponseHead) -> list[bytes]:
        """Return what `fields` does, one line each."""
        lines: list[bytes] = []
        cache_control = b""
        dated = False
        controls_caches = self.shares_origin or self.opens
        fields, asked = head.fields, None
        if self.credentials is not None:
            fields, asked = self.credentials.changed(head.status, fields)
        for lower, name, value in fields:
            if (
                lower in _RESPONSE_DROPS
                or lower in head.connection
                or lower.startswith(_FOR_WEB_SERVERS)
                or lower.endswith(_TARGETED_CACHE_CONTROL)
            ):
                continue
            if lower == b"set-cookie":
                rewritten = self.cookies.rewrite(value)
                if rewritten is not None:
                    lines.append(b"Set-Cookie: %b\r\n" % rewritten)
                continue
            if controls_caches and lower in (b"cache-control", b"expires", b"pragma"):
                cache_control += value if lower == b"cache-control" else b""
                continue
            if self.shares_origin and lower in _OF_ONE_ORIGIN:
                continue
            dated = dated or lower == b"date"
            lines.append(b"%b: %b\r\n" % (name, value))
        if not dated:
            lines.append(date_field())
        if controls_caches:
            kept = not self.opens and b"no-store" not in cache_control.lower()
            lines.append(b"Cache-Control: private, no-cache\r\n" if kept else b"Cache-Control: no-store\r\n")
        if asked is not None:
            lines.append(b"Set-Cookie: %b\r\n" % asked)
        if self.pass_cookie is not None:
            lines.append(b"Set-Cookie: %b\r\n" % self.pass_cookie)
        return lines


_DATE_LINE: Final = b"date: "


def make_template(lines: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return what stands before and behind the one Date line."""
    at = next(number for number, line in enumerate(lines) if line[: len(_DATE_LINE)].lower() == _DATE_LINE)
    return b"".join(lines[:at]), b"".join(lines[at + 1 :])


def fill_template(template: tuple[bytes, bytes], head: ResponseHead) -> list[bytes]:
    """Return the lines again, with the Date of another head."""
    date = head.date
    return [template[0], date_field() if date is None else b"%b: %b\r\n" % (date[1], date[2]), template[1]]


class ApplicationResponse:
    """The application's answers are ours and pass as they are; one that sets a pass comes with the `leaving` lines."""

    def __init__(self, leaving: Sequence[bytes] = ()) -> None:
        self._leaving = leaving

    def fields(self, head: ResponseHead) -> list[bytes]:
        """The field lines, without those that frame the message."""
        lines = [b"%b: %b\r\n" % (name, value) for lower, name, value in head.fields if lower not in _APPLICATION_DROPS]
        if self._leaving and any(lower == b"set-cookie" for lower, _, _ in head.fields):
            return [*self._leaving, *lines]
        return lines


def _is_ours(referer: bytes) -> bool:
    """Whether a Referer would tell the environment a share token."""
    if b"/share/" not in referer and b"/s-proxy/" not in referer:
        return False
    match = _REFERER_PATH.match(referer)
    return match is not None and read_path(match[1]).room is not PathKind.ELSEWHERE
