"""Visitors' HTML pages: rendered once per language, with places that are filled in per response."""

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
# Loaded at import: some pages are first needed when no file can be opened any more.
_SOURCES: Final = {name: _files.get_source(_environment, name)[0] for name in _files.list_templates()}
_environment.loader = DictLoader(_SOURCES)
_STYLE: Final = _SOURCES["style.css"]
# Private-use characters, which templates don't contain and escaping keeps.
_PLACE: Final = re.compile("\ue000([a-z_]+)\ue001")


def policy(*styles: str, forms: str = "'none'", pictures: bool = False) -> str:
    """Return a Content-Security-Policy that allows these inline styles (by hash), forms to `forms`, and nothing else.

    With `pictures` also data: images.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" for style in styles
    )
    style_sources = f" style-src {hashes};" if styles else ""
    images = " img-src data:;" if pictures else ""
    return f"default-src 'none';{style_sources}{images} form-action {forms}; frame-ancestors 'none'; base-uri 'none'"


COMMON_FIELDS: Final = (
    ("Cache-Control", "no-store"),
    # With no-referrer our own forms would send `Origin: null`.
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Robots-Tag", "noindex"),
)
"""Fields of all our responses."""

DATA_FIELDS: Final = (
    *COMMON_FIELDS,
    ("Content-Security-Policy", policy()),
)
"""Fields of responses that are no pages."""


@lru_cache
def page_fields(language: str, theme: Theme = BARE, forms: str = "'self'") -> tuple[tuple[str, str], ...]:
    """Return the fields of pages. `forms` are the origins that forms lead to, including redirects."""
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
        """Return the page with `values` filled in, HTML-escaped unless they are Markup."""
        parts = self._parts.copy()
        for index in range(1, len(parts), 2):
            parts[index] = escape(values[parts[index]])
        return "".join(parts).encode("utf-8", "replace")

    def fill_themed(self, theme: Theme, **values: str) -> bytes:
        """Fill in a theme too, for a page of `render`, which has places for one."""
        # Styles contain nothing that escaping changes; otherwise their hash in the policy would not match.
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
    """Return a placeholder, which `PageTemplate.fill` replaces."""
    return f"\ue000{name}\ue001"


def render(language: Language, template: str, **values: object) -> PageTemplate:
    """Render one of visitors' templates; values may contain places."""
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
