"""Show which promises are kept: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.changes.report import percentile

REFUSED = "refused"
CUT = "cut"
BUS = "bus closed"
# Milliseconds, at the 99th percentile.
_AT_MOST = {REFUSED: 50.0, CUT: 100.0, BUS: 1000.0}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was reached and what is promised, in milliseconds."""

    what: str
    reached: float
    at_most: float

    @property
    def word(self) -> str:
        """Whether the promise is kept."""
        return "kept" if self.reached <= self.at_most else "broken"


@dataclass(slots=True)
class Results:
    """By what ended a link, and by what was waited for: milliseconds, of each worker in each round."""

    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, how: str, awaited: str, milliseconds: float) -> None:
        """Add one; what was there before it was promised counts as at once."""
        self.samples.setdefault((how, awaited), []).append(max(milliseconds, 0.0))

    @property
    def verdicts(self) -> list[Verdict]:
        """What was reached, for each way in which a link ended."""
        return [
            Verdict(f"{how}: {awaited}", percentile(values, 99), _AT_MOST[awaited])
            for (how, awaited), values in self.samples.items()
        ]


def print_report(console: Console, machine: Mapping[str, str | int], results: Results) -> None:
    """The table, and what is promised."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("ms", no_wrap=True)
    for heading in ("p50", "p99", "most", "promised", "samples"):
        table.add_column(heading, justify="right", no_wrap=True)
    for ((how, awaited), values), verdict in zip(results.samples.items(), results.verdicts, strict=True):
        cells = [f"{figure:.1f}" for figure in (percentile(values, 50), verdict.reached, max(values))]
        table.add_row(f"{how}: {awaited}", *cells, f"{_AT_MOST[awaited]:.0f}", str(len(values)))
    console.print(table)
    for verdict in results.verdicts:
        colour = {"kept": "green", "broken": "red"}[verdict.word]
        figures = f"{verdict.reached:.1f} ms p99, at most {verdict.at_most:.0f}"
        console.print(f"[{colour}]{verdict.word:6}[/] {figures} ({verdict.what})", highlight=False)


def document(machine: Mapping[str, str | int], options: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Everything that was measured, for the JSON file."""
    return {
        "machine": dict(machine),
        "options": dict(options),
        "rows": [{"how": how, "awaited": awaited, "ms": values} for (how, awaited), values in results.samples.items()],
        "verdicts": [asdict(each) | {"word": each.word} for each in results.verdicts],
    }
