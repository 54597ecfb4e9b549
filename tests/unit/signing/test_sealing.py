from __future__ import annotations

import base64

import pytest

from guestpass.app.ports import Sealer
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import SealedSecrets
from guestpass.signing.tokens import SealedTokens
from guestpass.system import SystemEntropy

KEYS = Keys.from_secret("s" * 32)
PASSWORD, CONTEXT = "Grüße, ☕!", "account-password:default/staging/anna"


@pytest.fixture
def sealer() -> Sealer:
    return SealedSecrets(KEYS, SystemEntropy())


@pytest.mark.parametrize("text", [PASSWORD, "", "x" * 5000, "\0"])
def test_a_sealed_secret_opens_again_and_never_looks_the_same(sealer: Sealer, text: str) -> None:
    one, two = sealer.seal(text, CONTEXT), sealer.seal(text, CONTEXT)
    assert one != two
    assert sealer.open(one, CONTEXT) == sealer.open(two, CONTEXT) == text


def test_what_is_sealed_shows_neither_secret_nor_context(sealer: Sealer) -> None:
    sealed = sealer.seal(PASSWORD, CONTEXT)
    for hidden in (PASSWORD, CONTEXT, "anna"):
        assert hidden.encode() not in sealed
        assert base64.b64encode(hidden.encode()) not in sealed


def test_a_sealed_secret_opens_for_nobody_and_nothing_else(sealer: Sealer) -> None:
    sealed = sealer.seal(PASSWORD, CONTEXT)
    other = SealedSecrets(Keys.from_secret("t" * 32), SystemEntropy())
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for reader, content, context in (
        (other, sealed, CONTEXT),
        (sealer, sealed, CONTEXT + "a"),
        (sealer, sealed, ""),
        (sealer, damaged, CONTEXT),
        (sealer, sealed[1:], CONTEXT),
        (sealer, sealed[:20], CONTEXT),
        (sealer, sealed[:5], CONTEXT),
        (sealer, b"", CONTEXT),
    ):
        with pytest.raises(ValueError, match="was not sealed with this SECRET_KEY") as caught:
            reader.open(content, context)
        assert PASSWORD not in str(caught.value)


def test_share_tokens_and_secrets_have_keys_of_their_own(sealer: Sealer) -> None:
    vault = SealedTokens(KEYS, SystemEntropy())
    context = "link-token:" + "a" * 16
    with pytest.raises(ValueError, match="not sealed with this SECRET_KEY"):
        sealer.open(vault.seal(PASSWORD, "a" * 16), context)
    with pytest.raises(ValueError, match="not sealed with this SECRET_KEY"):
        vault.open(sealer.seal(PASSWORD, context), "a" * 16)
