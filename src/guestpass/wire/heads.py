"""Read the heads of requests and responses. What comes out is a meaning, never bytes to pass on.

Nearly every head is plain: known methods, names of letters, digits and hyphens, visible values, CRLF. Its lines are
looked up among those that were read before, and a new one is read by the letter of RFC 9112. Any other head is fed to
llhttp in one piece, from its first byte to its CRLFCRLF and nothing behind it, and what llhttp lets pass is refused
here. Both ways end in the same checks, and a test holds them to the same meanings (docs/decisions/0019).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import httptools

from guestpass.wire.failures import Failure

MAX_HEAD: Final = 64 * 1024
MAX_TARGET: Final = 16 * 1024
MAX_FIELDS: Final = 200
MAX_INTERIM: Final = 10
"""Heads with a status of 1xx that may come before an answer's own."""
MAX_CONNECTION: Final = 1024
"""Bytes of a Connection field. Tens of thousands of names fit into a head, and each has to be looked at."""

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
_PLAIN_METHODS: Final = frozenset({b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH"})
_PLAIN_LINE = re.compile(rb"([A-Za-z0-9-]+):([\t\x20-\x7e\x80-\xff]*)")
_PLAIN_STATUS = re.compile(rb"HTTP/1\.([01]) ([2-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")
# What is remembered of heads that came. A browser sends most of its lines, and whole sets of them, again and again.
_LONGEST_LINE: Final = 4096
_MOST_LINES: Final = 2000
_LONGEST_BLOCK: Final = 4096
_MOST_BLOCKS: Final = 1000
# Two values differ between answers that are otherwise the same. uvicorn writes their names in lower case.
_DATE: Final = len(b"\r\nDate: ")
_LENGTH: Final = len(b"\r\nContent-Length: ")

_T = TypeVar("_T")
Field = tuple[bytes, bytes, bytes]
"""Lower-case name, name as it came, value without blanks around it."""


class RefusedHeadError(Exception):
    """A head that has no single safe meaning. `reason` decides the status; the text says what is wrong."""

    def __init__(self, reason: Failure, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _lower(name: bytes) -> bytes | None:
    # WSGI servers read `_` as `-`, so a name that holds one could pose as a field that a rule removed.
    return name.lower() if _PLAIN_NAME.fullmatch(name) else None


class _Lines(dict[bytes, _T | None]):
    """Lines as they came -> what `read` makes of them, or None for those that are not plain; remembers the recent."""

    def __init__(self, read: Callable[[bytes], _T | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, line: bytes) -> _T | None:
        found = self._read(line)
        if len(self) >= _MOST_LINES:
            self.clear()
        if len(line) <= _LONGEST_LINE:
            self[line] = found
        return found


def _read_field(line: bytes) -> Field | None:
    match = _PLAIN_LINE.fullmatch(line)
    if match is None:
        return None
    lower = match[1].lower()
    return lower, match[1], _value(lower, match[2])


def _value(lower: bytes, raw: bytes) -> bytes:
    """The value without the blanks around it (RFC 9112, section 5)."""
    # llhttp takes no tab behind a coding: it refuses such a request, and reads such an answer to the connection's end.
    # So the tab stays, and the value is refused with all that is not `chunked`.
    return raw.lstrip(b" \t").rstrip(b" ") if lower == b"transfer-encoding" else raw.strip(b" \t")


def _read_status(line: bytes) -> tuple[int, int] | None:
    """Minor version and status."""
    match = _PLAIN_STATUS.fullmatch(line)
    return None if match is None else (int(match[1]), int(match[2]))


_LINES = _Lines(_read_field)
_STATUS_LINES = _Lines(_read_status)


class FieldBlock:
    """All of a request's head but its first line, and what it means; for the attributes see RequestHead.

    Shared by all requests that repeat it to the byte, so nothing of it is ever changed. The rest is for others, who
    keep here what they make of it: `sender` who sends it, `passed_on` the field lines that go on as they are,
    `translated` those for an Odoo with what they were translated between, and `variants` what becomes of answers.
    """

    __slots__ = (
        "chunked",
        "connection",
        "content_length",
        "fields",
        "host",
        "keep_alive",
        "passed_on",
        "sender",
        "translated",
        "values",
        "variants",
    )

    fields: list[Field]
    values: dict[bytes, bytes]
    host: bytes
    content_length: int | None
    chunked: bool
    connection: frozenset[bytes]
    keep_alive: bool

    def __init__(self) -> None:
        self.sender: Any = None
        self.passed_on: bytes | None = None
        self.translated: tuple[object, bytes, int, bytes] | None = None
        self.variants: tuple[Any, Any] | None = None


_BLOCKS: dict[bytes, FieldBlock] = {}


class RequestHead:
    """The meaning of a request's head.

    `target` is in origin form, `path` and `query` are its parts (`query` with its ``?``, or empty), `minor` is
    the minor HTTP version, `values` maps lower-case names to values (joined where a field came twice),
    `content_length` is None without the field, `has_body` says that any byte of a body follows, `keep_alive` is what
    the client wants.
    """

    __slots__ = (
        "block",
        "chunked",
        "connection",
        "content_length",
        "fields",
        "has_body",
        "host",
        "keep_alive",
        "method",
        "minor",
        "path",
        "query",
        "target",
        "values",
    )

    block: FieldBlock
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
    has_body: bool
    connection: frozenset[bytes]
    keep_alive: bool

    @property
    def languages(self) -> str:
        """Accept-Language as it came; empty without it."""
        return self.values.get(b"accept-language", b"").decode("latin-1")


class ResponseBlock:
    """A response's head without the values of its Date and Content-Length, and what it means.

    Shared by all responses that repeat it to the byte, so nothing of it is ever changed. In `fields` the two values are
    empty, at `date_at` and `length_at` (-1 for a field that is not there). `names` are those of the fields, in lower
    case. `templates` is for whoever builds the head for the client: what they made of it, under keys of their own.
    `form` is for whoever compresses: what the fields say about that, once it was found.
    """

    __slots__ = (
        "chunked",
        "connection",
        "date_at",
        "fields",
        "form",
        "keep_alive",
        "length_at",
        "minor",
        "names",
        "status",
        "templates",
    )

    status: int
    minor: int
    fields: list[Field]
    names: frozenset[bytes]
    date_at: int
    length_at: int
    chunked: bool
    connection: frozenset[bytes]
    keep_alive: bool

    def __init__(self) -> None:
        self.templates: dict[int, tuple[bytes, bytes]] = {}
        self.form: int | None = None


# None for what was seen once: many heads come only once, with an entity tag or an address in them.
_RESPONSES: dict[bytes, ResponseBlock | None] = {}
_UNFIT: Final = ResponseBlock()


class ResponseHead:
    """The meaning of a response's head; `content_length` is None without the field.

    `block` is what the head shares with others, None where it came once or was changed; `date` is its Date field as it
    came, None without one or without a block.
    """

    __slots__ = ("_fields", "block", "chunked", "connection", "content_length", "date", "keep_alive", "minor", "status")

    block: ResponseBlock | None
    date: Field | None
    status: int
    minor: int
    content_length: int | None
    chunked: bool
    connection: frozenset[bytes]
    keep_alive: bool

    def __init__(self) -> None:
        self.block = None
        self.date = None
        self._fields: list[Field] | None = None

    @property
    def fields(self) -> list[Field]:
        """The fields in their order; not to be changed in place."""
        fields = self._fields
        if fields is None:
            fields = self._fields = self._own_fields()
        return fields

    @fields.setter
    def fields(self, fields: list[Field]) -> None:
        self._fields = fields
        self.block = None

    def _own_fields(self) -> list[Field]:
        block = self.block
        if block is None:
            return []
        fields = block.fields.copy()
        if self.date is not None:
            fields[block.date_at] = self.date
        if block.length_at >= 0:
            lower, name, _ = fields[block.length_at]
            fields[block.length_at] = (lower, name, b"%d" % (self.content_length or 0))
        return fields

    def first(self, name: bytes) -> bytes:
        """Return the value of the first field of this name (lower case), other than Date and Content-Length, or b""."""
        block = self.block
        for lower, _, value in self.fields if block is None else block.fields:
            if lower == name:
                return value
        return b""

    def with_fields(self, fields: list[Field]) -> ResponseHead:
        """The same head with other fields."""
        other = ResponseHead()
        other.status, other.minor, other.fields = self.status, self.minor, fields
        other.content_length, other.chunked = self.content_length, self.chunked
        other.connection, other.keep_alive = self.connection, self.keep_alive
        return other


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


_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
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
    line_end = data.find(b"\r\n")
    method, _, rest = data[:line_end].partition(b" ")
    target, _, version = rest.partition(b" ")
    if method in _PLAIN_METHODS and version == b"HTTP/1.1" and target.startswith(b"/") and data.endswith(_END):
        raw = data[line_end:]
        block = _BLOCKS.get(raw) or _read_plain_block(raw)
        if block is not None:
            if len(target) > MAX_TARGET or _BAD_TARGET.search(target) is not None:
                raise _bad_target(target)
            return _make_head(method, target, 1, block)
    return _read_by_llhttp(data)


def _read_plain_block(raw: bytes) -> FieldBlock | None:
    """Read the field lines between two CRLF and an empty line; None where one of them is not plain."""
    fields = [_LINES[line] for line in raw.removesuffix(_END).split(b"\r\n")[1:]]
    if None in fields:
        return None
    block = _understand(cast("list[Field]", fields), minor=1)
    if len(raw) <= _LONGEST_BLOCK:
        if len(_BLOCKS) >= _MOST_BLOCKS:
            _BLOCKS.clear()
        _BLOCKS[raw] = block
    return block


def _make_head(method: bytes, target: bytes, minor: int, block: FieldBlock) -> RequestHead:
    head = RequestHead()
    head.method = method
    head.target = target
    head.minor = minor
    head.block = block
    head.fields = block.fields
    head.values = block.values
    head.host = block.host
    head.content_length = block.content_length
    head.chunked = block.chunked
    head.has_body = block.chunked or bool(block.content_length)
    head.connection = block.connection
    head.keep_alive = block.keep_alive
    head.path, question, query = target.partition(b"?")
    head.query = question + query
    return head


def _read_by_llhttp(data: bytes) -> RequestHead:
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
    method = parser.get_method()
    minor = _check_request_line(data, method, events.url)
    if len(events.pairs) > MAX_FIELDS:
        raise _too_many_fields()
    named = [(lower, name, _value(lower, value)) for name, value in events.pairs if (lower := _lower(name)) is not None]
    block = _understand(named, minor)
    return _make_head(method, _origin_form(events.url, block.host), minor, block)


def read_response_head(data: bytes) -> ResponseHead:
    """Read a complete response head that ends in CRLFCRLF; raises ValueError for one that is not to be trusted."""
    date_at = data.find(b"\r\nDate: ")
    if date_at < 0:
        date_at = data.find(b"\r\ndate: ")
    length_at = data.find(b"\r\nContent-Length: ")
    if length_at < 0:
        length_at = data.find(b"\r\ncontent-length: ")
    date_begin = date_end = length_begin = length_end = 0
    if date_at >= 0:
        date_begin = date_at + _DATE
        date_end = data.find(b"\r\n", date_begin)
    if length_at >= 0:
        length_begin = length_at + _LENGTH
        length_end = data.find(b"\r\n", length_begin)
    if date_end < 0 or length_end < 0:
        return _read_new_response_head(data)
    if date_begin <= length_begin:
        rest = data[:date_begin] + data[date_end:length_begin] + data[length_end:]
    else:
        rest = data[:length_begin] + data[length_end:date_begin] + data[date_end:]
    block = _RESPONSES.get(rest)
    if block is None:
        block = _learn(rest, cuts_date=date_at >= 0, cuts_length=length_at >= 0)
        if block is None:
            return _read_new_response_head(data)
    date = length = None
    if date_at >= 0:
        date = _LINES[data[date_at + 2 : date_end]]
    if length_at >= 0:
        length = data[length_begin:length_end]
    if (
        block is _UNFIT
        or (date_at >= 0 and date is None)
        or (
            length is not None
            and (not length.isdigit() or len(length) > 19 or (length.startswith(b"0") and length != b"0"))
        )
    ):
        return _read_new_response_head(data)
    head = ResponseHead()
    head.block = block
    head.date = date
    head.minor = block.minor
    head.status = block.status
    head.connection = block.connection
    head.keep_alive = block.keep_alive
    head.chunked = block.chunked
    head.content_length = None if length is None else int(length)
    return head


def shared_head(head: ResponseHead) -> ResponseHead:
    """Let all answers with this very head share what is made of it; it must have no Date and set no cookie."""
    block = ResponseBlock()
    block.minor, block.status = head.minor, head.status
    block.fields = head.fields
    block.names = frozenset(lower for lower, _, _ in head.fields)
    block.date_at = block.length_at = -1
    block.connection, block.keep_alive, block.chunked = head.connection, head.keep_alive, head.chunked
    head.block = block
    return head


def _learn(rest: bytes, *, cuts_date: bool, cuts_length: bool) -> ResponseBlock | None:
    """Remember a head without its date and length; returns what it means once it was seen before."""
    if len(rest) > _LONGEST_BLOCK or b"ookie: " in rest:
        return None
    if rest not in _RESPONSES:
        if len(_RESPONSES) >= _MOST_BLOCKS:
            _RESPONSES.clear()
        _RESPONSES[rest] = None
        return None
    block = _RESPONSES[rest] = _read_response_block(rest, cuts_date=cuts_date, cuts_length=cuts_length)
    return block


def _read_response_block(rest: bytes, *, cuts_date: bool, cuts_length: bool) -> ResponseBlock:
    """Read a head without the values of Date and Content-Length; `_UNFIT` for one that needs more care."""
    first, *lines = rest.removesuffix(_END).split(b"\r\n")
    status_line = _STATUS_LINES[first]
    fields = [_LINES[line] for line in lines]
    if status_line is None or None in fields or len(fields) > MAX_FIELDS or not rest.endswith(_END):
        return _UNFIT
    known = cast("list[Field]", fields)
    names = [lower for lower, _, _ in known]
    block = ResponseBlock()
    block.minor, block.status = status_line
    block.fields = known
    block.names = frozenset(names)
    block.date_at = names.index(b"date") if cuts_date else -1
    block.length_at = names.index(b"content-length") if cuts_length else -1
    if names.count(b"date") != cuts_date or names.count(b"content-length") != cuts_length or b"set-cookie" in names:
        return _UNFIT
    connection = [value for lower, _, value in known if lower == b"connection"]
    block.connection = _tokens(b",".join(connection) if connection else None)
    block.keep_alive = _keeps_alive(block.minor, block.connection)
    block.chunked = b"transfer-encoding" in block.names
    if block.chunked and (cuts_length or block.minor == 0 or known[names.index(b"transfer-encoding")][2] != b"chunked"):
        return _UNFIT
    if names.count(b"transfer-encoding") > 1 or not block.connection.isdisjoint({b"date", b"content-length"}):
        return _UNFIT
    return block


def _read_new_response_head(data: bytes) -> ResponseHead:
    first, *lines = data[:-4].split(b"\r\n")
    status_line = _STATUS_LINES[first]
    fields = [_LINES[line] for line in lines]
    if status_line is None or None in fields or len(fields) > MAX_FIELDS or not data.endswith(_END):
        minor, status, known = _read_response_by_llhttp(data)
    else:
        (minor, status), known = status_line, cast("list[Field]", fields)
    connection = length = coding = None
    for lower, _, value in known:
        if lower not in _FRAMING:
            continue
        if lower == b"content-length":
            if length is not None:
                raise ValueError("more than one Content-Length")
            length = value
        elif lower == b"transfer-encoding":
            coding = value if coding is None else coding + b"," + value
        else:
            connection = value if connection is None else connection + b"," + value
    head = ResponseHead()
    head.minor = minor
    head.status = status
    head.fields = known
    head.connection = _tokens(connection)
    head.keep_alive = _keeps_alive(minor, head.connection)
    head.chunked = coding is not None
    if coding is not None and (coding.lower() != b"chunked" or minor == 0 or length is not None):
        # llhttp would read such a body to the end of the connection; whoever reads it otherwise sees another body.
        raise ValueError("a Transfer-Encoding other than chunked on HTTP/1.1")
    head.content_length = None if length is None else _length(length)
    if length is not None and head.content_length is None:
        raise ValueError("a Content-Length that is no number")
    return head


def _read_response_by_llhttp(data: bytes) -> tuple[int, int, list[Field]]:
    """Minor version, status and fields; raises ValueError."""
    events = _Events()
    parser = httptools.HttpResponseParser(events)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise ValueError(f"not valid HTTP: {error}") from None
    status = parser.get_status_code()
    version = data[:9]
    if not events.complete or events.overrun or data.find(_END) != len(data) - len(_END):
        raise ValueError("the head does not end where it should")
    if version not in (b"HTTP/1.1 ", b"HTTP/1.0 ") or not 100 <= status <= 599:
        raise ValueError("neither HTTP/1.1 nor HTTP/1.0, or a status outside 100 to 599")
    if len(events.pairs) > MAX_FIELDS:
        raise ValueError(f"more than {MAX_FIELDS} fields")
    # The parser leaves trailing blanks in a value.
    named = [(name.lower(), name, value) for name, value in events.pairs]
    return version[7] - 48, status, [(lower, name, _value(lower, value)) for lower, name, value in named]


def _check_request_line(data: bytes, method: bytes, target: bytes) -> int:
    """Hold the first line against what llhttp made of it; returns the minor version."""
    line_end = data.index(b"\r\n")
    if not data[:1].isalpha():
        raise _bad("The request begins with more than one empty line.")
    version = data[max(0, line_end - 8) : line_end]
    if version not in _VERSIONS:
        raise _another_version()
    # Equality leaves no room for further spaces, for RTSP and ICE, or for bytes before the method.
    if data[:line_end] != b"%b %b %b" % (method, target, version):
        raise _bad("The request line must be a method, a target and a version with one space between them.")
    if method in _REFUSED_METHODS:
        raise RefusedHeadError(Failure.METHOD_NOT_ALLOWED, f"The method {method.decode()} is not served here.")
    if len(target) > MAX_TARGET or _BAD_TARGET.search(target) is not None:
        raise _bad_target(target)
    return version[7] - 48


def _bad_target(target: bytes) -> RefusedHeadError:
    if len(target) > MAX_TARGET:
        return RefusedHeadError(Failure.TARGET_TOO_LONG, f"The address is longer than {MAX_TARGET} bytes.")
    return _bad("The address holds a character or a %-escape that no URL can have.")


def _understand(fields: list[Field], minor: int) -> FieldBlock:
    """What the fields mean together (RFC 9112, sections 3.2, 6 and 9.3)."""
    if len(fields) > MAX_FIELDS:
        raise _too_many_fields()
    values: dict[bytes, bytes] = {}
    for lower, _, value in fields:
        if lower in values:
            if lower == b"host":
                raise _bad("The request names more than one Host.")
            values[lower] += (b"; " if lower == b"cookie" else b", ") + value
        else:
            values[lower] = value
    host = values.get(b"host")
    if host is None:
        raise _bad("The request names no Host.")
    block = FieldBlock()
    block.fields = fields
    block.values = values
    block.host = read_host(host)
    connection = values.get(b"connection")
    if connection is not None and len(connection) > MAX_CONNECTION:
        raise _bad("The Connection field is longer than any list of what it may name.")
    block.connection = _tokens(connection)
    if any(map(_NEVER_NAMED.fullmatch, block.connection)):
        raise _bad("The Connection field names a field that is meant for every recipient.")
    block.keep_alive = _keeps_alive(minor, block.connection)
    _read_request_framing(block, minor)
    return block


def _origin_form(target: bytes, host: bytes) -> bytes:
    """The target without the scheme and host that clients of proxies put before it (RFC 9112, section 3.2.2)."""
    if target.startswith(b"/"):
        return target
    scheme, separator, rest = target.partition(b"://")
    authority, slash, tail = _split_authority(rest)
    if not separator or scheme.lower() not in (b"http", b"https") or authority.lower() != host:
        raise _bad("The address must begin with / or name this very host.")
    return slash + tail if slash == b"/" else b"/" + slash + tail


def _split_authority(rest: bytes) -> tuple[bytes, bytes, bytes]:
    for position, byte in enumerate(rest):
        if byte in b"/?":
            return rest[:position], rest[position : position + 1], rest[position + 1 :]
    return rest, b"", b""


def _read_request_framing(block: FieldBlock, minor: int) -> None:
    values = block.values
    coding = values.get(b"transfer-encoding")
    block.chunked = coding is not None
    if coding is not None and (coding.lower() != b"chunked" or minor == 0 or b"content-length" in values):
        # RFC 9112, section 6.1: anything else is read differently by someone behind us.
        raise _bad("The only Transfer-Encoding served here is chunked, on HTTP/1.1 and without a Content-Length.")
    length = values.get(b"content-length")
    block.content_length = None if length is None else _length(length)
    if length is not None and block.content_length is None:
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


def _too_many_fields() -> RefusedHeadError:
    return RefusedHeadError(Failure.HEAD_TOO_LARGE, f"The request has more than {MAX_FIELDS} header fields.")


def _another_version() -> RefusedHeadError:
    return RefusedHeadError(Failure.VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")


def _bad(detail: str) -> RefusedHeadError:
    return RefusedHeadError(Failure.BAD_REQUEST, detail)
