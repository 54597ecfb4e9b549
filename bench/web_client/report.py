"""Show what was measured of the web client: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is compared; `coding` is the content coding in which it has to deliver, empty for none."""

    name: str
    title: str
    coding: str


DIRECT = Candidate("direct", "Odoo directly", "")
NGINX = Candidate("nginx", "nginx as in Odoo's docs", "gzip")
FIRST = Candidate("first", "Guestpass, first visitor", "zstd")
BEST = Candidate("best", "Guestpass, later ones", "br")
CANDIDATES = (DIRECT, NGINX, FIRST, BEST)

# What Guestpass is held to, once the best forms are there: bytes, and a share of nginx's time.
_MOST_BYTES = 1_250_000
_MOST_OF_NGINX = 0.85


@dataclass(slots=True)
class Results:
    """By candidate: bytes that a visitor received, and milliseconds that he waited in each round."""

    received: dict[str, int] = field(default_factory=dict)
    waited: dict[str, list[float]] = field(default_factory=lambda: {each.name: [] for each in CANDIDATES})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether Guestpass stays within what is wanted of it; `digits` are those behind the point that are shown."""

    what: str
    wanted: float
    reached: float
    digits: int

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.reached <= self.wanted


def verdicts(results: Results) -> list[Verdict]:
    """What is wanted, and what was reached."""
    time = median(results.waited[BEST.name]) / median(results.waited[NGINX.name])
    return [
        Verdict("bytes received", _MOST_BYTES, results.received[BEST.name], 0),
        Verdict("x the time through nginx", _MOST_OF_NGINX, time, 2),
    ]


def print_report(console: Console, machine: Mapping[str, str | int], results: Results) -> None:
    """The table, and what is wanted."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("web client, empty cache", no_wrap=True)
    for heading in ("bytes", "x nginx", "ready after ms", "from", "to", "x nginx", "rounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    usual = median(results.waited[NGINX.name])
    for candidate in CANDIDATES:
        received, waited = results.received[candidate.name], results.waited[candidate.name]
        table.add_row(
            candidate.title,
            f"{received:,}",
            f"{received / results.received[NGINX.name]:.2f}",
            f"{median(waited):,.0f}",
            f"{min(waited):,.0f}",
            f"{max(waited):,.0f}",
            f"{median(waited) / usual:.2f}",
            str(len(waited)),
        )
    console.print(table)
    for verdict in verdicts(results):
        sign = "[green]reached[/]" if verdict.holds else "[red]missed[/] "
        reached, wanted = (f"{number:,.{verdict.digits}f}" for number in (verdict.reached, verdict.wanted))
        console.print(f"{sign} {reached} {verdict.what}, wanted {wanted} at most", highlight=False)


def document(machine: Mapping[str, str | int], options: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Everything that was measured, for the JSON file."""
    return {
        "machine": dict(machine),
        "options": dict(options),
        "received_bytes": results.received,
        "waited_ms": results.waited,
        "wanted": [
            {"what": each.what, "wanted": each.wanted, "reached": each.reached, "holds": each.holds}
            for each in verdicts(results)
        ],
    }
