"""A TLS 1.3 client that makes its own records (RFC 8446, section 5), also such as no library would send."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HANDSHAKE, DATA = 22, 23
_NEW_KEYS = b"\x18\x00\x00\x01\x01"  # KeyUpdate, with the wish that the other side renews its own


class RecordClient:
    """The client's side of a handshake, and then records; `take` and `give` are what goes over the wire."""

    def __init__(self, context: ssl.SSLContext, keys: Path) -> None:
        context.keylog_filename = str(keys)
        self._keys = keys
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self._secret = b""
        self._sent = 0
        self.has_ended = False

    def shake_hands(self, given: bytes) -> bool:
        """Go on with the handshake; whether it is complete."""
        self._incoming.write(given)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        assert self.tls.version() == "TLSv1.3"
        [line] = [each for each in self._keys.read_text().splitlines() if each.startswith("CLIENT_TRAFFIC_SECRET_0")]
        self._secret = bytes.fromhex(line.rpartition(" ")[2])
        return True

    def take(self) -> bytes:
        """What the library has to send."""
        return self._outgoing.read()

    def give(self, arrived: bytes) -> None:
        """Take what has arrived."""
        self._incoming.write(arrived)

    def read(self) -> bytes:
        """What it holds as far as it is whole; notes where the other side says its end."""
        pieces = []
        with suppress(ssl.SSLWantReadError):
            while piece := self.tls.read(1024 * 1024):
                pieces.append(piece)
            self.has_ended = True
        return b"".join(pieces)

    def data(self, payload: bytes) -> bytes:
        """A record with data, which may be none."""
        return self._record(DATA, payload)

    def new_keys(self) -> bytes:
        """A record that changes the keys, and asks the other side to change its own."""
        record = self._record(HANDSHAKE, _NEW_KEYS)
        self._secret = self._expand(b"traffic upd", len(self._secret))
        self._sent = 0
        return record

    def _record(self, kind: int, payload: bytes) -> bytes:
        cipher = AESGCM(self._expand(b"key", self._key_bytes))
        nonce = int.from_bytes(self._expand(b"iv", 12)) ^ self._sent
        self._sent += 1
        header = b"\x17\x03\x03" + (len(payload) + 17).to_bytes(2)
        return header + cipher.encrypt(nonce.to_bytes(12), payload + bytes([kind]), header)

    @property
    def _key_bytes(self) -> int:
        cipher = self.tls.cipher()
        assert cipher is not None
        assert "AES" in cipher[0]
        return cipher[2] // 8

    def _expand(self, label: bytes, size: int) -> bytes:
        """HKDF-Expand-Label (RFC 8446, section 7.1), for what fits one hash."""
        name = b"tls13 " + label
        info = size.to_bytes(2) + bytes([len(name)]) + name + b"\0" + b"\x01"
        made = hmac.new(self._secret, info, {32: hashlib.sha256, 48: hashlib.sha384}[len(self._secret)])
        return made.digest()[:size]
