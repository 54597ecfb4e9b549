"""Share tokens: ``gp_``, 256 random bits in base 62, and a checksum for scanners and typos."""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib

from guestpass.app.ports import Entropy
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import TextCipher

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 43  # 62**43 > 2**256
_CHECKSUM_LENGTH = 6  # 62**6 > 2**32
_FORM = re.compile(rf"gp_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)


class SealedTokens:
    """The TokenVault: HMAC-SHA256 for look-ups, encryption for storage."""

    def __init__(self, keys: Keys, entropy: Entropy) -> None:
        self._hash_key = keys.token_hashes
        self._cipher = TextCipher(keys.sealing, entropy)
        self._entropy = entropy

    def new(self) -> str:
        """A fresh token."""
        secret = _base62(int.from_bytes(self._entropy.bytes(32)), _SECRET_LENGTH)
        return f"gp_{secret}{_checksum(secret)}"

    def is_well_formed(self, token: str) -> bool:
        """Whether form and checksum are right."""
        if not _FORM.fullmatch(token):
            return False
        secret, checksum = token[3:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
        return _checksum(secret) == checksum

    def hash(self, token: str) -> bytes:
        """The keyed hash under which the database knows the token."""
        return hmac.digest(self._hash_key, token.encode(), hashlib.sha256)

    def seal(self, token: str, link_id: str) -> bytes:
        """The token encrypted; the link's id is authenticated with it, so that rows can't be swapped."""
        return self._cipher.encrypt(token, _context(link_id))

    def open(self, sealed: bytes, link_id: str) -> str:
        """The token; raises ValueError when key, link or content are not those that sealed it."""
        try:
            return self._cipher.decrypt(sealed, _context(link_id))
        except ValueError:
            raise ValueError(f"the token of link {link_id} was not sealed with this SECRET_KEY") from None


def _context(link_id: str) -> str:
    return f"link-token:{link_id}"


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
