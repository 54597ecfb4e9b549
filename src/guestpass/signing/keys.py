"""The keys that follow from SECRET_KEY, one for each purpose."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Independent 256-bit keys; `fingerprint` identifies the secret without telling anything of it."""

    passes: bytes
    token_hashes: bytes
    sealing: bytes
    secrets: bytes
    cookie_tags: bytes
    fingerprint: str

    @classmethod
    def from_secret(cls, secret: str) -> Keys:
        """Derive every key by HKDF-SHA256 (RFC 5869), with the purpose as `info`."""

        def derive(purpose: str, length: int = 32) -> bytes:
            hkdf = HKDF(algorithm=SHA256(), length=length, salt=None, info=f"guestpass/{purpose}/1".encode())
            return hkdf.derive(secret.encode())

        return cls(
            passes=derive("passes"),
            token_hashes=derive("token-hashes"),
            sealing=derive("sealing"),
            secrets=derive("secrets"),
            cookie_tags=derive("cookie-tags"),
            fingerprint=derive("fingerprint", 16).hex(),
        )
