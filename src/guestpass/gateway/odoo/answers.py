"""How an answer of Odoo is changed on its way to a visitor."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from guestpass.gateway.forwarding import EnvironmentAnswer
from guestpass.gateway.heads import Field, RequestHead, ResponseHead
from guestpass.gateway.odoo.compression import Encoder, encoder, represent
from guestpass.gateway.odoo.requests import FixedName, location_for_visitor
from guestpass.gateway.odoo.responses import is_hollow, tidied


@dataclass(slots=True)
class OdooAnswer:
    """What is done to an environment's answer anyway (`inner`), and what only Odoo's needs.

    `fixed` is the name that Odoo was called by, `url` the address where it is reached; a Location that points at
    either comes back on `visitor_origin`. After `fields`, `is_encoded` says that the body's length is not Odoo's, and
    `encoder` compresses it, if there is one to be sent.
    """

    inner: EnvironmentAnswer
    request: RequestHead
    fixed: FixedName
    visitor_origin: bytes
    url: bytes
    is_encoded: bool = False
    encoder: Encoder | None = field(default=None)

    def fields(self, head: ResponseHead) -> list[bytes]:
        """The field lines for the visitor, without those that frame the message."""
        seen = copy.copy(head)
        seen.fields = [self._at_visitor(each) for each in tidied(head.fields)]
        seen, encoding = represent(seen, self.request)
        if encoding is not None:
            self.is_encoded = True
            if self.request.method != b"HEAD":
                self.encoder = encoder(encoding, length=head.content_length)
        return self.inner.fields(seen)

    def names_a_file(self, head: ResponseHead) -> bool:
        """Whether Odoo left the body to a web server that isn't there."""
        return head.status != 304 and is_hollow(head.fields, head.content_length)

    def _at_visitor(self, each: Field) -> Field:
        lower, name, value = each
        if lower != b"location":
            return each
        return lower, name, location_for_visitor(value, self.fixed, self.visitor_origin, self.url)
