from __future__ import annotations

import json
from typing import Any

import pytest

from guestpass.odoo.fairness.examinations import (
    BodyFinding,
    Outcome,
    Question,
    Subject,
    read_finding,
    read_question,
    write_finding,
    write_question,
)
from guestpass.odoo.signed_in.rules import NOT_FOR_VISITORS

CALL_KW = "/web/dataset/call_kw"
CREDENTIALS = {"model": "res.users", "method": "write", "args": [[2], {"password": "x"}], "kwargs": {}}
HARMLESS = {"model": "res.partner", "method": "write", "args": [[3], {"name": "x"}], "kwargs": {}}
READING = {"model": "res.partner", "method": "web_search_read", "args": [], "kwargs": {"domain": []}}


def call(**params: Any) -> bytes:
    return json.dumps({"id": 3, "jsonrpc": "2.0", "method": "call", "params": params}).encode()


def test_the_call_of_somebody_who_is_signed_in_passes_unless_it_takes_credentials() -> None:
    question = Question(Subject.CALL)
    assert question.answer(call(**HARMLESS)) == BodyFinding(Outcome.PASSES)
    assert question.answer(call(**CREDENTIALS)) == BodyFinding(Outcome.NOT_SHARED, text=NOT_FOR_VISITORS)
    assert question.answer(b"[1").outcome is Outcome.UNREADABLE


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_look_is_let_through_as_it_is_written_anew(*, signed_in: bool) -> None:
    question = Question(Subject.LOOK, CALL_KW, signed_in=signed_in)
    body = call(**READING)
    found = question.answer(b" " + body + b" ")
    assert found.outcome is Outcome.REWRITTEN
    assert json.loads(found.body) == json.loads(body)
    assert len(found.body) <= len(body)


def test_a_look_that_would_write_is_refused_by_model_and_method_unless_it_is_allowed() -> None:
    found = Question(Subject.LOOK, CALL_KW).answer(call(**HARMLESS))
    assert (found.outcome, found.model, found.method) == (Outcome.VIEW_ONLY, "res.partner", "write")
    assert found.text
    own = {"model": "sale.order", "method": "preview", "args": [[1]], "kwargs": {}}
    assert Question(Subject.LOOK, CALL_KW).answer(call(**own)).outcome is Outcome.VIEW_ONLY
    allowed = Question(Subject.LOOK, CALL_KW, allowed=("sale.order/preview",)).answer(call(**own))
    assert allowed.outcome is Outcome.REWRITTEN


def test_a_call_to_jsonrpc_that_is_for_administrators_is_not_shared() -> None:
    question = Question(Subject.JSONRPC, "/jsonrpc")
    harmless = call(service="common", method="version", args=[])
    assert question.answer(harmless) == BodyFinding(Outcome.PASSES)
    found = question.answer(call(service="db", method="drop", args=["master", "production"]))
    assert found.outcome is Outcome.NOT_SHARED
    assert found.text


def test_a_form_chooses_no_database() -> None:
    question = Question(Subject.FORM, database="staging")
    assert question.answer(b"login=demo&password=demo") == BodyFinding(Outcome.PASSES)
    assert question.answer(b"login=demo&db=staging") == BodyFinding(Outcome.PASSES)
    found = question.answer(b"login=demo&db=production")
    assert found.outcome is Outcome.REWRITTEN
    assert b"production" not in found.body
    assert b"login=demo" in found.body


@pytest.mark.parametrize("subject", Subject)
def test_a_question_goes_through_a_pipe(subject: Subject) -> None:
    question = Question(subject, "/p\u00e4th", ("a/b", "c/d"), signed_in=True, database="staging")
    line = write_question(question, 42)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert read_question(line) == (question, 42)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_finding_goes_through_a_pipe_with_its_body_behind_it(outcome: Outcome) -> None:
    finding = BodyFinding(outcome, b"\x00body\n", "te\u00e4xt", "res.partner", "write")
    line, _, body = write_finding(finding).partition(b"\n")
    read, size = read_finding(line)
    assert (read, body, size) == (BodyFinding(outcome, b"", finding.text, "res.partner", "write"), finding.body, 6)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b'{"body": 3}', b'{"body": 3, "outcome": "passed"}', b'{"body":0,"outcome":"passes","x":1}'],
)
def test_what_is_no_finding_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_finding(line)
