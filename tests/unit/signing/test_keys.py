from __future__ import annotations

import hashlib
import hmac

import pytest

from guestpass.signing.keys import Keys

SECRET = "a secret of thirty-two characters"


def rfc5869(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 as the RFC writes it, without a salt."""
    prk = hmac.digest(bytes(32), secret, hashlib.sha256)
    return hmac.digest(prk, info + b"\x01", hashlib.sha256)[:length]


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("passes", "passes"),
        ("token_hashes", "token-hashes"),
        ("sealing", "sealing"),
        ("secrets", "secrets"),
        ("cookie_tags", "cookie-tags"),
    ],
)
def test_each_key_follows_from_the_secret_and_its_purpose(name: str, purpose: str) -> None:
    expected = rfc5869(SECRET.encode(), f"guestpass/{purpose}/1".encode(), 32)
    assert getattr(Keys.from_secret(SECRET), name) == expected


def test_keys_differ_from_each_other_and_from_another_secrets() -> None:
    ours, theirs = Keys.from_secret(SECRET), Keys.from_secret(SECRET + "!")
    keys = [
        getattr(keys, name)
        for keys in (ours, theirs)
        for name in ("passes", "token_hashes", "sealing", "secrets", "cookie_tags")
    ]
    assert len(set(keys)) == 10


def test_the_fingerprint_names_the_secret_and_is_no_part_of_a_key() -> None:
    ours = Keys.from_secret(SECRET)
    assert ours.fingerprint == Keys.from_secret(SECRET).fingerprint != Keys.from_secret(SECRET + "!").fingerprint
    assert len(bytes.fromhex(ours.fingerprint)) == 16
    assert not any(
        bytes.fromhex(ours.fingerprint) in key for key in (ours.passes, ours.token_hashes, ours.sealing, ours.secrets)
    )


def test_printing_keys_shows_none() -> None:
    keys = Keys.from_secret(SECRET)
    assert repr(keys.passes) not in repr(keys)
    assert keys.sealing.hex() not in repr(keys)
