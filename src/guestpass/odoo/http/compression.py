"""Compress answers for visitors, which Odoo never does: when, in which coding, and what the head then says.

A compressed answer is another representation than the plain one, so it gets an entity tag of its own:
``"abc"`` becomes ``W/"abc--br"``. The coding's name tells the codings apart; the tag is weak because two runs over
the same text need not yield the same bytes (they depend on where the stream was flushed, and on the level), which a
strong tag would promise (RFC 9110, section 8.8.1). A weak tag also never satisfies If-Range, so nobody joins a part of
the plain form to a part of a compressed one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

from guestpass.wire.heads import Field, RequestHead, ResponseHead

MIN_LENGTH: Final = 1024
"""Bodies of so many bytes or fewer are not compressed: most then fit into one packet as they are."""


class Encoding(Enum):
    """A content coding, by its name in HTTP; where a visitor likes several equally, the first of these is taken."""

    ZSTD = b"zstd"
    BROTLI = b"br"
    GZIP = b"gzip"


class Effort(Enum):
    """How hard to try; docs/decisions says how the levels were found."""

    STREAM = "stream"  # an answer on its way, on the event loop
    QUICK = "quick"  # an asset that a visitor waits for
    BEST = "best"  # an asset, once and for everybody


class Encoder(Protocol):
    """One body being compressed. The bytes that the calls return make up the compressed body, in their order."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece of the body; what comes back is often empty."""
        ...

    def flush(self) -> bytes:
        """Give out so much that the receiver can read all that was fed; costs some compression."""
        ...

    def finish(self) -> bytes:
        """End the body."""
        ...


# RFC 9659: browsers refuse zstd windows of more than 8 MiB. Level 19 uses just that; levels over it would use more.
_ZSTD_LEVELS: Final = {Effort.STREAM: 5, Effort.QUICK: 6, Effort.BEST: 19}
_BROTLI_LEVELS: Final = {Effort.STREAM: (5, 18), Effort.QUICK: (5, 22), Effort.BEST: (11, 24)}
_GZIP_LEVELS: Final = {Effort.STREAM: 5, Effort.QUICK: 5, Effort.BEST: 9}
# Where a length is not known, zstd makes tables as for this one: a third of the memory, and no slower on small bodies.
_ASSUMED_LENGTH: Final = 256 * 1024


def encoder(encoding: Encoding, effort: Effort = Effort.STREAM, *, length: int | None = None) -> Encoder:
    """An encoder for one body; `length` in bytes, where it is known, must be exact."""
    if encoding is Encoding.ZSTD:
        return _Zstd(_ZSTD_LEVELS[effort], length)
    if encoding is Encoding.BROTLI:
        return _Brotli(*_BROTLI_LEVELS[effort])
    return _Gzip(_GZIP_LEVELS[effort])


