"""What is text for everybody, and what people can read of it.

PostgreSQL keeps no NUL, and half a surrogate pair is no character (RFC 8259, section 8.2).
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category

from guestpass.domain.errors import Invalid

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Bidi_Control of the Unicode Character Database.
_DIRECTION: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})
# Letters and symbols that are drawn as nothing: the fillers of Hangul, and the blank of Braille.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def flaw_of(text: str) -> str | None:
    """Why the text can't be kept, in words that follow a field's name; None where it can."""
    if "\0" in text:
        return "must not hold a NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "must be whole characters of Unicode"
    return None


def require_text(text: str) -> None:
    """Raise Invalid where it can't be kept, for what can name no field."""
    if (flaw := flaw_of(text)) is not None:
        raise Invalid.one("text", flaw)


def check_readable(text: str, *, lines: bool = False) -> None:
    """Raise ValueError, in words that follow a field's name, where people can't read the text as it is written.

    Control characters change what a terminal does, and those for the direction of text what people take an id or an
    address for. `lines` allows line breaks and tabs. An empty text can be read.
    """
    if (_CONTROL_BUT_LINES if lines else _CONTROL).search(text):
        raise ValueError(f"must not hold control characters{', but for line breaks and tabs' if lines else ''}")
    if text.isascii():
        return
    if _DIRECTION.search(text):
        raise ValueError("must not hold characters that change the direction of text")
    if all(category(each) in _UNSEEN or each in _BLANK for each in text):
        raise ValueError("must hold a character that can be seen")
