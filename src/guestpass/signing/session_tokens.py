"""Secrets of the dashboard: one-time invitations, sessions, and what proves that a form is ours."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guestpass.app.ports import Entropy


class DashboardTokens:
    """The SessionTokens of the product: HMAC-SHA256 under a key made from JWT_SECRET.

    A new JWT_SECRET ends all bearer tokens, and so it must end the sessions that were made from them.
    """

    def __init__(self, jwt_secret: str, entropy: Entropy) -> None:
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"guestpass/dashboard-tokens/1")
        self._key = hkdf.derive(jwt_secret.encode())
        self._entropy = entropy

    def new(self) -> str:
        """A fresh token."""
        return _text(self._entropy.bytes(32))

    def hash(self, token: str) -> bytes:
        """The keyed hash under which the database knows the token."""
        return hmac.digest(self._key, b"hash:" + token.encode("utf-8", "replace"), hashlib.sha256)


def form_token(session_token: str) -> str:
    """The CSRF token of a session's forms, which reveals nothing of the session's token."""
    return _text(hmac.digest(session_token.encode("utf-8", "replace"), b"guestpass/form/1", hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
