"""What was measured becomes rows and verdicts: a table for people, JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.candidates import CANDIDATES
from bench.load import LOADS, RATE, Sample
from bench.plan import Results, Samples
from bench.targets import TARGETS, Target
from bench.workers import WORKER_LOADS

TITLES = {name: load.title for name, load in LOADS.items()} | WORKER_LOADS
_REFERENCE = "nginx"
_SATURATED = 0.9
_KEEPS_UP = 0.97  # of a fixed rate, below which requests had to wait to be sent
_MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the samples of one candidate with one load; ratios compare with nginx plain and the same load.

    `per_core` is how many requests a second of processor time is enough for, which a busy load core doesn't flatter.
    `ratio` is None where nginx plain was not measured. `is_disturbed` says that other work went on during a sample.
    """

    candidate: str
    load: str
    requests_per_second: float
    cpu_us: float
    ratio: float | None
    p50_us: float
    p99_us: float
    memory_bytes: int
    load_core: float
    samples: int
    thrown_away: int
    is_disturbed: bool

    @property
    def per_core(self) -> float:
        """Requests for each second of processor time that the candidate uses."""
        return _MICROSECONDS / self.cpu_us

    @property
    def is_bound(self) -> bool:
        """Whether the load's core was busy, so that the candidate could have done more."""
        return self.load_core >= _SATURATED

    @property
    def keeps_up(self) -> bool:
        """Whether the fixed rate was reached; latencies mean nothing where it was not."""
        rate = LOADS[self.load].rate if self.load in LOADS else None
        return rate is None or self.requests_per_second >= _KEEPS_UP * rate


def rows(results: Results) -> list[Row]:
    """One row for each candidate and load that was measured."""
    return [_row(name, load, samples, results) for (name, load), samples in results.cells.items() if samples.counting]


