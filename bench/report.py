"""Show what was measured: a table for people, JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.candidates import CANDIDATES, Guestpass, NginxAuthRequest, NginxPlain
from bench.load import Sample
from bench.plan import Results, Samples

_SATURATED = 0.9
# What Guestpass is held to, as shares of another candidate's rate.
_WANTED = (
    ("1k", NginxPlain.name, 0.35),
    ("1k", NginxAuthRequest.name, 1.0),
    ("100k", NginxPlain.name, 1.0),
    ("1536k", NginxPlain.name, 1.0),
)


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the samples of one candidate with one size; `ratio` and `cpu_ratio` compare with nginx plain.

    `cpu_ratio` is how much more each request costs; both are None where nginx plain was not measured.
    """

    candidate: str
    size: str
    requests_per_second: float
    ratio: float | None
    cpu_us: float
    cpu_ratio: float | None
    p50_us: float
    p99_us: float
    resident_bytes: float
    load_core: float
    samples: int
    disturbed: int
    is_disturbed: bool


def rows(results: Results) -> list[Row]:
    """One row for each candidate and size that was measured."""
    return [_row(candidate, size, samples, results) for (candidate, size), samples in results.items()]


def _row(candidate: str, size: str, samples: Samples, results: Results) -> Row:
    def middle(of: Callable[[Sample], float]) -> float:
        return median(map(of, samples.counting))

    rate, cpu = middle(lambda sample: sample.requests_per_second), middle(lambda sample: sample.cpu_us)
    reference = results.get((NginxPlain.name, size))
    base = reference.counting if reference is not None else []
    return Row(
        candidate=candidate,
        size=size,
        requests_per_second=rate,
        ratio=rate / median(sample.requests_per_second for sample in base) if base else None,
        cpu_us=cpu,
        cpu_ratio=cpu / median(sample.cpu_us for sample in base) if base else None,
        p50_us=middle(lambda sample: sample.p50_us),
        p99_us=middle(lambda sample: sample.p99_us),
        resident_bytes=max(sample.resident_bytes for sample in samples.counting),
        load_core=middle(lambda sample: sample.load_core),
        samples=len(samples.counting),
        disturbed=len(samples.disturbed),
        is_disturbed=not samples.quiet,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether Guestpass reaches a wanted share of another candidate's rate.

    `by_cpu` is the same share by processor time for a request, which a busy load core can't flatter.
    `is_disturbed` says that one of the two was never measured undisturbed, so that `reached` proves nothing.
    """

    size: str
    reference: str
    wanted: float
    reached: float
    by_cpu: float
    is_disturbed: bool

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.reached >= self.wanted


def verdicts(measured: Sequence[Row]) -> list[Verdict]:
    """What is wanted, and what was reached, as far as it was measured."""
    by_name = {(row.candidate, row.size): row for row in measured}
    found = []
    for size, reference, wanted in _WANTED:
        own, other = by_name.get((Guestpass.name, size)), by_name.get((reference, size))
        if own is not None and other is not None:
            reached = own.requests_per_second / other.requests_per_second
            is_disturbed = own.is_disturbed or other.is_disturbed
            found.append(Verdict(size, reference, wanted, reached, other.cpu_us / own.cpu_us, is_disturbed))
    return found


def print_report(console: Console, machine: Mapping[str, str | int], measured: Sequence[Row]) -> None:
    """The table, what is wanted, and what to think of the figures."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("size", no_wrap=True)
    table.add_column("proxy", no_wrap=True)
    for heading in ("requests/s", "x nginx", "CPU us", "x nginx", "p99 ms", "RSS MiB", "load core", "samples"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in measured:
        bound = ">= " if row.load_core >= _SATURATED else ""
        table.add_row(
            row.size,
            CANDIDATES[row.candidate].title,
            f"{bound}{row.requests_per_second:,.0f}",
            _times(row.ratio),
            f"{row.cpu_us:,.1f}",
            _times(row.cpu_ratio),
            f"{row.p99_us / 1000:.2f}",
            f"{row.resident_bytes / 2**20:.0f}",
            f"{row.load_core:.0%}",
            f"{'! ' if row.is_disturbed else ''}{row.samples}",
            end_section=row is measured[-1] or measured[measured.index(row) + 1].size != row.size,
        )
    console.print(table)
    for verdict in verdicts(measured):
        sign = "[green]reached[/]  " if verdict.holds else "[red]missed[/]   "
        if verdict.is_disturbed:
            sign = "[yellow]disturbed[/]"
        reference = CANDIDATES[verdict.reference].title
        console.print(
            f"{sign} {verdict.size}: {verdict.reached:.2f} x {reference}, wanted {verdict.wanted:.2f}"
            f" (by CPU {verdict.by_cpu:.2f} x)",
            highlight=False,
        )
    if any(row.load_core >= _SATURATED for row in measured):
        console.print(
            ">=: the load's core was busy, so the proxy could have done more; compare CPU us, the cost of one request."
        )
    if any(row.is_disturbed for row in measured):
        console.print(
            "[yellow]![/]: something else used more than a tenth of a core during each sample; CPU us says most then."
        )


def document(machine: Mapping[str, str | int], options: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Everything that was measured, each single sample included, for the JSON file."""
    measured = rows(results)
    return {
        "machine": dict(machine),
        "options": dict(options),
        "rows": [dataclasses.asdict(row) for row in measured],
        "wanted": [dataclasses.asdict(verdict) | {"holds": verdict.holds} for verdict in verdicts(measured)],
        "samples": [
            dataclasses.asdict(sample) | {"quiet": sample.is_quiet}
            for samples in results.values()
            for sample in (*samples.quiet, *samples.disturbed)
        ],
    }


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
