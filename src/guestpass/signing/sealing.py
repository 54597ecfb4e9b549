"""Encryption for what is kept and must be read again."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guestpass.app.ports import Entropy
from guestpass.signing.keys import Keys

_NONCE_LENGTH = 12


class TextCipher:
    """AES-256-GCM (RFC 5116) over text: a fresh nonce, and the ciphertext bound to a context."""

    def __init__(self, key: bytes, entropy: Entropy) -> None:
        self._cipher = AESGCM(key)
        self._entropy = entropy

    def encrypt(self, text: str, context: str) -> bytes:
        """Nonce and ciphertext; the context is authenticated with them and not part of them."""
        nonce = self._entropy.bytes(_NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def decrypt(self, data: bytes, context: str) -> str:
        """The text; raises ValueError when key, context or content are not those that `encrypt` had."""
        try:
            return self._cipher.decrypt(data[:_NONCE_LENGTH], data[_NONCE_LENGTH:], context.encode()).decode()
        except InvalidTag:
            raise ValueError("not encrypted with this key and for this context") from None


class SealedSecrets:
    """Encrypt foreign secrets (the Sealer port), each bound to its purpose and owner."""

    def __init__(self, keys: Keys, entropy: Entropy) -> None:
        self._cipher = TextCipher(keys.secrets, entropy)

    def seal(self, text: str, context: str) -> bytes:
        """The text encrypted; its context is authenticated with it, so that rows can't be swapped."""
        return self._cipher.encrypt(text, context)

    def open(self, sealed: bytes, context: str) -> str:
        """The text; raises ValueError when key, context or content are not those that sealed it."""
        try:
            return self._cipher.decrypt(sealed, context)
        except ValueError:
            raise ValueError(f"{context} was not sealed with this SECRET_KEY") from None