def _row(candidate: str, load: str, samples: Samples, results: Results) -> Row:
    def middle(of: Callable[[Sample], float]) -> float:
        return median(map(of, samples.counting))

    cpu = middle(lambda sample: sample.cpu_us)
    reference = results.cells.get((_REFERENCE, load))
    base = reference.counting if reference is not None else []
    return Row(
        candidate=candidate,
        load=load,
        requests_per_second=middle(lambda sample: sample.requests_per_second),
        cpu_us=cpu,
        ratio=median(sample.cpu_us for sample in base) / cpu if base else None,
        p50_us=middle(lambda sample: sample.p50_us),
        p99_us=middle(lambda sample: sample.p99_us),
        memory_bytes=max(sample.memory_bytes for sample in samples.counting),
        load_core=middle(lambda sample: sample.load_core),
        samples=len(samples.counting),
        thrown_away=len(samples.thrown_away),
        is_disturbed=not all(sample.is_quiet for sample in samples.counting),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wanted of Guestpass, and what it reached; `by_rate` is the same ratio by the clock, where it differs."""

    target: Target
    reached: float
    by_rate: float | None
    is_disturbed: bool

    @property
    def word(self) -> str:
        """How it went."""
        if self.target.is_met(self.reached, self.target.wanted):
            return "reached"
        return "at least" if self.target.is_met(self.reached, self.target.at_least) else "missed"


def verdicts(measured: Sequence[Row], targets: Sequence[Target] = TARGETS) -> list[Verdict]:
    """What is wanted, and what was reached, as far as it was measured."""
    by_name = {(row.candidate, row.load): row for row in measured}
    found = []
    for target in targets:
        own, other = by_name.get(target.own), by_name.get(target.other)
        if own is None or other is None:
            continue
        is_disturbed = own.is_disturbed or other.is_disturbed
        rates = own.requests_per_second / other.requests_per_second
        if target.kind == "p99":
            if other.keeps_up:
                found.append(Verdict(target, own.p99_us / other.p99_us, None, is_disturbed))
        elif target.kind == "workers":
            found.append(Verdict(target, rates, None, is_disturbed))
        elif target.kind == "cost":
            found.append(Verdict(target, own.cpu_us / other.cpu_us, None, is_disturbed))
        else:
            found.append(Verdict(target, own.per_core / other.per_core, rates, is_disturbed))
    return found


def print_verdicts(console: Console, found: Sequence[Verdict]) -> None:
    """A line for each target."""
    colours = {"reached": "green", "at least": "yellow", "missed": "red"}
    for verdict in found:
        target, word = verdict.target, verdict.word
        by_rate = "" if verdict.by_rate is None else f" (by rate {verdict.by_rate:.2f})"
        disturbed = " [yellow]![/]" if verdict.is_disturbed else ""
        console.print(
            f"[{colours[word]}]{word:8}[/] {target.what}: {verdict.reached:.2f}{by_rate}, {target.bounds}{disturbed}",
            highlight=False,
        )


def wanted(found: Sequence[Verdict]) -> str:
    """The same as a table for the documentation."""
    lines = ["| what | at least | wanted | reached | by rate | |", "|---|---:|---:|---:|---:|---|"]
    for verdict in found:
        target = verdict.target
        sign = "≤ " if target.less_is_better else ""
        by_rate = "" if verdict.by_rate is None else f"{verdict.by_rate:.2f}"
        word = {"reached": "wanted is reached", "at least": "at least is reached", "missed": "**missed**"}[verdict.word]
        lines.append(
            f"| {target.what} | {sign}{target.at_least:g} | {sign}{target.wanted:g} | {verdict.reached:.2f} | {by_rate}"
            f" | {word} |"
        )
    return "\n".join(lines)


def print_report(console: Console, machine: Mapping[str, str | int], measured: Sequence[Row]) -> None:
    """The table, what is wanted, and what to think of the figures."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("load", no_wrap=True)
    table.add_column("proxy", no_wrap=True)
    for heading in ("requests/s", "CPU us", "x nginx", "p50 ms", "p99 ms", "PSS MiB", "load core", "samples"):
        table.add_column(heading, justify="right", no_wrap=True)
    ordered = sorted(measured, key=lambda row: list(TITLES).index(row.load))
    for position, row in enumerate(ordered):
        table.add_row(
            TITLES[row.load],
            CANDIDATES[row.candidate].title,
            f"{'>= ' if row.is_bound else ''}{row.requests_per_second:,.0f}",
            f"{row.cpu_us:,.1f}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            f"{row.p50_us / 1000:.2f}" if row.keeps_up else "late",
            f"{row.p99_us / 1000:.2f}" if row.keeps_up else "late",
            f"{row.memory_bytes / 2**20:.0f}",
            f"{row.load_core:.0%}",
            f"{'! ' if row.is_disturbed else ''}{row.samples}",
            end_section=row is ordered[-1] or ordered[position + 1].load != row.load,
        )
    console.print(table)
    print_verdicts(console, verdicts(measured))
    console.print("x nginx: how many requests the same processor time is enough for, plain nginx being 1.")
    if any(row.is_bound for row in measured):
        console.print(">=: the load's core was busy, so the proxy could have done more; CPU us doesn't depend on that.")
    if not all(row.keeps_up for row in measured):
        console.print(f"late: it did not keep up with {RATE:,} requests/s.")
    if any(row.is_disturbed for row in measured):
        console.print("[yellow]![/]: something else used more than a tenth of a core meanwhile, so it proves nothing.")


def document(
    machine: Mapping[str, str | int], options: Mapping[str, Any], versions: Mapping[str, str], results: Results
) -> dict[str, Any]:
    """Everything that was measured, each single sample included, for the JSON file."""
    measured = rows(results)
    return {
        "machine": dict(machine),
        "options": dict(options),
        "is_complete": results.is_complete,
        "candidates": {
            name: {"title": CANDIDATES[name].title, "version": version} for name, version in versions.items()
        },
        "rows": [dataclasses.asdict(row) for row in measured],
        "targets": [
            {
                "what": verdict.target.what,
                "at_least": verdict.target.at_least,
                "wanted": verdict.target.wanted,
                "reached": verdict.reached,
                "by_rate": verdict.by_rate,
                "word": verdict.word,
            }
            for verdict in verdicts(measured)
        ],
        "samples": [
            dataclasses.asdict(sample) | {"counts": counts}
            for samples in results.cells.values()
            for counts, taken in ((True, samples.counting), (False, samples.thrown_away))
            for sample in taken
        ],
    }
