"""An organisation's branding as parts of a page: a banner, a style of few lines, and whom to ask."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from guestpass.domain.branding import Branding, mix, read_contact, readable_on, text_on
from guestpass.languages.language import Language
from guestpass.web.texts import INTERFACE, PRODUCT

# The grounds that style.css draws on: the page's and the card's, of which the one with less contrast counts.
_LIGHT_GROUND: Final = "#f3f4f7"
_DARK_GROUND: Final = "#1b2029"
_TINT: Final = 0.85
_NOTHING: Final = Markup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What the branding puts into each page.

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
    """The branding as it looks to whoever reads this language."""
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
    """What becomes of a colour: `on_light` and `on_dark` are lines and letters on a page's ground, by day and night.

    `text` is what stands on buttons, which have the colour itself.
    """

    colour: str
    text: str
    on_light: str
    on_dark: str
    light_ground: str = _LIGHT_GROUND
    dark_ground: str = _DARK_GROUND


def shades_of(colour: str) -> Shades:
    """The nearest shades of a colour (``#rrggbb``) that can be read."""
    return Shades(colour, text_on(colour), readable_on(_LIGHT_GROUND, colour), readable_on(_DARK_GROUND, colour))


def _style(colour: str) -> str:
    """Buttons have the colour itself; lines and letters on the page's ground the nearest shade that can be read."""
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
        # The name beside it says whose it is.
        source = f"data:{branding.logo.media_type};base64,{base64.b64encode(branding.logo.content).decode()}"
        parts += Markup('<img src="{}" alt="{}">').format(source, "" if branding.name else "Logo")
    if branding.name:
        parts += Markup("<span>{}</span>").format(branding.name)
    return Markup('<header class="brand">{}</header>').format(parts) if parts else parts


def _contact(line: str, language: Language) -> Markup:
    contact = read_contact(line)
    if contact is None or contact.url is None:
        return Markup("<p>{}</p>").format(line)
    return Markup('<p>{} <a href="{}">{}</a></p>').format(language.say(INTERFACE.contact), contact.url, contact.text)
