"""Read the heads of requests and responses: llhttp finds the parts, and what it lets pass is refused here.

A head is fed to a fresh parser in one piece, from its first byte to its CRLFCRLF and nothing behind it. What
comes out is a meaning, never bytes to pass on: both directions build new heads from it.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from guestpass.domain.reasons import Reason

MAX_HEAD: Final = 64 * 1024
MAX_TARGET: Final = 16 * 1024
MAX_FIELDS: Final = 200

# Besides what RFC 9112, section 3.2, forbids, a backslash is refused: browsers turn it into a slash, servers don't.
_BAD_TARGET = re.compile(rb"[^\x21\x22\x24-\x5b\x5d-\x7e]|%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?)(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65535
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9-]+")
_VERSION = re.compile(rb" HTTP/[0-9]\.[0-9]")
_VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.0")
_END: Final = b"\r\n\r\n"
_REFUSED_METHODS: Final = frozenset({b"CONNECT", b"TRACE"})
# RFC 9110, section 7.6.1, forbids Connection to name what is meant for every recipient. Who decides by such a field and
# then takes it away, because it was named, decides about another request than the one that arrives.
_NEVER_NAMED = re.compile(
    rb"host|cookie|authorization|origin|forwarded|x-forwarded-.*|x-real-ip|content-.*|transfer-encoding|sec-.*"
)

Field = tuple[bytes, bytes, bytes]
"""Lower-case name, name as it came, value without blanks around it."""


class RefusedHeadError(Exception):
    """A head that has no single safe meaning. `reason` decides the status; the text says what is wrong."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _LowerNames(dict[bytes, bytes | None]):
    """Field name -> lower-case name, or None for names that are dropped; remembers the few hundred that occur."""

    def __missing__(self, name: bytes) -> bytes | None:
        # WSGI servers read `_` as `-`, so a name that holds one could pose as a field that a rule removed.
        lower = name.lower() if _PLAIN_NAME.fullmatch(name) else None
        if len(self) > 2000:
            self.clear()
        if len(name) < 100:
            self[name] = lower
        return lower


_LOWER = _LowerNames()


class RequestHead:
    """The meaning of a request's head.

    `target` is in origin form, `path` and `query` are its parts (`query` with its ``?``, or empty), `minor` is
    the minor HTTP version, `values` maps lower-case names to values (joined where a field came twice),
    `content_length` is None without the field, `keep_alive` is what the client wants.
    """

    __slots__ = (
        "chunked",
        "connection",
        "content_length",
        "fields",
        "host",
        "keep_alive",
        "method",
        "minor",
        "path",
        "query",
        "target",
        "values",
    )

    method: bytes
    target: bytes
    path: bytes
    query: bytes
    minor: int
    fields: list[Field]
    values: dict[bytes, bytes]
    host: bytes
    content_length: int | None
    chunked: bool
    connection: frozenset[bytes]
    keep_alive: bool

    @property
    def has_body(self) -> bool:
        """Whether any byte of a body follows."""
        return self.chunked or bool(self.content_length)

    @property
    def languages(self) -> str:
        """Accept-Language as it came; empty without it."""
        return self.values.get(b"accept-language", b"").decode("latin-1")


class ResponseHead:
    """The meaning of a response's head; `content_length` is None without the field."""

    __slots__ = ("chunked", "connection", "content_length", "fields", "keep_alive", "minor", "status")

    status: int
    minor: int
    fields: list[Field]
    content_length: int | None
    chunked: bool
    connection: frozenset[bytes]
    keep_alive: bool


class _Events:
    """What the parser calls back; `overrun` shows that it saw more than one head in the bytes."""

    __slots__ = ("complete", "overrun", "pairs", "url")

    def __init__(self) -> None:
        self.url = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.overrun = False

    def on_url(self, url: bytes) -> None:
        self.overrun = self.overrun or self.complete
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.overrun = self.overrun or self.complete
        self.pairs.append((name, value))

    def on_headers_complete(self) -> None:
        self.overrun = self.overrun or self.complete
        self.complete = True


