"""What is found of calls, however it is found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestpass.odoo.fairness.examinations import Outcome, Question, Subject
from guestpass.odoo.http.json_bodies import read_call
from guestpass.odoo.signed_in.rules import takes_credentials

_TEXTS = st.sampled_from(
    ["a", "{}", "null", "a{}", "anull", "password", "pass{}word", "login", "x/password", "{}/login"]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS | st.just({}) | st.just([]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_MODELS = st.sampled_from(
    ["res.partner", "res.users", "res.users.apikeys", "auth_totp.{}", "res{}users", "portal.wizard{}"]
)
_METHODS = st.sampled_from(["web_search_read", "write", "load", "create", "read{}", "change_password", "{}"])
_CALLS = st.fixed_dictionaries(
    {},
    optional={
        "params": st.just({})
        | st.fixed_dictionaries(
            {},
            optional={
                "model": _MODELS | _VALUES,
                "method": _METHODS | _VALUES,
                "args": _VALUES,
                "kwargs": _VALUES,
                "x": _VALUES,
            },
        )
    },
)


def _exactly(body: bytes) -> Outcome:
    try:
        call = read_call(body)
    except ValueError:
        return Outcome.UNREADABLE
    return Outcome.NOT_SHARED if takes_credentials(call) else Outcome.PASSES


@settings(max_examples=500)
@given(_CALLS, st.integers(0, 200), st.sampled_from(["", "{}", "{", "null", '"a":1,', '{"a":1,"a":2}']))
def test_empty_objects_change_nothing_in_what_is_found(call: dict[str, Any], place: int, more: str) -> None:
    text = json.dumps(call)
    body = (text[:place] + more + text[place:]).encode()
    assert Question(Subject.CALL).answer(body).outcome is _exactly(body)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"params":{"model":"res.partner","method":"read","kwargs":{}}}', Outcome.PASSES),
        (b'{"params":{}}', Outcome.PASSES),
        (b'{"params":{"model":"x","method":"write","args":[[1],{"password":{}}]}}', Outcome.NOT_SHARED),
        (b'{"a":{},"a":{}}', Outcome.UNREADABLE),
        (b"{}{}", Outcome.UNREADABLE),
    ],
)
def test_what_is_found_of_a_call(body: bytes, outcome: Outcome) -> None:
    assert Question(Subject.CALL).answer(body).outcome is outcome
