from __future__ import annotations

import pytest

from guestpass.domain.access import Principal, Scope
from guestpass.domain.errors import FieldError, Forbidden, Invalid


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_is_held_or_named_in_the_refusal(scope: Scope) -> None:
    Principal("olga").require(scope)
    Principal("olga", scopes=frozenset({scope})).require(scope)
    others = frozenset(Scope) - {scope}
    with pytest.raises(Forbidden, match=scope) as caught:
        Principal("olga", scopes=others).require(scope)
    assert caught.value.scope == scope


def test_an_error_about_input_lists_every_field() -> None:
    error = Invalid([FieldError("label", "is too long"), FieldError("expiresIn", "is too short")])
    assert str(error) == "label: is too long; expiresIn: is too short"
    assert Invalid.one("label", "is too long").errors == (FieldError("label", "is too long"),)
