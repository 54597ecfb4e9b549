"""HTML pages: rendered once when the process starts, with a few places that are filled in for each answer."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from guestpass.web.texts import INTERFACE

_loader = PackageLoader("guestpass.web", "visitor/templates")
_environment = Environment(
    loader=_loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_STYLE: Final = _loader.get_source(_environment, "style.css")[0]
# Private-use characters can't come out of a template by chance, and escaping leaves them alone.
_PLACE: Final = re.compile("\ue000([a-z_]+)\ue001")


def policy(*, style: str | None = None, forms: str = "'none'") -> str:
    """A Content-Security-Policy that allows nothing but this one inline style (by its hash) and forms to `forms`."""
    styles = ""
    if style is not None:
        styles = f" style-src 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}';"
    return f"default-src 'none';{styles} form-action {forms}; frame-ancestors 'none'; base-uri 'none'"


COMMON_FIELDS: Final = (
    ("Cache-Control", "no-store"),
    # no-referrer would turn the Origin of our own forms into `null`.
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Robots-Tag", "noindex"),
)
"""What every answer of ours carries, whatever it is."""

DATA_FIELDS: Final = (
    *COMMON_FIELDS,
    ("Content-Security-Policy", policy()),
)
"""The same with the policy of an answer that is no page."""

PAGE_FIELDS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Language", "en"),
    *COMMON_FIELDS,
    ("Content-Security-Policy", policy(style=_STYLE, forms="'self'")),
)
"""What every page carries; a form's answer is a redirect on the same origin, which form-action 'self' allows."""


class Page:
    """A rendered page with places to fill in."""

    __slots__ = ("_parts",)

    def __init__(self, text: str) -> None:
        self._parts = _PLACE.split(text)

    def fill(self, **values: str) -> bytes:
        """The page with `values` in their places, escaped for HTML."""
        parts = self._parts.copy()
        for index in range(1, len(parts), 2):
            parts[index] = html.escape(values[parts[index]])
        return "".join(parts).encode("utf-8", "replace")


def place(name: str) -> str:
    """A mark where `Page.fill` puts the value of that name."""
    return f"\ue000{name}\ue001"


def render(template: str, **values: object) -> Page:
    """Render one of the templates for visitors; values may hold places."""
    text = _environment.get_template(template).render(
        **values, style=_STYLE, interface=INTERFACE, request_id=place("request_id")
    )
    return Page(text)
