"""Whatever a client sends: what goes on to an environment is read alike by everybody, and as it was meant."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hostile.fuzz import differences
from tests.hostile.fuzz.checks import check_requests, check_sent
from tests.hostile.fuzz.conversation import requests, run
from tests.unit.gateway.playbook import request

from guestpass.domain.environment import Kind

PIPELINE = request(b"POST /a HTTP/1.1", b"Content-Length: 3", body=b"abc") + request(b"GET /b HTTP/1.1")
CHUNKED = request(b"POST /a HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n")


@settings(max_examples=100)
@given(st.randoms(use_true_random=False))
def test_requests_are_read_alike_by_everybody(chance: Random) -> None:
    check_requests(chance)


@settings(max_examples=300)
@given(st.integers(0, 1 << 64))
def test_more_of_them_are_too(seed: int) -> None:
    check_requests(Random(seed))


@pytest.mark.parametrize("kind", [Kind.WEB, Kind.ODOO])
def test_right_requests_go_on(kind: Kind) -> None:
    assert check_sent(PIPELINE, kind=kind) == 2
    assert check_sent(CHUNKED + PIPELINE, tuple(range(4000)), kind=kind) == 3


def test_more_zeros_before_a_size_than_h11_takes_are_no_difference() -> None:
    assert check_sent(CHUNKED.replace(b"\r\n3\r\n", b"\r\n" + b"0" * 30 + b"3\r\n")) == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param(b"Content-Length: 3", b"Content-Length: 2", id="a length"),
        pytest.param(b"Content-Length: 3", b"Content-Length: 99", id="a length that takes in the next request"),
        pytest.param(b"Content-Length: 3", b"X: 3", id="no length"),
        pytest.param(b"GET /b", b"GET /c", id="a target"),
        pytest.param(b"GET /b", b"PUT /b", id="a method"),
        pytest.param(b"Host: share", b"Host: other", id="a Host"),
        pytest.param(b"abcGET", b"abdGET", id="a body"),
        pytest.param(b"abcGET", b"abc\r\n\r\n\x00GET", id="junk between two"),
    ],
)
def test_a_gateway_that_sent_on_something_else_would_be_found(right: bytes, wrong: bytes) -> None:
    heard = run(requests(PIPELINE, ()))
    assert not differences.of_requests(PIPELINE, heard)
    [sent] = heard.upstream
    assert right in sent
    heard.upstream = [sent.replace(right, wrong)]
    assert differences.of_requests(PIPELINE, heard)


def test_a_gateway_that_read_a_body_as_a_request_would_be_found() -> None:
    heard = run(requests(PIPELINE, ()))
    assert differences.of_requests(PIPELINE.replace(b"Content-Length: 3", b"Content-Length: 999"), heard)
