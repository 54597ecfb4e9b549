"""How an answer of Odoo is changed on its way to a visitor."""

from __future__ import annotations

from typing import Final

from guestpass.gateway.head_rewriting import EnvironmentResponse, fill_template, make_template
from guestpass.odoo.http.compression import (
    VARIANTS,
    Encoder,
    Encoding,
    as_variant,
    choose,
    compressibility,
    encoder,
    represent,
)
from guestpass.odoo.http.requests import FixedName, location_for_visitor
from guestpass.odoo.http.responses import HIDES_FILE, is_hollow, tidied
from guestpass.wire.heads import Field, RequestHead, ResponseHead

_KINDS: Final = 4
"""How many kinds there are of what is done to an environment's answer anyway; their templates have lower numbers."""


class OdooResponse:
    """What is done to an environment's answer anyway (`inner`), and what only Odoo's needs.

    `fixed` is the name that Odoo was called by, `url` the address where it is reached; a Location that points at
    either comes back on `visitor_origin`. After `fields`, `is_encoded` says that the body's length is not Odoo's, and
    `encoder` compresses it, if there is one to be sent.
    """

    __slots__ = ("encoder", "fixed", "inner", "is_encoded", "request", "url", "visitor_origin")

    def __init__(
        self, inner: EnvironmentResponse, request: RequestHead, fixed: FixedName, visitor_origin: bytes, url: bytes
    ) -> None:
        self.inner = inner
        self.request = request
        self.fixed = fixed
        self.visitor_origin = visitor_origin
        self.url = url
        self.is_encoded = False
        self.encoder: Encoder | None = None

    def fields(self, head: ResponseHead) -> list[bytes]:
        """Return the field lines for the visitor, without those that frame the message."""
        block, inner = head.block, self.inner
        # Where a Location leads, and which tag a 304 has, depends on the request too.
        if block is None or head.status == 304 or b"location" in block.names or not inner.is_alike(head.status):
            return self.lines(head)
        found = block.form
        if found is None:
            found = block.form = compressibility(head.status, tidied(head.fields))
        variant = choose(found, head.content_length, self.request)
        if variant.encoding is not None:
            self._encode(variant.encoding, head)
        key = _KINDS + inner.kind * VARIANTS + variant.number
        template = block.templates.get(key)
        if template is None:
            seen = head.with_fields([_not_public(each) for each in tidied(head.fields)])
            template = block.templates[key] = make_template(inner.lines(as_variant(seen, variant)))
        return fill_template(template, head)

    def lines(self, head: ResponseHead) -> list[bytes]:
        """Return what `fields` does, one line each."""
        seen = head.with_fields([self._at_visitor(_not_public(each)) for each in tidied(head.fields)])
        seen, encoding = represent(seen, self.request)
        if encoding is not None:
            self._encode(encoding, head)
        return self.inner.lines(seen)

    def _encode(self, encoding: Encoding, head: ResponseHead) -> None:
        self.is_encoded = True
        if self.request.method != b"HEAD":
            self.encoder = encoder(encoding, length=head.content_length)

    def names_a_file(self, head: ResponseHead) -> bool:
        """Return whether Odoo left the body to a web server that isn't there."""
        block = head.block
        if block is not None and HIDES_FILE.isdisjoint(block.names):
            return False
        return head.status != 304 and is_hollow(head.fields, head.content_length)

    def _at_visitor(self, each: Field) -> Field:
        lower, name, value = each
        if lower != b"location":
            return each
        return lower, name, location_for_visitor(value, self.fixed, self.visitor_origin, self.url)


def _not_public(each: Field) -> Field:
    """The field without the word of Odoo that shared caches may store what it answers (RFC 9111, section 5.2.2.9).

    Odoo says so of menus and translations too, which differ by user, and of nothing behind a link is it true.
    """
    lower, name, value = each
    if lower != b"cache-control" or b"public" not in value.lower():
        return each
    members = [member.strip() for member in value.split(b",")]
    return lower, name, b", ".join(b"private" if member.lower() == b"public" else member for member in members)
