from __future__ import annotations

from guestpass.signing.session_tokens import DashboardTokens, form_token
from guestpass.system import SystemEntropy


def test_tokens_are_long_and_never_the_same_and_fit_into_an_address_and_a_cookie() -> None:
    tokens = DashboardTokens("a secret", SystemEntropy())
    some = {tokens.new() for _ in range(100)}
    assert len(some) == 100
    assert all(len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token in some)


def test_a_new_secret_knows_no_token_of_the_old_one() -> None:
    token = "whatever"
    first, second = (DashboardTokens(secret, SystemEntropy()) for secret in ("one", "two"))
    assert first.hash(token) == DashboardTokens("one", SystemEntropy()).hash(token)
    assert len(first.hash(token)) == 32
    assert first.hash(token) != second.hash(token)


def test_a_form_token_is_the_sessions_own_and_does_not_tell_it() -> None:
    assert form_token("a") == form_token("a")
    assert form_token("a") != form_token("b")
    assert "session" not in form_token("session")
