"""Mark texts for the catalogues where they are written; a Language translates them. Loads nothing."""

from __future__ import annotations


def mark(text: str) -> str:
    """Mark a text."""
    return text


def mark_count(one: str, many: str) -> tuple[str, str]:
    """The same for a text that counts something, in the two forms that `Language.say_count` takes."""
    return one, many
