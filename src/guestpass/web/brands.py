"""Render an organisation's branding: banner, style and contact of a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from guestpass.domain.branding import Branding, mix, read_contact, readable_on, text_on
from guestpass.languages.language import Language
from guestpass.web.texts import INTERFACE, PRODUCT

# Background colours of style.css: of page and card the one with less contrast.
_LIGHT_GROUND: Final = "#f3f4f7"
_DARK_GROUND: Final = "#1b2029"
_TINT: Final = 0.85
_NOTHING: Final = Markup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The parts of a page that branding sets.

    `suffix` follows the page's title, `sender` is who shares: the organisation, or else the product.
    """

    style: str = ""
    banner: Markup = _NOTHING
    contact: Markup = _NOTHING
    suffix: str = ""
    sender: str = PRODUCT
    has_picture: bool = False


BARE: Final = Theme()


def theme_for(branding: Branding | None, language: Language) -> Theme:
    """Return the theme of a branding in a language."""
    if branding is None:
        return BARE
    return Theme(
        style=_style(branding.colour) if branding.colour else "",
        banner=_banner(branding),
        contact=_contact(branding.contact, language) if branding.contact else _NOTHING,
        suffix=f" · {branding.name}" if branding.name else "",
        sender=branding.name or PRODUCT,
        has_picture=branding.logo is not None,
    )


@dataclass(frozen=True, slots=True)
class Shades:
    """Readable shades of a colour (``#rrggbb``): `on_light` and `on_dark` for text on light and dark pages.

    Buttons have the colour itself as background, with `text` as their text's colour.
    """

    colour: str
    text: str
    on_light: str
    on_dark: str
    light_ground: str = _LIGHT_GROUND
    dark_ground: str = _DARK_GROUND


def shades_of(colour: str) -> Shades:
    """Return the nearest readable shades of a colour (``#rrggbb``)."""
    return Shades(colour, text_on(colour), readable_on(_LIGHT_GROUND, colour), readable_on(_DARK_GROUND, colour))


def _style(colour: str) -> str:
    """Return the CSS of a colour, see `Shades`."""
    shades = shades_of(colour)
    light, dark = shades.on_light, shades.on_dark
    return (
        f":root {{ --accent: {colour}; --on-accent: {text_on(colour)}; "
        f"--strong: {light}; --tint: {mix(light, '#ffffff', _TINT)}; }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: {colour}; --on-accent: {text_on(colour)}; "
        f"--strong: {dark}; --tint: {mix(dark, _DARK_GROUND, _TINT)}; }} }}"
    )


def _banner(branding: Branding) -> Markup:
    parts = _NOTHING
    if branding.logo is not None:
        # Decorative if the name is beside it.
        source = f"data:{branding.logo.media_type};base64,{base64.b64encode(branding.logo.content).decode()}"
        parts += Markup('<img src="{}" alt="{}">').format(source, "" if branding.name else "Logo")
    if branding.name:
        parts += Markup("<span>{}</span>").format(branding.name)
    return Markup('<header class="brand">{}</header>').format(parts) if parts else parts


def _contact(line: str, language: Language) -> Markup:
    contact = read_contact(line)
    if contact is None or contact.url is None:
        return Markup("<p>{}</p>").format(line)
    return Markup('<p>{} <a href="{}">{}</a></p>').format(
        language.translate(INTERFACE.contact), contact.url, contact.text
    )
