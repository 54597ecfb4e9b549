"""Answer requests for assets from their stored forms: conditions, ranges, HEAD, and which form a visitor gets.

RFC 9110: section 13.2.2 for the order of conditions, section 14 for ranges. A range is always one of the plain form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from guestpass.odoo.assets.bodies import Body, Reader, StoredForm
from guestpass.odoo.assets.dictionaries import CODING, Delta, offer
from guestpass.odoo.http.compression import (
    ENTITY_TAG,
    MIN_LENGTH,
    Acceptance,
    Encoding,
    asked_tags,
    encoded_tag,
    is_compressible_type,
    merge_vary,
    read_acceptance,
)
from guestpass.wire.heads import Field, RequestHead, ResponseHead, shared_head

_RANGE = re.compile(rb"bytes[ \t]*=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)
# Of browsers there are a few; who invents others must not fill the memory.
_MOST_ACCEPTANCES: Final = 32
# A 304 or 416 says nothing about the representation that it does not carry (RFC 9110, section 15.4.5).
_OF_THE_BODY: Final = frozenset({b"content-disposition", b"content-language", b"content-type", b"last-modified"})


class Asset:
    """A stored answer that can be sent to anybody.

    `fields` are those that visitors get, `tag` is its entity tag, `plain` its body as it came and `forms` are
    compressed ones. `tried` holds codings that were taken in hand, with whether it was for the best form.
    `checked_at` is the monotonic time in seconds at which Odoo was last asked about it. `whole` and `unchanged` are the
    heads of answers that were given before: a whole form, and a 304 with this tag. `offer` is its Use-As-Dictionary, or
    empty, and `tried_with` holds digests of the dictionaries that it was compressed with.
    """

    __slots__ = (
        "_best",
        "checked_at",
        "fields",
        "fill",
        "forms",
        "is_compressible",
        "modified",
        "offer",
        "plain",
        "tag",
        "tried",
        "tried_with",
        "unchanged",
        "whole",
    )

    def __init__(self, fill: str, fields: tuple[tuple[bytes, bytes], ...], plain: StoredForm) -> None:
        self.fill = fill
        self.fields: list[Field] = []
        self.tag = b""
        self.modified: datetime | None = None
        content_type = b""
        for name, value in fields:
            lower = name.lower()
            if lower == b"etag":
                self.tag = value
                continue
            if lower == b"last-modified":
                self.modified = _date(value)
            elif lower == b"content-type":
                content_type = value
            self.fields.append((lower, name, value))
        self.plain = plain
        self.forms: dict[Encoding, StoredForm] = {}
        self.is_compressible = plain.length > MIN_LENGTH and is_compressible_type(content_type)
        self.tried: set[tuple[Encoding, bool]] = set()
        can_be_named = self.is_compressible and bool(plain.label.digest)
        self.offer = offer(plain.label.path, plain.length) if can_be_named else b""
        self.tried_with: set[str] = set()
        self.checked_at = float("-inf")
        self._best: dict[Acceptance, StoredForm] = {}
        self.whole: dict[StoredForm, ResponseHead] = {}
        self.unchanged: dict[bytes, ResponseHead] = {}

    def add_form(self, coding: Encoding, form: StoredForm) -> None:
        """Have a compressed form in the place of the one in this coding."""
        self.forms[coding] = form
        self._best.clear()
        self.whole.clear()

    def has_form_in(self, codings: Sequence[Encoding]) -> bool:
        """Return whether there is a form in one of these codings."""
        return not self.forms.keys().isdisjoint(codings)

    def every_form(self) -> Iterator[StoredForm]:
        """The plain form and the compressed ones."""
        yield self.plain
        yield from self.forms.values()

    def best_form(self, acceptance: Acceptance) -> StoredForm:
        """The shortest of the forms that a visitor likes best."""
        best = self._best.get(acceptance)
        if best is None:
            if len(self._best) >= _MOST_ACCEPTANCES:
                self._best.clear()
            best = self._best[acceptance] = self._choose_form(acceptance)
        return best

    def _choose_form(self, acceptance: Acceptance) -> StoredForm:
        favourites = [self.forms[coding] for coding in acceptance.favourites if coding in self.forms]
        if favourites:
            return min(favourites, key=lambda form: form.length)
        others = (self.forms[coding] for coding in acceptance.codings if coding in self.forms)
        return next(others, self.plain)


class AssetResponse:
    """The head of an answer, framed by `content_length` alone, and its body; None where there is none to send.

    Others get the same head, so it is not to be changed.
    """

    __slots__ = ("body", "head")

    def __init__(self, head: ResponseHead, body: Body | None) -> None:
        self.head = head
        self.body = body


def is_answerable(request: RequestHead) -> bool:
    """Whether `answer` understands all that a request asks: GET or HEAD, and no condition that only writers use."""
    return (
        request.method in (b"GET", b"HEAD")
        and not request.has_body
        and b"if-match" not in request.values
        and b"if-unmodified-since" not in request.values
    )


def answer(asset: Asset, request: RequestHead, reader: Reader, delta: Delta | None = None) -> AssetResponse:
    """The answer to a request that is answerable; `delta` is the body in terms of what this visitor has."""
    values = request.values
    acceptance = read_acceptance(values.get(b"accept-encoding", b"") if asset.is_compressible else b"")
    wants_range = request.method == b"GET" and b"range" in values
    form = asset.plain if wants_range else asset.best_form(acceptance)
    if wants_range or (delta is not None and len(delta.body) >= form.length):
        delta = None
    tag = _tag_of(asset, form) if delta is None else _delta_tag(asset)
    if (held := _held_tag(asset, tag, acceptance, request)) is not None:
        unchanged = asset.unchanged.get(held)
        if unchanged is None:
            unchanged = asset.unchanged[held] = shared_head(_head(asset, 304, None, held))
        return AssetResponse(unchanged, None)
    if wants_range and _range_applies(asset, values.get(b"if-range")):
        span = _read_range(values[b"range"], form.length)
        if span is not None:
            return _partial(asset, form, span, reader)
    has_body = request.method == b"GET" and form.length > 0
    if delta is not None:
        if delta.head is None:
            delta.head = shared_head(_whole_head(asset, len(delta.body), tag, CODING))
        body = Body(reader, form, 0, len(delta.body), delta.body) if has_body else None
        return AssetResponse(delta.head, body)
    head = asset.whole.get(form)
    if head is None:
        coding = None if form.encoding is None else form.encoding.value
        head = asset.whole[form] = shared_head(_whole_head(asset, form.length, tag, coding))
    return AssetResponse(head, Body(reader, form, 0, form.length) if has_body else None)


def _whole_head(asset: Asset, length: int, tag: bytes, coding: bytes | None) -> ResponseHead:
    head = _head(asset, 200, length, tag)
    if coding is not None:
        head.fields.append((b"content-encoding", b"Content-Encoding", coding))
    else:
        head.fields.append((b"accept-ranges", b"Accept-Ranges", b"bytes"))
    if asset.offer:
        head.fields.append((b"use-as-dictionary", b"Use-As-Dictionary", asset.offer))
    return head


def _tag_of(asset: Asset, form: StoredForm) -> bytes:
    if form.encoding is None:
        return asset.tag
    return encoded_tag(asset.tag, form.encoding) or asset.tag


def _delta_tag(asset: Asset) -> bytes:
    match = ENTITY_TAG.fullmatch(asset.tag)
    return asset.tag if match is None else b'W/"%b--%b"' % (match[2], CODING)


def _head(asset: Asset, status: int, length: int | None, tag: bytes) -> ResponseHead:
    head = ResponseHead()
    head.status, head.minor, head.content_length = status, 1, length
    head.chunked, head.keep_alive, head.connection = False, True, frozenset()
    fields = asset.fields if status in (200, 206) else [field for field in asset.fields if field[0] not in _OF_THE_BODY]
    head.fields = [*fields, (b"etag", b"ETag", tag)]
    if asset.is_compressible:
        head.fields = merge_vary(head.fields)
    if asset.offer:
        head.fields = merge_vary(head.fields, b"Available-Dictionary")
    return head


# Conditions


def _held_tag(asset: Asset, tag: bytes, acceptance: Acceptance, request: RequestHead) -> bytes | None:
    """The tag of the form that a visitor has and may keep, or None where the answer has to be sent."""
    asked = request.values.get(b"if-none-match")
    if asked is None:
        since = request.values.get(b"if-modified-since")
        when = None if since is None else _date(since)
        return tag if when is not None and asset.modified is not None and asset.modified <= when else None
    if asked.strip(b" \t") == b"*" or (asked == tag and ENTITY_TAG.fullmatch(tag) is not None):
        return tag
    held = {match[2] for match in asked_tags(asked)}
    # The form that would be sent, the plain one, and each that could have been sent before.
    others = [encoded_tag(asset.tag, coding) for coding in acceptance.codings]
    if acceptance.takes_dictionaries:
        others.append(_delta_tag(asset))
    for candidate in (tag, asset.tag, *others):
        match = None if candidate is None else ENTITY_TAG.fullmatch(candidate)
        # RFC 9110, section 13.1.2: a weak comparison, which overlooks the mark.
        if match is not None and match[2] in held:
            return candidate
    return None


def _date(value: bytes) -> datetime | None:
    """A date that names its zone; what can't be read is as if it were not there (RFC 9110, section 13.1.3)."""
    try:
        when = parsedate_to_datetime(value.decode("latin-1"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when if when.tzinfo is not None else None


# Ranges


def _range_applies(asset: Asset, if_range: bytes | None) -> bool:
    """Without If-Range always; else only for the very bytes that the visitor has a part of.

    A date there is never trusted: two versions may have been made within its second.
    """
    return if_range is None or (if_range == asset.tag and not asset.tag.startswith(b"W/"))


def _read_range(value: bytes, length: int) -> tuple[int, int] | None:
    """First byte and count; a count of 0 says that the range can't be satisfied, None that the field is ignored.

    Several ranges, another unit, and what breaks the grammar may be ignored (RFC 9110, section 14.2).
    """
    match = _RANGE.fullmatch(value)
    if match is None:
        return None
    if match[3] is not None:
        count = min(int(match[3]), length)
        return length - count, count
    first = int(match[1])
    last = length - 1 if match[2] is None else min(int(match[2]), length - 1)
    if match[2] is not None and int(match[2]) < first:
        return None
    return (first, last - first + 1) if first < length else (0, 0)


def _partial(asset: Asset, form: StoredForm, span: tuple[int, int], reader: Reader) -> AssetResponse:
    first, count = span
    if not count:
        head = _head(asset, 416, 0, asset.tag)
        said = b"bytes */%d" % form.length
    else:
        head = _head(asset, 206, count, asset.tag)
        said = b"bytes %d-%d/%d" % (first, first + count - 1, form.length)
    head.fields.append((b"content-range", b"Content-Range", said))
    head.fields.append((b"accept-ranges", b"Accept-Ranges", b"bytes"))
    return AssetResponse(head, Body(reader, form, first, count) if count else None)
