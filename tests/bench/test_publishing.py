"""The figures of the proxies in the documentation, made from the bench's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from bench.plan import Results, Samples
from bench.processes import NotReady
from bench.publishing import publish
from bench.report import document
from tests.bench.samples import sample

_BEGIN = "<!-- figures of the proxies: written by `python -m bench docs` -->"
_END = "<!-- end of the figures -->"
_MACHINE: dict[str, str | int] = {
    "processor": "EPYC",
    "cores": 2,
    "kernel": "6.1",
    "python": "3.11.7",
    "measured_at": "2026-11-24T17:00:00+00:00",
}
_OPTIONS = {"rounds": 5, "seconds": 5}


def _measured() -> dict[str, Any]:
    taken = [
        sample("nginx", cpu_us=20, rate=43_210, load_core=0.95),
        sample(cpu_us=40, rate=24_000),
        sample("nginx", "rate", rate=2_000, p99_us=1_000),
        sample("guestpass", "rate", rate=2_000, p99_us=1_750),
        sample("nginx", "one-worker", rate=20_000),
        sample("nginx", "two-workers", rate=39_000),
        sample("guestpass", "one-worker", rate=10_000),
        sample("guestpass", "two-workers", rate=16_500),
    ]
    results = Results({(each.candidate, each.load): Samples([each]) for each in taken})
    return document(_MACHINE, _OPTIONS, {"nginx": "1.26.3", "guestpass": "0.1"}, results)


def _page(folder: Path, text: str) -> Path:
    page = folder / "benchmarks.md"
    page.write_text(text)
    return page


def test_only_what_is_between_the_marks_is_written(tmp_path: Path) -> None:
    page = _page(tmp_path, f"# Benchmarks\n\nBefore.\n\n{_BEGIN}\n\nold figures\n\n{_END}\n\n## Sockets\n\nAfter.\n")
    publish(_measured(), page)
    text = page.read_text()
    assert text.startswith(f"# Benchmarks\n\nBefore.\n\n{_BEGIN}\n")
    assert text.endswith(f"{_END}\n\n## Sockets\n\nAfter.\n")
    assert "old figures" not in text
    publish(_measured(), page)
    assert page.read_text() == text


def test_the_documentation_has_a_place_for_the_figures(tmp_path: Path) -> None:
    documentation = Path(__file__).parents[2] / "docs" / "benchmarks.md"
    page = _page(tmp_path, documentation.read_text())
    publish(_measured(), page)
    assert page.read_text().startswith("# Benchmarks\n")


def test_the_page_tells_rates_ratios_and_what_was_reached(tmp_path: Path) -> None:
    page = _page(tmp_path, f"{_BEGIN}\n{_END}\n")
    publish(_measured(), page)
    text = page.read_text()
    assert "| nginx plain | ≥ 43,210 | 20.0 | 1.00 | 100 | 95% |" in text
    assert "| Guestpass | 24,000 | 40.0 | 0.50 | 100 | 50% |" in text
    assert "| 1 KB per core, x nginx plain | 0.45 | 0.6 | 0.50 | 0.56 | at least is reached |" in text
    assert "| p99 at 2,000 requests/s, x nginx plain | ≤ 2 | ≤ 1.5 | 1.75 |  | at least is reached |" in text
    assert "| two workers on two cores, x one on one | 1.7 | 1.7 | 1.65 |  | **missed** |" in text
    assert "| nginx plain | 20,000 | 39,000 | 1.95 |" in text
    assert "nginx plain 1.26.3, Guestpass 0.1." in text


def test_charts_are_pictures_that_name_who_is_compared(tmp_path: Path) -> None:
    page = _page(tmp_path, f"{_BEGIN}\n{_END}\n")
    written = publish(_measured(), page)
    charts = [file for file in written if file.suffix == ".svg"]
    assert {chart.name for chart in charts} == {"bench-1k.svg", "bench-latency.svg"}
    for chart in charts:
        assert f"](figures/{chart.name})" in page.read_text()
        svg = ET.parse(chart).getroot()
        words = " ".join(svg.itertext())
        assert "nginx plain" in words
        assert "Guestpass" in words
        assert "prefers-color-scheme:dark" in words.replace(" ", "")
        assert not [each for each in svg.iter() if each.tag.endswith("script")]


def test_figures_that_prove_nothing_say_so(tmp_path: Path) -> None:
    page = _page(tmp_path, f"{_BEGIN}\n{_END}\n")
    results = Results({("nginx", "1k"): Samples([sample("nginx", others=0.3)])})
    publish(document(_MACHINE, _OPTIONS, {"nginx": "1.26.3"}, results), page)
    assert "these figures prove nothing" in page.read_text()


@pytest.mark.parametrize("text", ["nothing\n", f"{_BEGIN}\n", f"{_END}\n{_BEGIN}\n", f"{_BEGIN}{_END}{_BEGIN}{_END}"])
def test_a_page_without_its_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    page = _page(tmp_path, text)
    with pytest.raises(NotReady, match=r"benchmarks\.md must have one line"):
        publish(_measured(), page)
    assert page.read_text() == text


def test_half_a_measurement_is_not_published(tmp_path: Path) -> None:
    page = _page(tmp_path, f"{_BEGIN}\n{_END}\n")
    with pytest.raises(NotReady, match="Measure again"):
        publish(_measured() | {"is_complete": False}, page)
