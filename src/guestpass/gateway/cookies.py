"""Keep three kinds of cookies apart: ours, an environment's HttpOnly ones, and those that its scripts read.

Ours never reach an environment. HttpOnly cookies of an environment live in the browser under a name that holds
a keyed tag of link and visitor, so nobody else's is ever sent and nobody can plant one. The rest keep their names,
because scripts look for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from email.utils import mktime_tz, parsedate_tz
from typing import Final

from guestpass.domain.visitor_pass import VisitorPass
from guestpass.signing.passes import FORMER_NAME, PassSigner, pass_name

# One reserved beginning for every cookie of ours, today's and later ones: cookies are blind to ports, so even a
# cookie of the admin listener can arrive here.
_OURS: Final = b"guestpass"
_RENAMED: Final = _OURS + b"."
# Followed by a visitor's tag, and so no longer than what a tag stands in: none of an environment's is taken for it.
_ASKED: Final = _RENAMED + b"asked."
# Bytes of all fields that are remembered, and of the longest.
_REMEMBERED: Final = 1024 * 1024
_LONGEST_REMEMBERED: Final = 8 * 1024
_PREFIX = re.compile(rb"__(?:Host-(?:Http-)?|Http-|Secure-)", re.IGNORECASE)
_HTTP_PREFIX = re.compile(rb"__(?:Host-)?Http-", re.IGNORECASE)
# Of the cookies that scripts can set. Apache and gunicorn take 8 KiB for one field, nginx 8 and Werkzeug 64; an
# application's own cookies are a few hundred bytes.
_LONGEST_FORWARDED: Final = 6 * 1024
_NUMBER = re.compile(rb"-?[0-9]{1,30}")
# Browsers keep 180 cookies for a domain (Chromium, Firefox), and RFC 6265bis, section 6.1, asks for 50. What is beyond
# these numbers no browser has sent, and 30,000 of them fit into a head.
_MOST_COOKIES: Final = 500
_MOST_PASSES: Final = 32
# How many links a browser is known by on PUBLIC_URL's host: each is some 140 bytes of each request there.
_KEPT_PASSES: Final = 20
# RFC 6265bis, section 5.6: it knows nine attributes, and what is longer than that counts for none.
_MOST_ATTRIBUTES: Final = 30
_LONGEST_ATTRIBUTE: Final = 1024


class CookieJar:
    """What one Cookie field holds (RFC 6265, section 4.2).

    `passes` are those that we signed, in the order in which they came. `a_pass` finds what may be one, under the one
    name under which it counts: on https a neighbour could plant one under the other (RFC 6265bis, section 4.1.3).
    `a_kept_pass` finds those that PUBLIC_URL's host remembers for links with own hosts.

    Of more cookies than any browser keeps the first are looked at, and of those behind them what is ours or was renamed
    by us: nobody is refused for what a script has put into their browser.
    """

    __slots__ = ("_a_kept_pass", "_last", "_raw", "_signer", "_tag", "passes")

    def __init__(
        self, raw: bytes, signer: PassSigner, a_pass: re.Pattern[bytes], a_kept_pass: re.Pattern[bytes]
    ) -> None:
        self._raw = raw
        self._signer = signer
        self._a_kept_pass = a_kept_pass
        passes: dict[VisitorPass, None] = {}
        for text in _possible_passes(raw, a_pass) if _OURS in raw else ():
            visitor_pass = signer.read(text.rstrip(b" \t").decode("latin-1"))
            if visitor_pass is not None:
                passes[visitor_pass] = None
        self.passes = tuple(passes)
        self._tag: tuple[VisitorPass, int, bytes] | None = None
        self._last: tuple[bytes, frozenset[bytes], bytes] | None = None

    def tag_of(self, visitor_pass: VisitorPass, moves: int) -> bytes:
        """The cookie tag of a pass in this jar whose environment has moved so many times; the last is remembered."""
        last = self._tag
        if last is None or last[0] is not visitor_pass or last[1] != moves:
            tag = self._signer.cookie_tag(visitor_pass, moves).encode()
            last = self._tag = (visitor_pass, moves, tag)
        return last[2]

    def kept(self, link_id: str) -> list[VisitorPass]:
        """The passes that are remembered for this link, as in `passes`; of those that neighbours plant only some."""
        end = b"-" + link_id.encode()
        texts = [text for name, text in self._a_kept_pass.findall(self._raw) if name.endswith(end)]
        found = [self._signer.read(text.rstrip(b" \t").decode("latin-1")) for text in texts[:_MOST_PASSES]]
        return [each for each in found if each is not None]

    def promised(self, name: bytes, link_id: str) -> VisitorPass | None:
        """The pass that the cookie of this name promises to whoever takes a place of the link."""
        for found, pair in self._pairs(name):
            if found == name:
                promise = self._signer.read_promise(pair.partition(b"=")[2].strip(b" \t").decode("latin-1"))
                if promise is not None and promise.link_id == link_id:
                    return promise
        return None

    def too_many_kept(self, link_id: str) -> list[bytes]:
        """The names of remembered passes that make room for another link's: what is older than the latest of them."""
        issued_at: dict[bytes, int] = {}
        for name, text in self._a_kept_pass.findall(self._raw):
            parts = text.split(b".")
            if not name.endswith(b"-" + link_id.encode()):
                issued_at[name] = int(parts[4]) if len(parts) > 5 and _NUMBER.fullmatch(parts[4]) else 0
        latest = sorted(issued_at, key=issued_at.__getitem__, reverse=True)
        return latest[_KEPT_PASSES - 1 : _KEPT_PASSES + _MOST_PASSES] if len(latest) >= _KEPT_PASSES else []

    @property
    def names(self) -> tuple[bytes, ...]:
        """The names of all cookies but those reserved for us."""
        return tuple(dict.fromkeys(name for name, _ in self._pairs(_RENAMED) if not is_ours(name)))

    @property
    def renamed(self) -> tuple[bytes, ...]:
        """The names that we gave to an environment's cookies."""
        renamed = (name for name, _ in self._pairs(_RENAMED) if _bare(name).startswith(_RENAMED))
        return tuple(dict.fromkeys(name for name in renamed if not _bare(name).startswith(_ASKED)))

    def asked(self) -> dict[bytes, bytes]:
        """Which visitors' environments have asked for credentials, by the visitor's tag, and what came of it."""
        found: dict[bytes, bytes] = {}
        for name, pair in self._pairs(_ASKED):
            if _bare(name).startswith(_ASKED):
                found[_bare(name)[len(_ASKED) :]] = pair.partition(b"=")[2]
        return found

    def _pairs(self, kept: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Each cookie by its name; behind the first hundreds only those that have `kept` in them."""
        parts = self._raw.split(b";", _MOST_COOKIES)
        rest = parts.pop() if len(parts) > _MOST_COOKIES else b""
        for part in (*parts, *_parts_with(kept, rest)):
            pair = part.strip(b" \t")
            # A cookie without a name is sent as its bare value, which a server may read as a name; so do we.
            name = pair.partition(b"=")[0].strip(b" \t")
            if name:
                yield name, pair

    def for_environment(self, tag: bytes, http_only: frozenset[bytes]) -> bytes:
        """The Cookie field that goes upstream for the visitor with this tag; empty for none.

        `http_only` are the names that the environment sets HttpOnly: under such a name, not renamed, a cookie
        can only have been planted, by a script or by a neighbour's ``Domain=``. Of the others so many bytes go on that
        servers still take the field: somebody may have planted more.
        """
        last = self._last
        if last is not None and last[0] == tag and last[1] is http_only:
            return last[2]
        prefix = _tagged(tag)
        restored: list[bytes] = []
        plain: list[tuple[bytes, bytes]] = []
        for name, pair in self._pairs(prefix):
            bare = _bare(name)
            if bare.startswith(prefix):
                restored.append(_bare(pair)[len(prefix) :])
            elif not bare.startswith(_OURS):
                plain.append((name, pair))
        known = http_only.union(pair.partition(b"=")[0] for pair in restored)
        left = _LONGEST_FORWARDED
        kept: list[bytes] = []
        for name, pair in plain:
            if name not in known and len(pair) <= left:
                left -= len(pair) + 2
                kept.append(pair)
        result = b"; ".join([*restored, *kept])
        self._last = (tag, http_only, result)
        return result


class CookieReader:
    """Reads Cookie fields and remembers the recent ones whole: a browser sends the same field hundreds of times.

    Where all links share an origin, a pass under its former name may have been set by any environment's script.
    """

    def __init__(self, signer: PassSigner, *, secure: bool, shares_origin: bool = True) -> None:
        self._signer = signer
        name = re.escape(pass_name(secure=secure).encode())
        self._a_kept_pass = re.compile(rb"(?:^|;)[ \t]*(%b-[a-z2-7]{16})[ \t]*=([^;]*)" % name)
        if secure and not shares_origin:
            name = rb"(?:%b|%b)" % (name, re.escape(FORMER_NAME.encode()))
        self._a_pass = re.compile(rb"(?:^|;)[ \t]*%b[ \t]*=([^;]*)" % name)
        self._memo: dict[bytes, CookieJar] = {}
        self._remembered = 0
        self._empty = self._open(b"")

    def read(self, raw: bytes | None) -> CookieJar:
        """The jar of a Cookie field, or an empty one for None."""
        if raw is None:
            return self._empty
        jar = self._memo.get(raw)
        if jar is None:
            jar = self._open(raw)
            if len(raw) <= _LONGEST_REMEMBERED:
                self._remember(raw, jar)
        return jar

    def _remember(self, raw: bytes, jar: CookieJar) -> None:
        self._remembered += len(raw)
        if self._remembered > _REMEMBERED:
            self._memo.clear()
            self._remembered = len(raw)
        self._memo[raw] = jar

    def _open(self, raw: bytes) -> CookieJar:
        return CookieJar(raw, self._signer, self._a_pass, self._a_kept_pass)


class EnvironmentCookies:
    """Rewrites the Set-Cookie fields of one response for one visitor.

    `http_only` are the names known to be set HttpOnly; `learn` is told of others. `now` and the link's
    `ends_at` are Unix seconds. On an origin that links share no cookie is `Partitioned`: a switch could not remove it
    with the others.
    """

    __slots__ = ("_ends_at", "_http_only", "_learn", "_now", "_secure", "_shares_origin", "_tag")

    def __init__(
        self,
        tag: bytes,
        *,
        http_only: frozenset[bytes],
        now: float,
        ends_at: float,
        secure: bool,
        learn: Callable[[bytes], None],
        shares_origin: bool = False,
    ) -> None:
        self._tag = tag
        self._shares_origin = shares_origin
        self._http_only = http_only
        self._now = now
        self._ends_at = ends_at
        self._secure = secure
        self._learn = learn

    def rewrite(self, field: bytes) -> bytes | None:
        """The field for the visitor's browser (RFC 6265bis, section 5.6), or None where it must not arrive.

        `Domain` goes, the lifetime ends with the link, `Secure` follows our own scheme, HttpOnly cookies are
        renamed. So is any cookie that bears a name known as HttpOnly: its deletion must meet the renamed one.
        """
        if field.count(b";") > _MOST_ATTRIBUTES:
            return None
        pair, *rest = field.split(b";")
        pair = pair.strip(b" \t")
        name, separator, value = pair.partition(b"=")
        name = name.strip(b" \t")
        if not separator or not name or is_ours(name):
            return None
        attributes = _attributes(rest)
        http_only = b"httponly" in attributes
        if http_only and name not in self._http_only:
            self._learn(name)
        path = attributes.get(b"path", b"")
        out = []
        if http_only or name in self._http_only:
            host = b"__Host-" if self._secure and path == b"/" else b""
            out.append(host + _tagged(self._tag) + name + b"=" + value)
        else:
            out.append(name + b"=" + value)
        if path.startswith(b"/"):
            out.append(b"Path=" + path)
        lifetime = self._lifetime(attributes)
        if lifetime is not None:
            out.append(b"Max-Age=%d" % lifetime)
        if http_only:
            out.append(b"HttpOnly")
        same_site = attributes.get(b"samesite", b"").lower()
        if same_site in (b"lax", b"strict") or (same_site == b"none" and self._secure):
            out.append(b"SameSite=" + same_site.capitalize())
        if self._secure:
            out.append(b"Secure")
            if b"partitioned" in attributes and not self._shares_origin:
                out.append(b"Partitioned")
        return b"; ".join(out)

    def _lifetime(self, attributes: dict[bytes, bytes]) -> int | None:
        """Seconds for Max-Age, None for a cookie that ends with the browser's session."""
        left = max(0, int(self._ends_at - self._now))
        age = attributes.get(b"max-age", b"")
        if _NUMBER.fullmatch(age):
            return min(max(0, int(age)), left)
        expires = parsedate_tz(attributes.get(b"expires", b"").decode("latin-1"))
        if expires is None:
            return None
        try:
            return min(max(0, int(mktime_tz(expires) - self._now)), left)
        except (OverflowError, ValueError):
            return None


def is_ours(name: bytes) -> bool:
    """Whether cookies of this name are reserved for us."""
    return _bare(name).startswith(_OURS)


def asked_name(tag: bytes, *, secure: bool) -> bytes:
    """The name of the cookie that says what a visitor was asked by HTTP authentication."""
    return (b"__Host-" if secure else b"") + _ASKED + tag


def expired(name: bytes, *, secure: bool, path: bytes = b"/") -> bytes:
    """A Set-Cookie field that removes a cookie of that name and path from this origin."""
    http_only = b"; HttpOnly" if _HTTP_PREFIX.match(name) else b""
    return name + b"=; Max-Age=0; Path=" + path + http_only + (b"; Secure" if secure else b"")


def expirations(
    names: Sequence[bytes], *, secure: bool, paths: Sequence[bytes], domain: bytes = b""
) -> Iterator[bytes]:
    """Set-Cookie fields that remove cookies of these names from the given paths, however a script has set them.

    Those that were set for all of a `domain` are removed last, where one is given.
    """
    for scope in (b"", b"; Domain=" + domain) if domain else (b"",):
        for name in names:
            # Such a name has no other path, and no domain (RFC 6265bis, section 4.1.3).
            is_hosts = name[:7].lower() == b"__host-"
            for path in (b"/",) if is_hosts else paths:
                field = expired(name, secure=secure, path=path) + (b"" if is_hosts else scope)
                if secure:
                    yield field + b"; Partitioned"
                yield field


def _possible_passes(raw: bytes, a_pass: re.Pattern[bytes]) -> list[bytes]:
    """What is to be checked for a signature; of too many the first and the last, where those for all paths stand."""
    texts = list(dict.fromkeys(a_pass.findall(raw)))
    if len(texts) > _MOST_PASSES:
        del texts[_MOST_PASSES // 2 : -_MOST_PASSES // 2]
    return texts


def _parts_with(text: bytes, raw: bytes) -> Iterator[bytes]:
    """The first parts between semicolons that hold `text`, found without a look at each of the others."""
    begin = 0
    for _ in range(_MOST_COOKIES):
        place = raw.find(text, begin)
        if place < 0:
            return
        begin = max(begin, raw.rfind(b";", begin, place) + 1)
        end = raw.find(b";", place)
        yield raw[begin:] if end < 0 else raw[begin:end]
        if end < 0:
            return
        begin = end + 1


def _tagged(tag: bytes) -> bytes:
    return _RENAMED + tag + b"."


def _bare(name: bytes) -> bytes:
    # Browsers and servers compare these prefixes without regard to case.
    prefix = _PREFIX.match(name)
    return name if prefix is None else name[prefix.end() :]


def _attributes(parts: list[bytes]) -> dict[bytes, bytes]:
    """Attributes by lower-case name; the last of a name counts, as in browsers."""
    found = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        if len(value) <= _LONGEST_ATTRIBUTE:
            found[name.strip(b" \t").lower()] = value.strip(b" \t")
    return found
