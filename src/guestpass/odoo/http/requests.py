"""What Odoo is told of a request: one fixed name, whatever host the visitor uses, and none of its own control fields.

Odoo keeps the name that it was called by: in template caches, and as web.base.url at an administrator's login. The
visitor's host must therefore never reach it, and what it says under its own name must come back on the visitor's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final
from urllib.parse import unquote_to_bytes

from guestpass.gateway.head_rewriting import pass_on
from guestpass.odoo.http.blocked_paths import readings
from guestpass.odoo.http.compression import upstream_if_none_match
from guestpass.wire.heads import Field, RequestHead

STRIPPED: Final = frozenset({b"x-odoo-database", b"x-odoo-dbfilter", b"x-openerp-dbfilter", b"x-openerp-session-id"})
"""Fields (lower case) that choose a database or a session: no visitor may send one."""

_TAKES_DATABASE = re.compile(rb"/web(?:/(?:login(?:/.*)?|signup|reset_password))?|/(?:odoo|scoped_app)(?:/.*)?")
_LOGS_IN = re.compile(rb"/web/(?:login(?:/.*)?|signup|reset_password|session/authenticate)|/base_import_module/.*")
_LOGS_IN_ELSEWHERE = re.compile(rb"/auth[_-][a-z]+/.*")
_ACCEPT_ENCODING = re.compile(rb"^Accept[-_]Encoding:[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_DATABASE_PART = re.compile(rb"""name\*?\s*=\s*(?:utf-8''|")?db\b""", re.IGNORECASE)
# Of more choices than this none counts: no page makes two.
_MOST_CHOICES: Final = 16
_SHORTEST_SESSION: Final = 32  # Names of records under the same name are short numbers.
_DEFAULT_PORTS: Final = {b"http": b"80", b"https": b"443"}
_HOST: Final = rb"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_ORIGIN = re.compile(rb"(https?)://(" + _HOST + rb")(?::([0-9]{1,5}))?(?=[/?#]|\Z)", re.IGNORECASE)
_LOCATION = re.compile(rb"(?:https?:)?//(" + _HOST + rb")(?::([0-9]{0,5}))?(?=[/?#]|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FixedName:
    """The name that an Odoo is always called by, as a browser would write it: `host` with a port that is not usual."""

    host: bytes
    scheme: bytes
    origin: bytes


# Asked for with each request, and the same for each of an environment.
@lru_cache(maxsize=4096)
def fixed_name(*, public_url: str | None, canonical_url: str | None, url: str) -> FixedName:
    """The name for an environment: its `public_url`, else what its pages call canonical, else where it is reached.

    `canonical_url` was read from a page and may be anything; what is no http(s) URL is passed over. Raises ValueError
    where `url` itself is none.
    """
    for candidate in (public_url, canonical_url, url):
        name = _name(candidate) if candidate else None
        if name is not None:
            return name
    raise ValueError(f"not an http or https URL: {url!r}")


def is_stripped(lower_name: bytes) -> bool:
    """Whether a request's field ends here; `lower_name` may hold ``_``, which WSGI servers read as ``-``."""
    return lower_name.replace(b"_", b"-") in STRIPPED


def lines_for_odoo(
    head: RequestHead, fixed: FixedName, visitor_origin: bytes, *, opens: bool, plain: bool = False
) -> bytes:
    """Return the field lines of a request as Odoo is to see them, without those that we write ourselves.

    No field chooses a database or session, and pages on the visitor's origin are on Odoo's own; but where this `opens`
    a link its referrer stays, and is dropped where it names the token. With `plain` they ask for a body without any
    coding (`asking_for_plain`). Chosen once for all requests that repeat them.
    """
    block = head.block
    known = block.translated
    is_own = head.fields is block.fields
    kind = opens + 2 * plain
    if is_own and known is not None and known[0] is fixed and known[1] == visitor_origin and known[2] == kind:
        return known[3]
    lines = pass_on(fields_for_odoo(head, fixed, visitor_origin, opens=opens), head.connection)
    if plain:
        lines = asking_for_plain(lines)
    if is_own:
        block.translated = fixed, visitor_origin, kind, lines
    return lines


def asking_for_plain(lines: bytes) -> bytes:
    """The field lines of a request, asking for a body without any coding, whatever the client takes.

    A server before Odoo that compresses would hide from us what has to be taken out of a body.
    """
    return _ACCEPT_ENCODING.sub(b"", lines) + b"Accept-Encoding: identity\r\n"


def fields_for_odoo(head: RequestHead, fixed: FixedName, visitor_origin: bytes, *, opens: bool) -> list[Field]:
    """Return the same as fields."""
    fields: list[Field] = []
    for lower, name, value in head.fields:
        if is_stripped(lower):
            continue
        if lower == b"origin":
            value = translate_origin(value, visitor_origin, fixed.origin)  # noqa: PLW2901 - one field, one value
        elif lower == b"referer" and not opens:
            value = translate_referer(value, visitor_origin, fixed.origin)  # noqa: PLW2901
        elif lower == b"if-none-match":
            value = upstream_if_none_match(value, head.values.get(b"accept-encoding", b""))  # noqa: PLW2901
        fields.append((lower, name, value))
    return fields


def without_foreign_database(query: bytes, database: str | None) -> bytes:
    """The query (with or without its ``?``) without the `db` of any database but the environment's, and any session.

    Where the environment's database is not known, every `db` goes: it would let a visitor choose among all databases
    of that server. The rest stays as it came, byte for byte.
    """
    if not query:
        return query
    mark = query[:1] if query.startswith(b"?") else b""
    pairs = b"&" + query[len(mark) :]
    choices = list(islice(_CHOICE.finditer(pairs), _MOST_CHOICES + 1))
    if len(choices) > _MOST_CHOICES:
        kept = _CHOICE.sub(b"", pairs)
    else:
        kept = _CHOICE.sub(lambda choice: b"" if _chooses_other(choice[1], database) else choice[0], pairs)
    if kept == pairs:
        return query
    return mark + kept[1:] if len(kept) > 1 else b""


# The paths of calls and forms are few; long ones hold records' names.
@lru_cache(maxsize=256)
def takes_database(path: bytes) -> bool:
    """Whether Odoo lets a form that is sent to `path` choose the database of the session."""
    return any(_TAKES_DATABASE.fullmatch(plain) for plain in readings(path))


@lru_cache(maxsize=256)
def logs_in(method: bytes, path: bytes) -> bool:
    """Whether a request for `path` may be a login, at which Odoo keeps the name that it is called by."""
    is_looked_at = method in (b"GET", b"HEAD")
    return any(
        _LOGS_IN_ELSEWHERE.fullmatch(plain) or (not is_looked_at and _LOGS_IN.fullmatch(plain))
        for plain in readings(path)
    )


def names_database_part(body: bytes) -> bool:
    """Whether the body is a multipart form (RFC 7578) with a part that chooses a database."""
    return body.startswith(b"--") and _DATABASE_PART.search(body) is not None


def translate_origin(value: bytes, visitor_origin: bytes, fixed_origin: bytes) -> bytes:
    """The Origin for Odoo: its own where the visitor's is named, else as it came."""
    return fixed_origin if _origin(value) == (visitor_origin, len(value)) else value


def translate_referer(value: bytes, visitor_origin: bytes, fixed_origin: bytes) -> bytes:
    """The Referer for Odoo: on its own origin where it is a page on the visitor's, else as it came."""
    found = _origin(value)
    if found is None or found[0] != visitor_origin:
        return value
    return fixed_origin + value[found[1] :]


def location_for_visitor(value: bytes, fixed: FixedName, visitor_origin: bytes, upstream_url: bytes) -> bytes:
    """The Location for a visitor: on their own origin where it points at Odoo, else as it came.

    Odoo may call itself by the fixed name or by the address where we reach it, in either scheme, with the scheme's
    port or without. The result is absolute: a path that begins with ``//`` would, alone, lead to another host.
    """
    match = _LOCATION.match(value)
    if match is None:
        return value
    called = _authority(match[1], match[2])
    upstream = _name(upstream_url.decode("latin-1"))
    if called != _authority_of(fixed.host) and (upstream is None or called != _authority_of(upstream.host)):
        return value
    rest = value[match.end() :]
    return visitor_origin + (rest if rest.startswith(b"/") else b"/" + rest)


def _spelled(name: bytes) -> bytes:
    """A pattern for all ways in which a form can write a name of ours: each byte as it is, or as its escape."""
    digits = {byte: b"".join(b"[%c%c]" % (c, c ^ 32) if c > 57 else b"%c" % c for c in b"%02x" % byte) for byte in name}
    return b"".join(b"(?:%c|%%%b)" % (byte, digits[byte]) for byte in name)


# A pair whose name chooses a database or a session. Taking all pairs apart costs as much for `&&&&` as for a form.
_CHOICE = re.compile(rb"&((?:%b|%b)(?:=[^&]*)?)(?=&|\Z)" % (_spelled(b"db"), _spelled(b"session_id")))


def _chooses_other(pair: bytes, database: str | None) -> bool:
    name, _, value = pair.partition(b"=")
    plain = unquote_to_bytes(name.replace(b"+", b" "))
    if plain == b"session_id" and len(value) >= _SHORTEST_SESSION:
        # Up to version 15 an address may bring a session, which somebody else may know.
        return True
    if plain != b"db":
        return False
    return database is None or unquote_to_bytes(value.replace(b"+", b" ")) != database.encode()


def _name(url: str) -> FixedName | None:
    if not url.isascii():
        return None
    match = _ORIGIN.match(url.encode())
    if match is None:
        return None
    scheme, host = match[1].lower(), match[2].lower()
    port = _unusual_port(scheme, match[3])
    authority = host + (b":" + port if port else b"")
    return FixedName(authority, scheme, scheme + b"://" + authority)


def _origin(value: bytes) -> tuple[bytes, int] | None:
    """The origin at the beginning of `value` as a browser would write it, and where it ends."""
    match = _ORIGIN.match(value)
    if match is None:
        return None
    scheme = match[1].lower()
    port = _unusual_port(scheme, match[3])
    return scheme + b"://" + match[2].lower() + (b":" + port if port else b""), match.end()


def _unusual_port(scheme: bytes, port: bytes | None) -> bytes:
    digits = (port or b"").lstrip(b"0")
    return b"" if digits == _DEFAULT_PORTS[scheme] else digits


def _authority(host: bytes, port: bytes | None) -> tuple[bytes, bytes]:
    """Host and port, where the ports of both schemes count as none: behind a proxy either scheme may be meant."""
    digits = (port or b"").lstrip(b"0")
    return host.lower(), b"" if digits in _DEFAULT_PORTS.values() else digits


def _authority_of(written: bytes) -> tuple[bytes, bytes]:
    host, colon, port = written.rpartition(b":")
    return _authority(host, port) if colon and not port.endswith(b"]") else _authority(written, None)
