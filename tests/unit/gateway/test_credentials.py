"""What an environment's challenges become where links share an origin, and how much of them is looked at."""

from __future__ import annotations

import re

import pytest
from tests.unit.gateway.requests import request

from guestpass.gateway import credentials
from guestpass.gateway.cookies import CookieReader
from guestpass.gateway.credentials import Credentials
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy
from guestpass.wire.heads import Field

SIGNER = PassSigner(Keys.from_secret("a secret of these tests, long enough"), SystemEntropy())
REALM = b'Basic realm="shared link"'


def told(*challenges: bytes) -> list[bytes]:
    """The challenges that a visitor gets for these."""
    jar = CookieReader(SIGNER, secure=True).read(None)
    asking = Credentials(SIGNER, jar, b"tag", request("GET /"), secure=True)
    fields: list[Field] = [(b"www-authenticate", b"WWW-Authenticate", each) for each in challenges]
    kept, cookie = asking.changed(401, fields)
    if any(REALM in value for _, _, value in kept):
        assert cookie == b"__Host-guestpass.asked.tag=-; Path=/; HttpOnly; SameSite=Lax; Secure"
    return [value for _, _, value in kept]


@pytest.mark.parametrize("long", [b"basic a=b ,", b",basic a=", b'basic a="', b"basic \t", b", ", b"digest,"])
def test_no_more_of_a_challenge_is_taken_apart_than_a_server_says(long: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    class Counting:
        def __init__(self, pattern: re.Pattern[bytes]) -> None:
            self._pattern = pattern

        def sub(self, repl: bytes, value: bytes) -> bytes:
            nonlocal looked_at
            looked_at += len(value)
            return self._pattern.sub(repl, value)

        def match(self, value: bytes) -> re.Match[bytes] | None:
            nonlocal looked_at
            looked_at += len(value)
            return self._pattern.match(value)

    for name in ("_BASIC", "_LIKE_BASIC", "_DIGEST"):
        monkeypatch.setattr(credentials, name, Counting(getattr(credentials, name)))
    told(long * (60_000 // len(long)) + b"basic")
    told(*[long * (300 // len(long)) + b"basic"] * 199)
    assert looked_at < 20_000


def test_what_is_too_much_is_asked_under_our_realm() -> None:
    assert told(b"NTLM " + b"x" * 600 + b", Basic realm=A") == [REALM]
    assert told(*[b"Negotiate"] * 8, b"Basic realm=A", b"Digest realm=B") == [*[b"Negotiate"] * 8, REALM, REALM]


def test_a_long_answer_to_a_challenge_without_basic_passes() -> None:
    long = b"Negotiate " + b"x" * 4000
    assert told(long) == [long]
