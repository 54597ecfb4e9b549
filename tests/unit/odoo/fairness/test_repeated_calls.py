from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.odoo.fairness import repeated_calls
from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, Question, Subject
from guestpass.odoo.fairness.repeated_calls import LONGEST, MOST, examine

PATH = "/web/dataset/call_kw/res.partner/web_search_read"
CALL = Question(Subject.CALL, PATH)
LOOK = Question(Subject.LOOK, PATH)
LOOK_SIGNED_IN = Question(Subject.LOOK, PATH, signed_in=True)
ALL = (CALL, LOOK, LOOK_SIGNED_IN, Question(Subject.LOOK, PATH, ("res.partner/write",)))
READ: dict[str, Any] = {
    "model": "res.partner",
    "method": "web_search_read",
    "args": [],
    "kwargs": {"specification": {"name": {}}, "domain": []},
}


def call(id: object, params: object, **more: object) -> bytes:
    """A call as Odoo's client writes it."""
    return json.dumps(
        {"id": id, "jsonrpc": "2.0", "method": "call", "params": params, **more}, separators=(",", ":")
    ).encode()


@pytest.fixture(autouse=True)
def nothing_is_known() -> Iterator[None]:
    repeated_calls._KNOWN.clear()
    yield
    repeated_calls._KNOWN.clear()


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The calls that have been examined."""
    bodies: list[bytes] = []
    answer = Question.answer

    def noted(self: Question, body: bytes) -> BodyFinding:
        bodies.append(body)
        return answer(self, body)

    monkeypatch.setattr(Question, "answer", noted)
    return bodies


@pytest.mark.parametrize("question", ALL, ids=str)
def test_a_call_that_comes_again_under_another_id_is_not_examined_again(
    question: Question, examined: list[bytes]
) -> None:
    assert examine(question, call(7, READ)) == BodyFinding(Outcome.PASSES)
    for id in (0, 8, 999_999_999_999_999):
        assert examine(question, call(id, READ)) == BodyFinding(Outcome.PASSES)
    assert examined == [call(7, READ)]


def test_what_is_written_anew_goes_on_under_its_own_id(examined: list[bytes]) -> None:
    for id in (7, 12, 8):
        found = examine(LOOK, call(id, {**READ, "x": 1}, more=1))
        assert found == BodyFinding(Outcome.REWRITTEN, call(id, READ))
    assert len(examined) == 1


def test_what_a_field_is_left_out_of_goes_on_under_its_own_id(examined: list[bytes]) -> None:
    fields: dict[str, object] = {"name": {}, "signup_url": {}}
    for id in (7, 12):
        found = examine(CALL, call(id, {**READ, "kwargs": {"specification": fields}}))
        assert found == BodyFinding(Outcome.REWRITTEN, call(id, {**READ, "kwargs": {"specification": {"name": {}}}}))
    assert len(examined) == 1


@pytest.mark.parametrize(
    ("question", "params", "outcome"),
    [
        (CALL, {"model": "res.users", "method": "write", "args": [[2], {"password": "x"}]}, Outcome.NOT_SHARED),
        (CALL, {"model": "res.partner", "method": "write", "args": [[2], {"email": "x"}]}, Outcome.DEPENDS),
        (LOOK, {"model": "res.partner", "method": "write", "args": [[2], {"name": "x"}]}, Outcome.VIEW_ONLY),
        (LOOK, {"model": "web_tour.tour", "method": "consume", "args": []}, Outcome.ANSWERED),
    ],
    ids=str,
)
def test_only_what_goes_on_is_remembered(question: Question, params: dict[str, Any], outcome: Outcome) -> None:
    for id in (7, 8):
        assert examine(question, call(id, params)) == question.answer(call(id, params))
        assert examine(question, call(id, params)).outcome is outcome
    assert not repeated_calls._KNOWN


@pytest.mark.parametrize(
    "question",
    [
        Question(Subject.LOOK, PATH),
        Question(Subject.LOOK, PATH, signed_in=True),
        Question(Subject.LOOK, "/web/dataset/call_button/res.partner/x_total", ("res.partner/name_create",)),
        Question(Subject.LOOK, "/web/action/load", ("res.partner/x_total",)),
    ],
    ids=str,
)
def test_what_passes_one_question_passes_no_other(question: Question) -> None:
    body = call(7, {**READ, "method": "x_total"})
    for passes in (Question(Subject.LOOK, PATH, ("res.partner/x_total",)), Question(Subject.CALL, PATH)):
        assert examine(passes, body).outcome is Outcome.PASSES
        assert repeated_calls._KNOWN
        assert examine(question, body) == question.answer(body)


@pytest.mark.parametrize(
    "id", ["00", "01", "-1", "1.0", "1e3", "1" * 16, "true", "null", '"1"', " 1", "1 ", "{}", "[]", "\u0661"]
)
def test_an_id_that_is_no_plain_number_is_read_each_time(id: str) -> None:
    examine(CALL, call(1, READ))
    body = call(1, READ).replace(b'"id":1', f'"id":{id}'.encode())
    assert examine(CALL, body) == CALL.answer(body)
    assert len(repeated_calls._KNOWN) == 1


def test_a_second_id_is_refused_each_time() -> None:
    """Of two names that are the same some readers take the first."""
    body = b'{"id":1,"jsonrpc":"2.0","id":2,"method":"call","params":{}}'
    for _ in range(2):
        assert examine(CALL, body).outcome is Outcome.UNREADABLE


def test_so_many_are_remembered_and_no_long_ones() -> None:
    for number in range(MOST + 10):
        examine(CALL, call(7, {**READ, "x": number}))
    assert len(repeated_calls._KNOWN) == MOST
    long = call(7, {**READ, "x": "x" * LONGEST})
    examine(CALL, long)
    assert not any(len(key[-1]) + len(key[1]) > LONGEST for key in repeated_calls._KNOWN)
    examine(Question(Subject.CALL, "/x" * LONGEST), call(7, READ))
    assert not any(len(key[1]) > LONGEST for key in repeated_calls._KNOWN)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["name", "signup_url", "password", "\\", '"', "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "email", "id", "access_token"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_PARAMS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["res.partner", "res.users", "web_tour.tour"]),
        "method": st.sampled_from(["web_search_read", "read", "write", "consume"]),
    },
    optional={"args": _VALUES, "kwargs": _VALUES, "x": _VALUES},
)
_MORE = st.sampled_from(["", "}", "1", '"id":2,', ',"id":2', " ", "\\"])


@given(
    st.sampled_from(ALL), _PARAMS, st.lists(st.integers(0, 10**16), min_size=2, max_size=4), st.integers(0, 80), _MORE
)
def test_what_is_remembered_is_what_would_be_found(
    question: Question, params: dict[str, Any], ids: list[int], place: int, more: str
) -> None:
    for id in ids:
        text = call(id, params)
        begin = text.index(b",")
        body = text[: begin + place] + more.encode() + text[begin + place :]
        assert examine(question, body) == question.answer(body)
