"""Passwords of links: how they are written, and those that we suggest to owners."""

from __future__ import annotations

import base64
import re
from typing import Final
from unicodedata import normalize

from guestpass.app.ports import Entropy

# Space separators (Zs) that are not ASCII.
_SPACES: Final = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def prepared(password: str) -> str:
    """The password as it is hashed, whatever keyboard it was typed on (RFC 8265, section 4.2.2).

    A Mac may write a letter with its accent as two characters where others write one, and a space that doesn't break.
    """
    return password if password.isascii() else normalize("NFC", _SPACES.sub(" ", password))


def written_forms(password: str) -> tuple[str, ...]:
    """What to compare with a hash: as prepared, and as typed, for hashes from before passwords were prepared.

    There is one form alone but where the two differ, so that a guess costs one slow hash as a rule.
    """
    return tuple(dict.fromkeys((prepared(password), password)))


def suggest_password(entropy: Entropy) -> str:
    """A password of 80 random bits in four groups that can be read out loud."""
    text = base64.b32encode(entropy.bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))
