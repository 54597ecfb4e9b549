"""Passwords that we suggest to owners."""

from __future__ import annotations

import base64

from guestpass.app.ports import Entropy


def suggest_password(entropy: Entropy) -> str:
    """A password of 80 random bits in four groups that can be read out loud."""
    text = base64.b32encode(entropy.bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))
