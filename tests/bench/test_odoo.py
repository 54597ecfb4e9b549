"""What is proved of a way to an Odoo before its cost counts, and what the table compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.browser import browser_requests
from bench.candidates import Candidate, Guestpass
from bench.machine import Cores
from bench.odoo.loads import LOADS, Ask, asks
from bench.odoo.report import document
from bench.odoo.upstream import LINK, VISITOR, OdooUpstream
from bench.odoo.ways import WAYS, NginxOdoo
from bench.plan import Results, Samples
from bench.processes import NotReady
from bench.publishing import publish_odoo
from bench.report import rows, verdicts
from bench.targets import ODOO_TARGETS
from tests.bench.samples import sample

_CORES = Cores((0,), (0,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def odoo(folder: Path) -> Iterator[OdooUpstream]:
    upstream = OdooUpstream(folder=folder, cores=_CORES, environments=2)
    with upstream.server:
        yield upstream


@pytest.fixture(scope="module")
def through_odoo(folder: Path, odoo: OdooUpstream) -> Iterator[Candidate]:
    """One Guestpass for all kinds of links to an Odoo."""
    with WAYS["odoo"](folder=folder, cores=_CORES, environments=odoo.environments) as way:
        yield way


def _asks(way: Candidate, odoo: OdooUpstream) -> dict[str, list[Ask]]:
    return asks(way, odoo, browser_requests(way.origin, [way.visit(each) for each in odoo.environments]))


def test_nginx_is_measured_with_each_load(odoo: OdooUpstream, tmp_path: Path) -> None:
    with NginxOdoo(folder=tmp_path, cores=_CORES, environments=odoo.environments) as way:
        assert set(_asks(way, odoo)) == set(LOADS)


@pytest.mark.parametrize("name", ["odoo", "signed_in", "view_only"])
def test_each_kind_of_link_is_measured_with_each_load(
    name: str, odoo: OdooUpstream, through_odoo: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = WAYS[name]
    assert issubclass(link, Guestpass)
    monkeypatch.setattr(through_odoo, "name", name)
    monkeypatch.setattr(through_odoo, "link_fields", link.link_fields)
    made = _asks(through_odoo, odoo)
    assert set(made) == set(LOADS)
    assert all("If-None-Match" in dict(ask.fields) for ask in made["unchanged"])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("signed_in", f"answers page with another body: .*{VISITOR}"),
        ("view_only", "let a view-only visitor write"),
    ],
)
def test_a_link_that_is_not_what_it_is_called_is_not_measured(
    name: str,
    complaint: str,
    odoo: OdooUpstream,
    through_odoo: Candidate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(through_odoo, "name", name)
    with pytest.raises(NotReady, match=complaint):
        _asks(through_odoo, odoo)


def test_a_cache_that_keeps_nothing_is_not_measured(odoo: OdooUpstream, tmp_path: Path) -> None:
    class Forgetful(NginxOdoo):
        def render(self, template: str, **values: object) -> str:
            return super().render(template, **values).replace("proxy_cache assets;", "")

    with (
        Forgetful(folder=tmp_path, cores=_CORES, environments=odoo.environments) as way,
        pytest.raises(NotReady, match=r"asked Odoo \d+ times for bundle, which it should have kept"),
    ):
        _asks(way, odoo)


def test_bodies_are_as_long_as_they_are_called(odoo: OdooUpstream) -> None:
    assert len(odoo.page(LINK)) == len(odoo.page(VISITOR)) == len(odoo.call(VISITOR)) == 1024
    assert len(odoo.bundle) == 100 * 1024


def test_a_call_with_another_number_is_as_long_as_its_head_says() -> None:
    body = LOADS["call"].body
    before, after = Ask("/", (("Content-Length", str(len(body))),), body).parts
    head, _, begun = before.partition("\r\n\r\n")
    assert f"Content-Length: {len(begun) + len('1000001') + len(after)}" in head


def test_each_build_is_compared_with_kind_web_of_the_same_build(tmp_path: Path) -> None:
    costs = {"nginx": 20.0, "web": 40.0, "odoo": 60.0, "web_compiled": 25.0, "odoo_compiled": 50.0}
    results = Results(
        {(name, "call"): Samples([sample(name, "call", cpu_us=cost, rate=9_000)]) for name, cost in costs.items()}
    )
    machine: dict[str, str | int] = {
        "processor": "EPYC",
        "cores": 2,
        "kernel": "6.1",
        "python": "3.13",
        "measured_at": "now",
    }
    measured = document(machine, {"rounds": 1, "seconds": 1}, {"nginx": "1.26.3"}, results)
    page = tmp_path / "benchmarks.md"
    page.write_text((Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text())
    written = publish_odoo(measured, page)
    text = page.read_text()
    assert "| nginx as in Odoo's docs | 20.0 |  | 1.00 | 9,000 | 1 |" in text
    assert "| kind odoo | 60.0 | 1.50 | 3.00 | 9,000 | 1 |" in text
    assert "| kind odoo, compiled | 50.0 | 2.00 | 2.50 | 9,000 | 1 |" in text
    assert "2 cores of EPYC" in text
    assert "| kind odoo: call, x kind web | ≤ 1.8 | ≤ 1.5 | 1.50 |  | wanted is reached |" in text
    assert "| compiled: kind odoo, call per core, x nginx | 0.4 | 0.4 | 0.40 | 1.00 | wanted is reached |" in text
    assert all(f"](figures/{file.name})" in text for file in written[1:])
    assert {file.suffix for file in written[1:]} == {".svg", ".json"}


@pytest.mark.parametrize(("cpu_us", "word"), [(60.0, "reached"), (70.0, "at least"), (73.0, "missed")])
def test_what_a_call_costs_beside_kind_web_is_judged(cpu_us: float, word: str) -> None:
    measured = Results(
        {
            ("web", "call"): Samples([sample("web", "call", cpu_us=40.0)]),
            ("odoo", "call"): Samples([sample("odoo", "call", cpu_us=cpu_us)]),
        }
    )
    (found,) = verdicts(rows(measured), ODOO_TARGETS)
    assert found.reached == pytest.approx(cpu_us / 40.0)
    assert found.word == word
    assert found.target.bounds == "at most 1.8, wanted 1.5"