_NO_TOKENS: frozenset[bytes] = frozenset()
_COMMON_CONNECTION: dict[bytes | None, frozenset[bytes]] = {
    None: _NO_TOKENS,
    b"keep-alive": frozenset({b"keep-alive"}),
    b"close": frozenset({b"close"}),
}


def read_host(value: bytes) -> bytes:
    """Check a Host field or what stands for it, and return it in lower case; raises RefusedHeadError."""
    match = _HOST.fullmatch(value)
    if match is None or int(match[1] or 0) > _MAX_PORT:
        raise _bad("The request's Host is not a host name or address with an optional port.")
    return value.lower()


def read_request_head(data: bytes) -> RequestHead:
    """Read a complete request head that ends in CRLFCRLF (RFC 9112, sections 2 to 6).

    Raises RefusedHeadError for whatever has no single meaning: see the order of checks.
    """
    events = _Events()
    parser = httptools.HttpRequestParser(events)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # An Upgrade field; whether it is one that we know is decided by our own reading.
    except httptools.HttpParserError as error:
        raise _unreadable(data, error) from None
    if not events.complete or events.overrun or data.find(_END) != len(data) - len(_END):
        raise _bad("The request's head does not end where it should.")
    head = RequestHead()
    head.method = method = parser.get_method()
    target = events.url
    _check_request_line(data, method, target, head)
    values = _collect(events.pairs, head)
    head.values = values
    _read_host(head, target)
    head.connection = _tokens(values.get(b"connection"))
    if any(map(_NEVER_NAMED.fullmatch, head.connection)):
        raise _bad("The Connection field names a field that is meant for every recipient.")
    head.keep_alive = _keeps_alive(head.minor, head.connection)
    _read_request_framing(head)
    return head


def read_response_head(data: bytes) -> ResponseHead:
    """Read a complete response head that ends in CRLFCRLF; raises ValueError for one that is not to be trusted."""
    events = _Events()
    parser = httptools.HttpResponseParser(events)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise ValueError(f"not valid HTTP: {error}") from None
    head = ResponseHead()
    head.status = status = parser.get_status_code()
    version = data[:9]
    if not events.complete or events.overrun or data.find(_END) != len(data) - len(_END):
        raise ValueError("the head does not end where it should")
    if version not in (b"HTTP/1.1 ", b"HTTP/1.0 ") or not 100 <= status <= 599:
        raise ValueError("neither HTTP/1.1 nor HTTP/1.0, or a status outside 100 to 599")
    head.minor = version[7] - 48
    if len(events.pairs) > MAX_FIELDS:
        raise ValueError(f"more than {MAX_FIELDS} fields")
    fields: list[Field] = []
    connection = length = coding = None
    for name, value in events.pairs:
        lower = name.lower()
        value = value.strip(b" \t")  # noqa: PLW2901 - the parser leaves trailing blanks in a value
        if lower == b"content-length":
            length = value
        elif lower == b"transfer-encoding":
            coding = value if coding is None else coding + b"," + value
        elif lower == b"connection":
            connection = value if connection is None else connection + b"," + value
        fields.append((lower, name, value))
    head.fields = fields
    head.connection = _tokens(connection)
    head.keep_alive = _keeps_alive(head.minor, head.connection)
    head.chunked = coding is not None
    if coding is not None and (coding.lower() != b"chunked" or head.minor == 0 or length is not None):
        # llhttp would read such a body to the end of the connection; whoever reads it otherwise sees another body.
        raise ValueError("a Transfer-Encoding other than chunked on HTTP/1.1")
    head.content_length = None if length is None else _length(length)
    if length is not None and head.content_length is None:
        raise ValueError("a Content-Length that is no number")
    return head


def _check_request_line(data: bytes, method: bytes, target: bytes, head: RequestHead) -> None:
    line_end = data.index(b"\r\n")
    if not data[:1].isalpha():
        raise _bad("The request begins with more than one empty line.")
    version = data[line_end - 8 : line_end]
    if version not in _VERSIONS:
        raise _another_version()
    # Equality leaves no room for further spaces, for RTSP and ICE, or for bytes before the method.
    if data[:line_end] != b"%b %b %b" % (method, target, version):
        raise _bad("The request line must be a method, a target and a version with one space between them.")
    head.minor = version[7] - 48
    if len(target) > MAX_TARGET:
        raise RefusedHeadError(Reason.TARGET_TOO_LONG, f"The address is longer than {MAX_TARGET} bytes.")
    if method in _REFUSED_METHODS:
        raise RefusedHeadError(Reason.METHOD_NOT_ALLOWED, f"The method {method.decode()} is not served here.")
    if _BAD_TARGET.search(target):
        raise _bad("The address holds a character or a %-escape that no URL can have.")


