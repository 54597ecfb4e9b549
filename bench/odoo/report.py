"""Show what a request to an Odoo costs: a table for people, JSON for programs, and the documentation's table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.charts import draw_costs
from bench.odoo.loads import LOADS
from bench.odoo.ways import WAYS, base_of
from bench.plan import Results
from bench.report import Row, print_verdicts, rows, verdicts, wanted
from bench.targets import ODOO_TARGETS

_HEADINGS = ("way", "CPU µs", "x kind web", "x nginx", "requests/s", "samples")
_NGINX = "nginx"
CHART, SAMPLES = "bench-odoo.svg", "bench-odoo.json"


def print_report(console: Console, machine: Mapping[str, str | int], measured: Sequence[Row]) -> None:
    """The table."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("load", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading == "way" else "right", no_wrap=True)
    for load in LOADS.values():
        for cells in _cells(load.name, measured):
            table.add_row(load.title, *cells)
        table.add_section()
    console.print(table)
    print_verdicts(console, verdicts(measured, ODOO_TARGETS))
    console.print("x kind web, x nginx: how many times as much processor time as these; kind web of the same build.")
    if any(row.is_disturbed for row in measured):
        console.print("[yellow]![/]: something else used more than a tenth of a core meanwhile.", highlight=False)


def markdown(document: Mapping[str, Any]) -> str:
    """The same for the documentation."""
    measured = [Row(**row) for row in document["rows"]]
    machine, options = document["machine"], document["options"]
    quiet = (
        "**Other work went on meanwhile, so the ratios are rough and the rest proves nothing.**"
        if any(row.is_disturbed for row in measured)
        else "Nothing else used more than a tenth of a core."
    )
    versions = "".join(f", {way['title']} {way['version']}" for name, way in document["ways"].items() if name == _NGINX)
    when = (
        f"{machine['measured_at']}, {machine['cores']} cores of {machine['processor']}, Linux {machine['kernel']},"
        f" Python {machine['python']}{versions}. {options['rounds']} rounds of {options['seconds']} s. {quiet}"
    )
    found = verdicts(measured, ODOO_TARGETS)
    sections = [when, wanted(found)] if found else [when]
    sections += [f"![Bars: microseconds of processor time for a page and for a call, by way](figures/{CHART})"]
    for load in LOADS.values():
        title = f"{load.title} ({machine['processor']})"
        lines = [f"| {' | '.join([title, *_HEADINGS[1:]])} |", "|---|" + "---:|" * (len(_HEADINGS) - 1)]
        lines += [f"| {' | '.join(cells)} |" for cells in _cells(load.name, measured)]
        if len(lines) > 2:
            sections.append("\n".join(lines))
    return "\n\n".join([*sections, f"[Every sample](figures/{SAMPLES}), as JSON."])


def draw(document: Mapping[str, Any]) -> str:
    """A chart of what a page and a call cost on each way, as SVG."""
    groups: dict[str, dict[str, float]] = {}
    for row in (Row(**row) for row in document["rows"]):
        if row.load in ("page", "call"):
            groups.setdefault(LOADS[row.load].title, {})[WAYS[row.candidate].title] = row.cpu_us
    return draw_costs("Processor time of a request, µs", groups)


def document(
    machine: Mapping[str, str | int], options: Mapping[str, Any], versions: Mapping[str, str], results: Results
) -> dict[str, Any]:
    """Everything that was measured, for the JSON file."""
    return {
        "machine": dict(machine),
        "options": dict(options),
        "is_complete": results.is_complete,
        "ways": {name: {"title": WAYS[name].title, "version": version} for name, version in versions.items()},
        "rows": [dataclasses.asdict(row) for row in rows(results)],
        "samples": [
            dataclasses.asdict(sample) | {"counts": counts}
            for samples in results.cells.values()
            for counts, taken in ((True, samples.counting), (False, samples.thrown_away))
            for sample in taken
        ],
    }


def _cells(load: str, measured: Sequence[Row]) -> list[list[str]]:
    by_name = {row.candidate: row for row in measured if row.load == load}

    def times(row: Row, other: str) -> str:
        return "" if other not in by_name else f"{row.cpu_us / by_name[other].cpu_us:.2f}"

    return [
        [
            WAYS[name].title,
            f"{row.cpu_us:,.1f}",
            "" if name == _NGINX else times(row, base_of(name)),
            times(row, _NGINX),
            f"{'≥ ' if row.is_bound else ''}{row.requests_per_second:,.0f}",
            f"{'! ' if row.is_disturbed else ''}{row.samples}",
        ]
        for name, row in by_name.items()
    ]
