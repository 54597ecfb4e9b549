"""Show how soon changes were seen: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

SQLITE = "SQLite"
POSTGRES = "PostgreSQL"
OWN = "the worker that was told"
WORKER = "another worker of the machine"
MACHINE = "another machine"

# What Guestpass is held to, in milliseconds at the 99th percentile, what is wanted and what it must not exceed: until a
# change is seen, and from then on until what is open is cut.
_ON_A_MACHINE = 20, 50
_ELSEWHERE = 100, 250
_UNTIL_CLOSED = 100, 100


@dataclass(frozen=True, slots=True)
class Seen:
    """When, in seconds since 1970, a worker refused a link first, and when it cut the WebSocket."""

    refused_at: float
    closed_at: float


def after(changed_at: float, seen: Seen) -> tuple[float, float]:
    """The same in milliseconds after the change."""
    return 1000 * (seen.refused_at - changed_at), 1000 * (seen.closed_at - changed_at)


@dataclass(slots=True)
class Results:
    """By database and place: milliseconds from the change to the first refusal, and to the end of the WebSocket."""

    refused: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    closed: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, database: str, seen: Mapping[str, tuple[float, float]]) -> None:
        """Add one round."""
        for place, (refused, closed) in seen.items():
            self.refused.setdefault((database, place), []).append(refused)
            self.closed.setdefault((database, place), []).append(closed)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was reached, what is wanted and what it must not exceed, in milliseconds."""

    what: str
    reached: float
    wanted: float
    at_most: float

    @property
    def word(self) -> str:
        """How the three stand to each other."""
        return "reached" if self.reached <= self.wanted else "enough" if self.reached <= self.at_most else "missed"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of them don't exceed (nearest rank)."""
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1]


def verdicts(results: Results) -> list[Verdict]:
    """What was reached, for each place."""
    found = []
    for (database, place), refused in results.refused.items():
        seen = _ELSEWHERE if place == MACHINE else _ON_A_MACHINE
        found.append(Verdict(f"{database}, {place}: seen", percentile(refused, 99), *seen))
        # What is open may be cut before the next request is refused.
        later = [max(end - start, 0) for start, end in zip(refused, results.closed[database, place], strict=True)]
        found.append(Verdict(f"{database}, {place}: cut after that", percentile(later, 99), *_UNTIL_CLOSED))
    return found


def print_report(console: Console, machine: Mapping[str, str | int], results: Results) -> None:
    """The table, and what is wanted."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("ms after the change", no_wrap=True)
    for heading in ("refused p50", "p99", "most", "cut p50", "p99", "most", "rounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (database, place), refused in results.refused.items():
        closed = results.closed[database, place]
        figures = [
            f"{figure:.1f}"
            for values in (refused, closed)
            for figure in (percentile(values, 50), percentile(values, 99), max(values))
        ]
        table.add_row(f"{database}: {place}", *figures, str(len(refused)))
    console.print(table)
    for verdict in verdicts(results):
        colour = {"reached": "green", "enough": "yellow", "missed": "red"}[verdict.word]
        limits = f"wanted {verdict.wanted:.0f}, at most {verdict.at_most:.0f}"
        console.print(
            f"[{colour}]{verdict.word:7}[/] {verdict.reached:.1f} ms p99, {limits} ({verdict.what})", highlight=False
        )


def document(machine: Mapping[str, str | int], options: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Everything that was measured, for the JSON file."""
    return {
        "machine": dict(machine),
        "options": dict(options),
        "rows": [
            {"database": database, "place": place, "refused_ms": refused, "closed_ms": results.closed[database, place]}
            for (database, place), refused in results.refused.items()
        ],
        "verdicts": [asdict(each) | {"word": each.word} for each in verdicts(results)],
    }
