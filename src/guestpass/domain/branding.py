"""An organisation's branding of visitors' pages: name, logo, colour and contact."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

NAME_LENGTH: Final = 60
CONTACT_LENGTH: Final = 120
LOGO_SIZE: Final = 9 * 1024
"""How large a logo is at most, in bytes, once it was made to fit: it stands in pages of 30 KiB at most."""
COLOUR_PATTERN: Final = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_MAILTO: Final = re.compile(r"mailto:([A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)", re.ASCII)
_TEL: Final = re.compile(r"tel:(\+?[0-9][0-9 .()/-]{2,30})", re.ASCII)
_READABLE: Final = 4.5
_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is small enough to stand in each page; `media_type` is what browsers are told that it is."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """What visitors see of an organisation; each part may be missing.

    `colour` is ``#rrggbb`` in lower case. `contact` is plain text, or a mailto: or tel: address.
    """

    name: str | None = None
    logo: Logo | None = None
    colour: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact line as it is shown; `url` is where it leads, None where it is plain text."""

    text: str
    url: str | None


def read_contact(line: str) -> Contact | None:
    """A contact line's meaning; None where it names a scheme and what follows is no address of that scheme."""
    if found := _MAILTO.fullmatch(line):
        return Contact(found[1], line)
    if found := _TEL.fullmatch(line):
        return Contact(found[1], "tel:" + re.sub(r"[^+0-9]", "", found[1]))
    return None if re.match(r"(?i)(?:mailto|tel):", line) else Contact(line, None)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(colour: str) -> str:
    """Black or white, whichever can be read better on `colour`; either has at least 4.58:1 on every colour."""
    return max(("#ffffff", "#000000"), key=lambda text: contrast(text, colour))


def readable_on(ground: str, colour: str) -> str:
    """`colour`, or the nearest shade of it that has 4.5:1 on `ground` (WCAG 2.2, success criterion 1.4.3)."""
    towards = text_on(ground)
    for step in range(_STEPS):
        shade = mix(colour, towards, step / _STEPS)
        if contrast(shade, ground) >= _READABLE:
            return shade
    return towards


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a share, from 0 to 1, of the other."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
