"""HTML pages for visitors: rendered once for each language, with a few places that are filled in for each answer."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final

from jinja2 import DictLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from guestpass.languages.language import Language
from guestpass.web.brands import BARE, Theme
from guestpass.web.texts import INTERFACE, Interface

_files: Final = PackageLoader("guestpass.web", "visitor/templates")
_environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
# All are read now: some pages are needed for the first time when no file can be opened.
_SOURCES: Final = {name: _files.get_source(_environment, name)[0] for name in _files.list_templates()}
_environment.loader = DictLoader(_SOURCES)
_STYLE: Final = _SOURCES["style.css"]
# Private-use characters can't come out of a template by chance, and escaping leaves them alone.
_PLACE: Final = re.compile("\ue000([a-z_]+)\ue001")


def policy(*styles: str, forms: str = "'none'", pictures: bool = False) -> str:
    """A Content-Security-Policy that allows nothing but these inline styles (by hash), forms to `forms`, and pictures.

    `pictures` are those that stand in the page itself; nothing is ever loaded from anywhere.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" for style in styles
    )
    style_sources = f" style-src {hashes};" if styles else ""
    images = " img-src data:;" if pictures else ""
    return f"default-src 'none';{style_sources}{images} form-action {forms}; frame-ancestors 'none'; base-uri 'none'"


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


@lru_cache
def page_fields(language: str, theme: Theme = BARE, forms: str = "'self'") -> tuple[tuple[str, str], ...]:
    """What every page carries. `forms` are the origins to which a form leads, redirects of its answer included."""
    styles = (_STYLE, theme.style) if theme.style else (_STYLE,)
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Language", language),
        ("Vary", "Accept-Language"),
        *COMMON_FIELDS,
        ("Content-Security-Policy", policy(*styles, forms=forms, pictures=theme.has_picture)),
    )


class PageTemplate:
    """A rendered page with places to fill in."""

    __slots__ = ("_parts",)

    def __init__(self, text: str) -> None:
        self._parts = _PLACE.split(text)

    def fill(self, **values: str) -> bytes:
        """The page with `values` in their places, escaped for HTML unless they are Markup."""
        parts = self._parts.copy()
        for index in range(1, len(parts), 2):
            parts[index] = escape(values[parts[index]])
        return "".join(parts).encode("utf-8", "replace")

    def fill_themed(self, theme: Theme, **values: str) -> bytes:
        """The same for a page of `render`, which has places for what an organisation's branding brings."""
        # A style holds nothing that escaping would change: the browser checks what it gets against the policy's hash.
        style = Markup("<style>{}</style>").format(theme.style) if theme.style else Markup()
        return self.fill(
            style=_MARKED_STYLE,
            brand_style=style,
            brand_banner=theme.banner,
            brand_contact=theme.contact,
            brand_suffix=theme.suffix,
            sender=theme.sender,
            **values,
        )


_MARKED_STYLE: Final = Markup(_STYLE)  # noqa: S704 -- the product's own file


def place(name: str) -> str:
    """A mark where `Page.fill` puts the value of that name."""
    return f"\ue000{name}\ue001"


def render(language: Language, template: str, **values: object) -> PageTemplate:
    """Render one of the templates for visitors; values may hold places."""
    places = ("style", "brand_style", "brand_banner", "brand_contact", "brand_suffix", "sender", "request_id")
    return PageTemplate(
        _environment.get_template(template).render(
            **{**{name: place(name) for name in places}, **values},
            language=language.tag,
            interface=_interface(language),
        )
    )


@lru_cache
def _interface(language: Language) -> Interface:
    return INTERFACE.translated(language)
