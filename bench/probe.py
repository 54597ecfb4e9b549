"""Prove that a candidate does its work before its speed counts: the right bodies, refusals, and heads upstream."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import httpx2

from bench.browser import Fields
from bench.candidates import PASS_COOKIE, Candidate
from bench.processes import NotReady
from bench.upstream import COOKIES, SEEN_PATH, SIZES

_FORGED = ("X-Forwarded-For", "203.0.113.9")
_REFUSALS = frozenset({401, 403})


def probe(candidate: Candidate, requests: Sequence[Fields], digests: Mapping[str, str]) -> None:
    """Raise NotReady for the first thing that `candidate` does wrong.

    `requests` are the very requests that the load generator will send, `digests` the SHA-256 of the bodies.
    """
    with httpx2.Client(base_url=candidate.origin, timeout=30) as client:
        for fields in requests:
            for size, digest in digests.items():
                answer = client.get(SIZES[size].path, headers=fields)
                right = answer.status_code == 200 and hashlib.sha256(answer.content).hexdigest() == digest
                _hold(candidate, right, f"answered {answer.status_code} or another body for {size}")
            _probe_head_upstream(candidate, client, fields)
        if candidate.authorises:
            _probe_refusals(candidate, client, requests[0], next(iter(digests)))


def _probe_head_upstream(candidate: Candidate, client: httpx2.Client, fields: Fields) -> None:
    answer = client.get(SEEN_PATH, headers=[*fields, _FORGED])
    seen = dict(line.split(": ", 1) for line in answer.text.splitlines())
    host = dict(fields)["Host"]
    expected = {"Host": host, "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": host, "X-Forwarded-Proto": "http"}
    for name, value in expected.items():
        _hold(candidate, seen.get(name) == value, f"told the upstream {name}: {seen.get(name)!r} instead of {value!r}")
    names = {cookie.partition("=")[0] for cookie in seen["Cookie"].split("; ")}
    allowed = set(COOKIES) if candidate.authorises else {*COOKIES, PASS_COOKIE}
    _hold(candidate, names == allowed, f"sent the cookies {sorted(names)} upstream instead of {sorted(allowed)}")


def _probe_refusals(candidate: Candidate, client: httpx2.Client, fields: Fields, size: str) -> None:
    without = [(name, value) for name, value in fields if name != "Cookie"]
    cookie = dict(fields)["Cookie"]
    position = cookie.index(f"{PASS_COOKIE}=") + len(PASS_COOKIE) + 1
    wrong = "2" if cookie[position] == "1" else "1"
    forged = cookie[:position] + wrong + cookie[position + 1 :]
    for what, headers in (("no pass", without), ("a forged pass", [*without, ("Cookie", forged)])):
        status = client.get(SIZES[size].path, headers=headers).status_code
        _hold(candidate, status in _REFUSALS, f"answered {status} to a request with {what}")


def _hold(candidate: Candidate, holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotReady(f"{candidate.title} is not measured, because it {otherwise}.")
