"""Whatever an environment says: what a visitor is told is read alike by all, and never taken for another answer."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hostile.fuzz import differences
from tests.hostile.fuzz.checks import check_answers, check_said
from tests.hostile.fuzz.conversation import answers, run
from tests.unit.gateway.playbook import request

from guestpass.domain.environment import Kind

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@settings(max_examples=100)
@given(st.randoms(use_true_random=False))
def test_answers_are_read_alike_by_everybody(chance: Random) -> None:
    check_answers(chance)


@settings(max_examples=300)
@given(st.integers(0, 1 << 64))
def test_more_of_them_are_too(seed: int) -> None:
    check_answers(Random(seed))


@pytest.mark.parametrize("kind", [Kind.WEB, Kind.ODOO])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(OK, id="counted"),
        pytest.param(OK.replace(b"200 OK", b"204 No Content"), id="204 with a body"),
        pytest.param(OK.replace(b"200 OK", b"304 Not Modified"), id="304 with a body"),
        pytest.param(OK + OK, id="a second one that nobody asked for"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + OK, id="103 with a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", id="chunked"),
    ],
)
def test_answers_of_known_lengths_go_on(said: bytes, method: bytes, kind: Kind) -> None:
    assert check_said(said, method=method, kind=kind) == 1
    assert check_said(said, tuple(range(1, 300)), method=method, kind=kind) == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param(b"Length: 5", b"Length: 4", id="a length"),
        pytest.param(b"Length: 5", b"Length: 55", id="a length that takes in the next answer"),
        pytest.param(b"hello", b"jello", id="a body"),
        pytest.param(b"200 OK", b"404 Not Found", id="a status"),
        pytest.param(b"helloHTTP", b"hello" + OK + b"HTTP", id="an answer that belongs to nobody"),
    ],
)
def test_a_gateway_that_told_something_else_would_be_found(right: bytes, wrong: bytes) -> None:
    answered = run(answers(request(b"GET / HTTP/1.1"), OK, (), ends=False))
    assert not differences.of_answers(OK, b"GET", answered, ends=False)
    assert right in answered.said
    answered.said = answered.said.replace(right, wrong, 1)
    assert differences.of_answers(OK, b"GET", answered, ends=False)


def test_a_gateway_that_sent_a_body_after_a_head_only_would_be_found() -> None:
    answered = run(answers(request(b"HEAD / HTTP/1.1"), OK, (), ends=False))
    assert not differences.of_answers(OK, b"HEAD", answered, ends=False)
    answered.said = answered.said.replace(b"\r\n\r\n", b"\r\n\r\nhello", 1)
    assert differences.of_answers(OK, b"HEAD", answered, ends=False)
