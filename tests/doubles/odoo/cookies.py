"""The cookies that Odoo sets, attribute by attribute."""

from __future__ import annotations

import time
from email.utils import formatdate

_YEAR = 365 * 24 * 3600


def session_cookie(sid: str) -> str:
    """The session's Set-Cookie: never Secure, SameSite or Domain."""
    return f"session_id={sid}; Expires={_in(_YEAR)}; Max-Age=604800; HttpOnly; Path=/"


def language_cookie() -> tuple[str, str]:
    return ("Set-Cookie", f"frontend_lang=en_US; Expires={_in(_YEAR)}; Path=/")


def _in(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


def expired_cookie(name: str) -> tuple[str, str]:
    """A Set-Cookie that takes a cookie away."""
    return ("Set-Cookie", f"{name}=; Expires={_in(0)}; Max-Age=0; Path=/")
