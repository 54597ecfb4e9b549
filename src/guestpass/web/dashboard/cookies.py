"""The cookies of the dashboard. Their names begin with ``guestpass``, which no environment ever sees."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.dashboard_sessions import SESSION_LIFETIME

_SESSION: Final = "guestpass_dashboard"
_FLASH: Final = "guestpass_flash"
_FLASH_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Flash:
    """A message for the next page; `kind` is ``good`` or ``bad``."""

    kind: str
    text: str


def _name(name: str, *, secure: bool) -> str:
    """Return the name, over https with the prefix ``__Host-`` (RFC 6265bis, section 4.1.3)."""
    return f"__Host-{name}" if secure else name


def session_token(request: Request, *, secure: bool) -> str | None:
    """Return the session's token from the cookie."""
    return request.cookies.get(_name(_SESSION, secure=secure)) or None


def set_session(response: Response, token: str, *, secure: bool) -> None:
    """Sign the browser in."""
    _set(response, _SESSION, token, int(SESSION_LIFETIME.total_seconds()), secure=secure)


def drop_session(response: Response, *, secure: bool) -> None:
    """Sign the browser out."""
    _set(response, _SESSION, "", 0, secure=secure)


def set_flash(response: Response, flash: Flash, token: str, *, secure: bool) -> None:
    """Set the message, signed, as other ports of this host could write the cookie too."""
    text = base64.urlsafe_b64encode(json.dumps([flash.kind, flash.text]).encode()).decode()
    _set(response, _FLASH, f"{text}.{_mac(text, token)}", _FLASH_SECONDS, secure=secure)


def take_flash(request: Request, token: str, *, secure: bool) -> Flash | None:
    """Read the message; after showing it, call `drop_flash`."""
    text, _, mac = request.cookies.get(_name(_FLASH, secure=secure), "").partition(".")
    if not text or not hmac.compare_digest(mac.encode(), _mac(text, token).encode()):
        return None
    return Flash(*json.loads(base64.urlsafe_b64decode(text)))


def drop_flash(response: Response, *, secure: bool) -> None:
    """Delete the message."""
    _set(response, _FLASH, "", 0, secure=secure)


def _mac(text: str, token: str) -> str:
    return hmac.new(token.encode("utf-8", "replace"), b"guestpass/flash/1:" + text.encode(), hashlib.sha256).hexdigest()


def _set(response: Response, name: str, value: str, max_age: int, *, secure: bool) -> None:
    response.set_cookie(
        _name(name, secure=secure),
        value,
        max_age=max_age,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