class _Zstd:
    __slots__ = ("_stream",)

    def __init__(self, level: int, length: int | None) -> None:
        assumed = _ASSUMED_LENGTH if length is None else length
        parameters = zstandard.ZstdCompressionParameters.from_level(level, source_size=assumed)
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._stream = compressor.compressobj() if length is None else compressor.compressobj(size=length)

    def feed(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


class _Brotli:
    __slots__ = ("_stream",)

    def __init__(self, quality: int, window: int) -> None:
        self._stream = brotli.Compressor(quality=quality, lgwin=window)

    def feed(self, data: bytes) -> bytes:
        return bytes(self._stream.process(data))

    def flush(self) -> bytes:
        return bytes(self._stream.flush())

    def finish(self) -> bytes:
        return bytes(self._stream.finish())


class _Gzip:
    __slots__ = ("_stream",)

    def __init__(self, level: int) -> None:
        self._stream = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        return self._stream.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._stream.flush(zlib.Z_FINISH)


# What a visitor accepts


class Acceptance:
    """What an Accept-Encoding field says (RFC 9110, section 12.5.3); weights are thousandths.

    `codings` are ours that may be sent, best liked first; `favourites` are those at its head that are liked equally;
    `takes_plain` says whether a body without coding may be sent, `takes_dictionaries` that ``dcz`` (RFC 9842) is named
    and liked as well as any.
    """

    __slots__ = ("codings", "favourites", "takes_dictionaries", "takes_plain")

    codings: tuple[Encoding, ...]
    favourites: tuple[Encoding, ...]
    takes_dictionaries: bool
    takes_plain: bool

    def __init__(self, value: bytes) -> None:
        weights = _weights(value)
        others = weights.get(b"*")
        plain = weights.get(b"identity")
        found: list[tuple[int, Encoding]] = []
        for encoding in Encoding:
            weight = weights.get(encoding.value)
            if weight is None:
                weight = others or 0
            # A client that prefers the plain form to a coding means it.
            if weight > 0 and weight >= (plain or 0):
                found.append((weight, encoding))
        found.sort(key=lambda pair: -pair[0])
        self.codings = tuple(encoding for _, encoding in found)
        self.favourites = tuple(encoding for weight, encoding in found if weight == found[0][0])
        self.takes_dictionaries = weights.get(b"dcz", 0) >= max(1, plain or 0, *(weight for weight, _ in found))
        self.takes_plain = plain != 0 if plain is not None else others != 0


# Of a list that is longer, nothing is accepted: no browser sends more than forty bytes.
_MAX_ACCEPT: Final = 512
_MEMBER = re.compile(
    rb"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*[qQ]\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?", re.ASCII
)


def _weights(value: bytes) -> dict[bytes, int]:
    """Coding -> weight; a member that can't be read is not there, and of two for one coding the lower counts."""
    weights: dict[bytes, int] = {}
    if len(value) > _MAX_ACCEPT:
        return weights
    for member in value.split(b","):
        match = _MEMBER.fullmatch(member)
        if match is None:
            continue
        coding = match[1].lower()
        # RFC 9110, section 8.4.1.3: the old name means the same.
        coding = b"gzip" if coding == b"x-gzip" else coding
        weight = 1000 if match[2] is None else round(float(match[2]) * 1000)
        weights[coding] = min(weight, weights.get(coding, weight))
    return weights


@lru_cache(maxsize=256)
def _acceptance(value: bytes) -> Acceptance:
    return Acceptance(value)


def read_acceptance(value: bytes) -> Acceptance:
    """What the value of an Accept-Encoding field allows; an empty one stands for none, and allows no coding."""
    return _acceptance(value if len(value) <= _MAX_ACCEPT else b"")


# Which answers are compressed

_TYPES: Final = frozenset(
    {
        b"application/ecmascript",
        b"application/javascript",
        b"application/json",
        b"application/rtf",
        b"application/vnd.ms-fontobject",
        b"application/wasm",
        b"application/x-font-ttf",
        b"application/x-javascript",
        b"application/x-ndjson",
        b"application/xml",
        b"application/xml-dtd",
        # Fonts without a compression of their own; woff and woff2 have one.
        b"font/otf",
        b"font/ttf",
        b"image/bmp",
        b"image/vnd.microsoft.icon",
        b"image/x-icon",
    }
)
_WITHOUT_BODY: Final = frozenset({204, 205, 206, 304})
# Digests of the body as it came would be wrong for the body as it goes.
_DIGESTS: Final = frozenset({b"content-digest", b"content-md5", b"digest", b"repr-digest"})


def is_compressible_type(content_type: bytes) -> bool:
    """Whether bodies of a Content-Type become smaller; an event stream is left alone."""
    plain = content_type.partition(b";")[0].strip(b" \t").lower()
    if plain.startswith(b"text/"):
        return plain != b"text/event-stream"
    return plain in _TYPES or plain.endswith((b"+xml", b"+json"))


class Variant:
    """What becomes of a dynamic answer: `encoding` is its coding, `varies` that another request may get another one.

    `number` tells it apart from the others, from 0 on.
    """

    __slots__ = ("encoding", "number", "varies")

    def __init__(self, number: int, encoding: Encoding | None, *, varies: bool) -> None:
        self.number = number
        self.encoding = encoding
        self.varies = varies


AS_IT_CAME: Final = Variant(0, None, varies=False)
_PLAIN: Final = Variant(1, None, varies=True)
_ENCODED: Final = {encoding: Variant(number, encoding, varies=True) for number, encoding in enumerate(Encoding, 2)}
VARIANTS: Final = 2 + len(_ENCODED)
"""How many there are."""

# What the fields of an answer say about its compression.
FORBIDS: Final = 0
GROWS: Final = 1
"""It may be compressed, but would hardly become smaller."""
SHRINKS: Final = 2


def compressibility(status: int, fields: Sequence[Field]) -> int:
    """Return FORBIDS, GROWS or SHRINKS for an answer."""
    if status < 200 or status in _WITHOUT_BODY:
        return FORBIDS
    media_type: bytes | None = None
    for lower, _, value in fields:
        if lower in (b"content-encoding", b"content-range") or lower in _DIGESTS:
            return FORBIDS
        if lower == b"cache-control" and _forbids_transformation(value):
            return FORBIDS
        if lower == b"content-type" and media_type is None:
            media_type = value.lower()
    if media_type is None:
        return GROWS
    if media_type.startswith(b"text/event-stream"):
        return FORBIDS
    return SHRINKS if is_compressible_type(media_type) else GROWS


def choose(found: int, length: int | None, request: RequestHead) -> Variant:
    """Return what becomes of a dynamic answer of this compressibility; without a `length` it counts as long.

    The answer to HEAD gets the coding of the answer to GET, as far as its fields tell which one that would be.
    """
    if found == FORBIDS or length == 0:
        return AS_IT_CAME
    # Worked out once for requests with the same fields.
    block = request.block
    variants = block.variants
    if request.values is not block.values:
        variants = _choose_variants(request.values)
    elif variants is None:
        variants = block.variants = _choose_variants(request.values)
    variant: Variant = variants[0 if found == SHRINKS and (length is None or length > MIN_LENGTH) else 1]
    return variant


def _choose_variants(values: Mapping[bytes, bytes]) -> tuple[Variant, Variant]:
    """Return what becomes of answers that shrink, and of others."""
    # Another origin that can make a visitor's browser ask for pages, such as a link beside this one, could guess
    # secrets in them from how well they compress together with what it put into the request (the BREACH attack).
    if (
        b"range" in values
        or values.get(b"sec-fetch-site", b"none").lower() not in (b"same-origin", b"none")
        or _forbids_transformation(values.get(b"cache-control", b""))
    ):
        return AS_IT_CAME, AS_IT_CAME
    acceptance = read_acceptance(values.get(b"accept-encoding", b""))
    if not acceptance.codings:
        return _PLAIN, AS_IT_CAME
    encoded = _ENCODED[acceptance.codings[0]]
    return encoded, AS_IT_CAME if acceptance.takes_plain else encoded


def _forbids_transformation(cache_control: bytes) -> bool:
    return b"no-transform" in cache_control.lower()


# What the head says then


def represent(head: ResponseHead, request: RequestHead) -> tuple[ResponseHead, Encoding | None]:
    """Return the head for a visitor's form of a dynamic answer, and the coding that its body is to be sent in.

    With a coding, the head has neither Content-Length nor Transfer-Encoding: framing is for whoever sends it. The
    given head is left as it is.
    """
    if head.status == 304:
        return _represent_not_modified(head, request), None
    variant = choose(compressibility(head.status, head.fields), head.content_length, request)
    return as_variant(head, variant), variant.encoding


def as_variant(head: ResponseHead, variant: Variant) -> ResponseHead:
    """Return the head for one of the variants of an answer."""
    if variant.encoding is not None:
        return _encoded(head, variant.encoding)
    return head.with_fields(merge_vary(head.fields)) if variant.varies else head


def _encoded(head: ResponseHead, encoding: Encoding) -> ResponseHead:
    fields: list[Field] = []
    for lower, name, value in head.fields:
        if lower in (b"content-length", b"transfer-encoding", b"accept-ranges"):
            continue
        tag = encoded_tag(value, encoding) if lower == b"etag" else value
        if tag is not None:
            fields.append((lower, name, tag))
    fields.append((b"content-encoding", b"Content-Encoding", encoding.value))
    encoded = head.with_fields(merge_vary(fields))
    encoded.content_length = None
    encoded.chunked = False
    return encoded


def merge_vary(fields: list[Field], varied: bytes = b"Accept-Encoding") -> list[Field]:
    """The fields with a field's name in Vary, added to what is there (RFC 9110, section 12.5.5)."""
    last = None
    for position, (lower, _, value) in enumerate(fields):
        if lower == b"vary":
            names = {name.strip(b" \t").lower() for name in value.split(b",")}
            if b"*" in names or varied.lower() in names:
                return fields
            last = position
    if last is None:
        return [*fields, (b"vary", b"Vary", varied)]
    _, name, value = fields[last]
    value = b", ".join(filter(None, (value, varied)))
    return [*fields[:last], (b"vary", name, value), *fields[last + 1 :]]


# Entity tags

ENTITY_TAG: Final = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
"""A tag by RFC 9110, section 8.8.3; the groups are its mark of weakness and what lies between the quotes."""
# A browser sends one, and thousands fit into a head.
_MOST_TAGS: Final = 100
_OURS = re.compile(rb'W/"([\x21\x23-\x7e\x80-\xff]*)--(zstd|br|gzip)"')


def asked_tags(if_none_match: bytes) -> Iterator[re.Match[bytes]]:
    """The tags that an If-None-Match names, as far as anybody looks."""
    return islice(ENTITY_TAG.finditer(if_none_match), _MOST_TAGS)


def encoded_tag(tag: bytes, encoding: Encoding) -> bytes | None:
    """The entity tag of the compressed form of what has `tag`; None for a tag that breaks the grammar."""
    match = ENTITY_TAG.fullmatch(tag)
    return None if match is None else b'W/"%b--%b"' % (match[2], encoding.value)


def upstream_if_none_match(value: bytes, accept_encoding: bytes) -> bytes:
    """A visitor's If-None-Match as the upstream must hear it: with its own tags instead of ours.

    Only tags of codings that the visitor still accepts are brought back: what it could no longer be sent is not
    what it has.
    """
    accepted = read_acceptance(accept_encoding).codings

    def restore(match: re.Match[bytes]) -> bytes:
        return b'"%b"' % match[1] if Encoding(match[2]) in accepted else match[0]

    return _OURS.sub(restore, value, count=_MOST_TAGS)


def _represent_not_modified(head: ResponseHead, request: RequestHead) -> ResponseHead:
    """A 304 with the tag that the visitor's own form has: another would turn what it stored into the plain form."""
    accepted = read_acceptance(request.values.get(b"accept-encoding", b"")).codings
    asked = request.values.get(b"if-none-match", b"")
    ours: dict[bytes, bytes] = {}
    for match in islice(_OURS.finditer(asked), _MOST_TAGS):
        if Encoding(match[2]) in accepted:
            ours.setdefault(match[1], match[0])
    plain = {match[2] for match in asked_tags(asked) if not _OURS.fullmatch(match[0])}
    fields: list[Field] = []
    held = None
    for lower, name, value in head.fields:
        tag = ENTITY_TAG.fullmatch(value) if lower == b"etag" else None
        if tag is not None and tag[2] not in plain:
            held = ours.get(tag[2])
            fields.append((lower, name, value if held is None else held))
        else:
            fields.append((lower, name, value))
    return head if held is None else head.with_fields(merge_vary(fields))
