from __future__ import annotations

import base64
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.signing.keys import Keys
from guestpass.signing.tokens import SealedTokens
from guestpass.system import SystemEntropy

KEYS = Keys.from_secret("s" * 32)
LINK_ID = "aaaaaaaaaaaaaaaa"


class SetEntropy:
    """Gives the bytes that a test wants."""

    def __init__(self, filler: int) -> None:
        self.filler = filler

    def bytes(self, count: int) -> bytes:
        return bytes([self.filler]) * count


@pytest.fixture
def vault() -> SealedTokens:
    return SealedTokens(KEYS, SystemEntropy())


def test_a_token_has_the_products_prefix_and_room_for_256_bits(vault: SealedTokens) -> None:
    tokens = {vault.new() for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(r"gp_[0-9A-Za-z]{49}", token) for token in tokens)
    assert all(vault.is_well_formed(token) for token in tokens)
    assert 43 * math.log2(62) >= 256


@pytest.mark.parametrize("filler", [0, 255])
def test_the_smallest_and_the_largest_secret_have_the_same_form(filler: int) -> None:
    vault = SealedTokens(KEYS, SetEntropy(filler))
    token = vault.new()
    assert len(token) == 52
    assert vault.is_well_formed(token)


@given(st.integers(3, 51), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
def test_any_single_wrong_character_is_noticed(position: int, character: str) -> None:
    vault = SealedTokens(KEYS, SetEntropy(77))
    token = vault.new()
    changed = token[:position] + character + token[position + 1 :]
    assert vault.is_well_formed(changed) == (changed == token)


def test_other_forms_are_not_well_formed(vault: SealedTokens) -> None:
    token = vault.new()
    others = ["", "gp_", token[:-1], token + "0", token.upper(), token.replace("gp_", "pg_"), token + "\n", "é" * 52]
    assert not any(vault.is_well_formed(other) for other in others)


def test_a_hash_depends_on_token_and_key(vault: SealedTokens) -> None:
    token = vault.new()
    other = SealedTokens(Keys.from_secret("t" * 32), SystemEntropy())
    assert len(vault.hash(token)) == 32
    assert vault.hash(token) == vault.hash(token)
    assert len({vault.hash(token), vault.hash(vault.new()), other.hash(token)}) == 3


def test_a_sealed_token_opens_again_and_never_looks_the_same(vault: SealedTokens) -> None:
    token = vault.new()
    one, two = vault.seal(token, LINK_ID), vault.seal(token, LINK_ID)
    assert one != two
    assert vault.open(one, LINK_ID) == vault.open(two, LINK_ID) == token
    assert token.encode() not in one
    assert base64.b64encode(token.encode()) not in one


def test_a_sealed_token_opens_for_nobody_else(vault: SealedTokens) -> None:
    sealed = vault.seal(vault.new(), LINK_ID)
    other = SealedTokens(Keys.from_secret("t" * 32), SystemEntropy())
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for reader, content, link_id in (
        (other, sealed, LINK_ID),
        (vault, sealed, "b" * 16),
        (vault, damaged, LINK_ID),
        (vault, sealed[:20], LINK_ID),
    ):
        with pytest.raises(ValueError, match=f"link {link_id} was not sealed with this SECRET_KEY"):
            reader.open(content, link_id)