def _collect(pairs: list[tuple[bytes, bytes]], head: RequestHead) -> dict[bytes, bytes]:
    if len(pairs) > MAX_FIELDS:
        raise RefusedHeadError(Reason.HEAD_TOO_LARGE, f"The request has more than {MAX_FIELDS} header fields.")
    fields: list[Field] = []
    values: dict[bytes, bytes] = {}
    for name, raw in pairs:
        lower = _LOWER[name]
        if lower is None:
            continue
        value = raw.strip(b" \t")
        fields.append((lower, name, value))
        if lower in values:
            if lower == b"host":
                raise _bad("The request names more than one Host.")
            value = values[lower] + (b"; " if lower == b"cookie" else b", ") + value
        values[lower] = value
    head.fields = fields
    return values


def _read_host(head: RequestHead, target: bytes) -> None:
    """Check Host (RFC 9112, section 3.2) and bring the target into origin form."""
    host = head.values.get(b"host")
    if host is None:
        raise _bad("The request names no Host.")
    head.host = read_host(host)
    if not target.startswith(b"/"):
        scheme, separator, rest = target.partition(b"://")
        authority, slash, tail = _split_authority(rest)
        if not separator or scheme.lower() not in (b"http", b"https") or authority.lower() != head.host:
            raise _bad("The address must begin with / or name this very host.")
        target = slash + tail if slash == b"/" else b"/" + slash + tail
    head.target = target
    head.path, question, query = target.partition(b"?")
    head.query = question + query


def _split_authority(rest: bytes) -> tuple[bytes, bytes, bytes]:
    for position, byte in enumerate(rest):
        if byte in b"/?":
            return rest[:position], rest[position : position + 1], rest[position + 1 :]
    return rest, b"", b""


def _read_request_framing(head: RequestHead) -> None:
    values = head.values
    coding = values.get(b"transfer-encoding")
    head.chunked = coding is not None
    if coding is not None and (coding.lower() != b"chunked" or head.minor == 0 or b"content-length" in values):
        # RFC 9112, section 6.1: anything else is read differently by someone behind us.
        raise _bad("The only Transfer-Encoding served here is chunked, on HTTP/1.1 and without a Content-Length.")
    length = values.get(b"content-length")
    head.content_length = None if length is None else _length(length)
    if length is not None and head.content_length is None:
        raise _bad("The Content-Length is not a number of bytes.")


def _length(value: bytes) -> int | None:
    # 19 digits are more than any body; endless leading zeros are legal and useless.
    return int(value) if value.isdigit() and len(value) <= 19 else None


def _tokens(value: bytes | None) -> frozenset[bytes]:
    known = _COMMON_CONNECTION.get(value)
    if known is not None:
        return known
    return frozenset(token for part in (value or b"").split(b",") if (token := part.strip(b" \t").lower()))


def _keeps_alive(minor: int, connection: frozenset[bytes]) -> bool:
    """RFC 9112, section 9.3, read by ourselves: llhttp's own answer is only right at one moment."""
    if b"close" in connection:
        return False
    return minor == 1 or b"keep-alive" in connection


def _unreadable(data: bytes, error: Exception) -> RefusedHeadError:
    version = data[: data.find(b"\r\n")][-9:]
    if _VERSION.fullmatch(version) and version[1:] not in _VERSIONS:
        return _another_version()
    return _bad(f"The request is not valid HTTP: {error}.")


def _another_version() -> RefusedHeadError:
    return RefusedHeadError(Reason.VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")


def _bad(detail: str) -> RefusedHeadError:
    return RefusedHeadError(Reason.BAD_REQUEST, detail)
