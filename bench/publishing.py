"""Put the figures into the documentation: tables and charts, made from the JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import odoo
from bench.charts import draw_charts
from bench.load import LOADS, RATE
from bench.processes import NotReady
from bench.report import Row, verdicts, wanted
from bench.workers import ONE, TWO

_BEGIN, _END = "<!-- figures of the proxies: written by `python -m bench docs` -->", "<!-- end of the figures -->"
_ODOO_BEGIN = "<!-- figures of kind odoo: written by `python -m bench docs` -->"
_ODOO_END = "<!-- end of the figures of kind odoo -->"
_GUESTPASS = "guestpass"


def publish(document: Mapping[str, Any], page: Path) -> list[Path]:
    """Write what was measured between the two marks in `page`, and the charts beside it; returns the files written.

    Raises NotReady where the page has no marks, or where not everything was measured.
    """
    _hold_complete(document)
    measured = [Row(**row) for row in document["rows"]]
    titles = {name: candidate["title"] for name, candidate in document["candidates"].items()}
    charts = draw_charts(measured, titles)
    _write_between(page, _BEGIN, _END, "\n\n".join(_sections(document, measured, titles, charts)))
    return [page, *_write_figures(page, document, charts, "bench.json")]


def publish_odoo(document: Mapping[str, Any], page: Path) -> list[Path]:
    """The same for what a request to an Odoo costs."""
    _hold_complete(document)
    _write_between(page, _ODOO_BEGIN, _ODOO_END, odoo.markdown(document))
    return [page, *_write_figures(page, document, {odoo.CHART: odoo.draw(document)}, odoo.SAMPLES)]


def _write_figures(page: Path, document: Mapping[str, Any], charts: Mapping[str, str], samples: str) -> list[Path]:
    figures = page.parent / "figures"
    figures.mkdir(exist_ok=True)
    written = []
    for name, content in {**charts, samples: json.dumps(document, indent=1) + "\n"}.items():
        (figures / name).write_text(content)
        written.append(figures / name)
    return written


def _hold_complete(document: Mapping[str, Any]) -> None:
    if not document["is_complete"]:
        raise NotReady("Patience ended before everything was measured. Measure again, when the machine is quiet.")


def _write_between(page: Path, begin: str, end: str, body: str) -> None:
    text = page.read_text()
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise NotReady(f"{page} must have one line {begin} and, below it, one line {end}.")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n\n{body}\n\n{end}{after}")


def _sections(
    document: Mapping[str, Any], measured: Sequence[Row], titles: Mapping[str, str], charts: Mapping[str, str]
) -> list[str]:
    found = verdicts(measured)
    on = f"({document['machine']['processor']})"
    sections = [
        _when(document, measured),
        f"### What is wanted, and what was reached {on}",
        wanted(found),
        f"### What a core does {on}",
        _picture(charts, "bench-1k.svg", "Bars: requests of 1 KB that a second of one core is enough for, by proxy"),
        _picture(charts, "bench-bodies.svg", "Bars: gigabytes that a second of one core is enough for, by proxy"),
        *(_work(load.title, [row for row in measured if row.load == load.name], titles) for load in _full_speed()),
        f"### At {RATE:,} requests a second {on}",
        _picture(charts, "bench-latency.svg", "Bars: milliseconds until half, and 99 of 100, answers are there"),
        _latency([row for row in measured if row.load == "rate"], titles),
        f"### Guestpass in units of the others {on}",
        _ratios(measured, titles),
        f"### Two workers {on}",
        _workers(measured, titles),
        "[Every sample](figures/bench.json), as JSON.",
    ]
    return [section for section in sections if section]


def _full_speed() -> list[Any]:
    return [load for load in LOADS.values() if load.rate is None]


def _when(document: Mapping[str, Any], measured: Sequence[Row]) -> str:
    machine, options = document["machine"], document["options"]
    versions = ", ".join(
        f"{candidate['title']} {candidate['version']}" for candidate in document["candidates"].values()
    )
    thrown = sum(row.thrown_away for row in measured)
    quiet = (
        "**Other work went on meanwhile, so these figures prove nothing.**"
        if any(row.is_disturbed for row in measured)
        else f"Nothing else used more than a tenth of a core; {thrown} samples in which something did were thrown away."
    )
    return (
        f"{machine['measured_at']}, {machine['cores']} cores of {machine['processor']}, Linux {machine['kernel']},"
        f" Python {machine['python']}. {options['rounds']} rounds of {options['seconds']} s. {quiet}\n\n{versions}."
    )


def _work(title: str, measured: Sequence[Row], titles: Mapping[str, str]) -> str:
    if not measured:
        return ""
    lines = [
        f"| {title} | requests/s | CPU µs a request | per core, x nginx plain | PSS MiB | load's core |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {titles[row.candidate]} | {'≥ ' if row.is_bound else ''}{row.requests_per_second:,.0f} | {row.cpu_us:,.1f}"
        f" | {_number(row.ratio)} | {row.memory_bytes / 2**20:.0f} | {row.load_core:.0%} |"
        for row in measured
    ]
    return "\n".join(lines)


def _latency(measured: Sequence[Row], titles: Mapping[str, str]) -> str:
    lines = ["| proxy | p50 ms | p99 ms | of its core |", "|---|---:|---:|---:|"]
    for row in measured:
        busy = row.requests_per_second * row.cpu_us / 1e6
        times = f"{row.p50_us / 1000:.2f} | {row.p99_us / 1000:.2f}"
        if not row.keeps_up:
            times = f"only {row.requests_per_second:,.0f}/s | "
        lines.append(f"| {titles[row.candidate]} | {times} | {busy:.0%} |")
    return "\n".join(lines) if measured else ""


def _ratios(measured: Sequence[Row], titles: Mapping[str, str]) -> str:
    by_name = {(row.candidate, row.load): row for row in measured}
    loads = [load for load in _full_speed() if (_GUESTPASS, load.name) in by_name]
    if not loads:
        return ""
    lines = [f"| per core, x | {' | '.join(load.title for load in loads)} |", "|---|" + "---:|" * len(loads)]
    for name, title in titles.items():
        if name == _GUESTPASS:
            continue
        ratios = [
            _number(by_name[_GUESTPASS, load.name].per_core / other.per_core)
            if (other := by_name.get((name, load.name))) is not None
            else ""
            for load in loads
        ]
        lines.append(f"| {title} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def _workers(measured: Sequence[Row], titles: Mapping[str, str]) -> str:
    by_name = {(row.candidate, row.load): row for row in measured}
    lines = [
        "| 1 KB, load beside it | 1 worker: requests/s | 2 workers: requests/s | x | CPU µs with 1 | CPU µs with 2 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, title in titles.items():
        one, two = by_name.get((name, ONE)), by_name.get((name, TWO))
        if one is not None and two is not None:
            lines.append(
                f"| {title} | {one.requests_per_second:,.0f} | {two.requests_per_second:,.0f}"
                f" | {two.requests_per_second / one.requests_per_second:.2f} | {one.cpu_us:.1f} | {two.cpu_us:.1f} |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def _picture(charts: Mapping[str, str], name: str, words: str) -> str:
    return f"![{words}](figures/{name})" if name in charts else ""


def _number(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
