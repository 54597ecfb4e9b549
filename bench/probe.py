"""Prove that a candidate does its work before its speed counts: the right bodies, refusals, and heads upstream."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import httpx2

from bench.browser import Fields, Request
from bench.candidates import PASS_COOKIE, Candidate
from bench.processes import NotReady
from bench.upstream import COOKIES, SEEN_PATH, SIZES, Environment

_FORGED_FOR = "203.0.113.9"
_REFUSALS = frozenset({401, 403})


def probe(
    candidate: Candidate, requests: Sequence[Request], visited: Sequence[Environment], digests: Mapping[str, str]
) -> None:
    """Raise NotReady for the first thing that `candidate` does wrong.

    `requests` are the very requests that the load generator will send, `visited` the environments by visitor, and
    `digests` the SHA-256 of the bodies by size.
    """
    with httpx2.Client(base_url=candidate.origin, timeout=30) as client:
        for request in _one_of_each(requests):
            for size, digest in digests.items():
                answer = client.get(SIZES[size].path(request.place), headers=request.fields)
                right = answer.status_code == 200 and hashlib.sha256(answer.content).hexdigest() == digest
                _hold(candidate, right, f"answered {answer.status_code} or another body for {size}")
            # A pass is known wherever it stands, and an environment can't be chosen by who is asked for it.
            environment = visited[request.visitor] if candidate.authorises else visited[0]
            forged = [("X-Forwarded-For", _FORGED_FOR), ("X-Environment", visited[request.visitor - 1].name)]
            for fields in _turned(request.fields):
                _probe_head_upstream(candidate, client, [*fields, *forged], environment)
        if candidate.authorises:
            _probe_refusals(candidate, client, requests[0], next(iter(digests)))


def _one_of_each(requests: Sequence[Request]) -> list[Request]:
    """One request with each head, whatever it asks for."""
    return list({request.fields: request for request in requests}.values())


def _turned(fields: Fields) -> list[Fields]:
    """The same with each of the cookies first, and so with the pass in each position."""
    others = [field for field in fields if field[0] != "Cookie"]
    cookies = dict(fields)["Cookie"].split("; ")
    return [(*others, ("Cookie", "; ".join(cookies[first:] + cookies[:first]))) for first in range(len(cookies))]


def _probe_head_upstream(
    candidate: Candidate, client: httpx2.Client, fields: Sequence[tuple[str, str]], environment: Environment
) -> None:
    answer = client.get(SEEN_PATH, headers=list(fields))
    _hold(candidate, answer.status_code == 200, f"answered {answer.status_code} instead of what the upstream saw")
    seen = dict(line.split(": ", 1) for line in answer.text.splitlines())
    host = dict(fields)["Host"]
    forwarded_for = f"{_FORGED_FOR},127.0.0.1" if candidate.appends_forwarded_for else "127.0.0.1"
    expected = {
        "Port": str(environment.port),
        "Host": host,
        "X-Forwarded-For": forwarded_for,
        "X-Forwarded-Host": host,
        "X-Forwarded-Proto": "http",
    }
    for name, value in expected.items():
        _hold(candidate, seen.get(name) == value, f"told the upstream {name}: {seen.get(name)!r} instead of {value!r}")
    # A separator that is left over at the end hurts nobody.
    names = {cookie.partition("=")[0] for cookie in seen["Cookie"].split("; ") if cookie}
    allowed = set(COOKIES) if candidate.authorises else {*COOKIES, PASS_COOKIE}
    _hold(candidate, names == allowed, f"sent the cookies {sorted(names)} upstream instead of {sorted(allowed)}")


def _probe_refusals(candidate: Candidate, client: httpx2.Client, request: Request, size: str) -> None:
    without = [(name, value) for name, value in request.fields if name != "Cookie"]
    cookie = dict(request.fields)["Cookie"]
    position = cookie.index(f"{PASS_COOKIE}=") + len(PASS_COOKIE) + 1
    wrong = "2" if cookie[position] == "1" else "1"
    forged = cookie[:position] + wrong + cookie[position + 1 :]
    for what, headers in (("no pass", without), ("a forged pass", [*without, ("Cookie", forged)])):
        status = client.get(SIZES[size].path(request.place), headers=headers).status_code
        _hold(candidate, status in _REFUSALS, f"answered {status} to a request with {what}")


def _hold(candidate: Candidate, holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotReady(f"{candidate.title} is not measured, because it {otherwise}.")
