"""What the bench asks of a proxy before its speed counts; speeds are no test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench.browser import browser_requests
from bench.candidates import Candidate, Guestpass, NginxAuthRequest, NginxPlain
from bench.machine import Cores
from bench.probe import probe
from bench.processes import NotReady
from bench.upstream import SIZES, Upstream

_ANY = tuple(sorted(os.sched_getaffinity(0)))


def _probe(kind: type[Candidate], folder: Path, *, visitors: int = 2) -> None:
    cores = Cores(_ANY, _ANY)
    upstream = Upstream([SIZES["1k"], SIZES["100k"]], folder=folder, cores=cores, environments=3)
    with (
        upstream.server,
        kind(folder=folder, cores=cores, environments=upstream.environments) as candidate,
    ):
        visited = upstream.environments[:visitors]
        jars = [candidate.visit(environment) for environment in visited]
        probe(candidate, browser_requests(candidate.origin, jars), visited, upstream.digests)


@pytest.mark.parametrize("kind", [NginxPlain, NginxAuthRequest, Guestpass])
def test_what_does_its_work_is_measured(kind: type[Candidate], tmp_path: Path) -> None:
    _probe(kind, tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("proxy_pass http://$environment;", "proxy_pass http://environment-000;", "told the upstream Port"),
        ("proxy_set_header Cookie $cookie_upstream;", "", "sent the cookies .*guestpass"),
        ("For $remote_addr;", "For $proxy_add_x_forwarded_for;", "told the upstream X-Forwarded-For: '203.0.113.9"),
        ("proxy_set_header X-Forwarded-Proto $scheme;", "", "told the upstream X-Forwarded-Proto"),
        ("Host $http_host;", "Host $host;", "told the upstream Host"),
        ("$before$after", "$after", r"sent the cookies \[.*\] upstream instead of"),
    ],
)
def test_what_errs_is_not_measured(right: str, wrong: str, complaint: str, tmp_path: Path) -> None:
    class Wrong(NginxAuthRequest):
        def render(self, template: str, **values: object) -> str:
            configuration = super().render(template, **values)
            assert right in configuration
            return configuration.replace(right, wrong)

    with pytest.raises(NotReady, match=complaint):
        _probe(Wrong, tmp_path)


def test_what_lets_everybody_in_is_not_measured(tmp_path: Path) -> None:
    class Open(NginxAuthRequest):
        def render(self, template: str, **values: object) -> str:
            configuration = super().render(template, **values)
            asking = "auth_request /-/auth;\n    auth_request_set $environment $upstream_http_x_environment;"
            for line in asking.split("\n"):
                configuration = configuration.replace(line.strip(), "")
            return configuration.replace("http://$environment", "http://environment-000")

    with pytest.raises(NotReady, match=r"nginx auth_request is not measured, because it answered 200 .* with no pass"):
        _probe(Open, tmp_path, visitors=1)
