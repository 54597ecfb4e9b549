"""What is text for everybody.

PostgreSQL keeps no NUL, and half a surrogate pair is no character (RFC 8259, section 8.2).
"""

from __future__ import annotations

from guestpass.domain.errors import Invalid


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
