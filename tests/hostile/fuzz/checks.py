"""One example of each kind, made by chance: the tests, the campaign and the guided campaign all run these."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.hostile.fuzz import differences
from tests.hostile.fuzz.conversation import answers, requests, run
from tests.hostile.fuzz.grammar import answer_streams, cuts, request_streams
from tests.unit.gateway.playbook import request

from guestpass.domain.environment import Kind

_KINDS: Final = (Kind.WEB, Kind.WEB, Kind.ODOO)


def check_requests(chance: Random) -> int:
    """Send what a hostile client might; returns how many requests went on. Raises AssertionError for a difference."""
    kind = chance.choice(_KINDS)
    return check_sent(request_streams(chance), cuts(chance), early=chance.random() < 0.3, kind=kind)


def check_sent(data: bytes, at: tuple[int, ...] = (), *, early: bool = False, kind: Kind = Kind.WEB) -> int:
    """The same for given bytes."""
    heard = run(requests(data, at, early=early, kind=kind))
    found = differences.of_requests(data, heard, kind)
    assert not found, differences.told(found, data, repr((at, early, kind)).encode(), *heard.upstream)
    return sum(each.exchange is not None for each in heard.accepted)


def check_answers(chance: Random) -> int:
    """Let a hostile environment answer; returns whether that went on to the visitor. Raises AssertionError."""
    kind = chance.choice(_KINDS)
    method = chance.choice((b"GET", b"GET", b"HEAD", b"POST"))
    version = chance.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"))
    ends = chance.random() < 0.5
    return check_said(answer_streams(chance), cuts(chance), method=method, version=version, ends=ends, kind=kind)


def check_said(
    said: bytes,
    at: tuple[int, ...] = (),
    *,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    ends: bool = False,
    kind: Kind = Kind.WEB,
) -> int:
    """The same for given bytes."""
    answered = run(answers(request(b"%b / %b" % (method, version)), said, at, ends=ends, kind=kind))
    found = differences.of_answers(said, method, answered, ends=ends)
    assert not found, differences.told(found, said, repr((at, method, version, ends, kind)).encode(), answered.said)
    return int(not answered.said.startswith(b"HTTP/1.1 502"))
