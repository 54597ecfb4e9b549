"""Measure the proxies side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.candidates import CANDIDATES
from bench.installing import install
from bench.load import LOADS
from bench.machine import Cores
from bench.plan import Patience, Results, measure
from bench.stage import staged
from bench.workers import WORKER_CANDIDATES, measure_workers


@dataclass(frozen=True, slots=True)
class Measured:
    """Results, and the versions of what they were measured with by candidate."""

    results: Results
    versions: dict[str, str]


def measure_proxies(
    names: Sequence[str],
    loads: Sequence[str],
    *,
    workers: bool,
    rounds: int,
    seconds: int,
    patience: Patience,
    tell: Callable[[str], None],
) -> Measured:
    """Install what is missing, and measure these candidates with these loads; `workers` adds two workers beside one.

    Raises NotReady for a candidate that does not do its work.
    """
    install([program for name in names for program in CANDIDATES[name].programs], tell)
    with staged(names, [LOADS[load] for load in loads], Cores.apart(), tell=tell) as stage:
        cells = [(name, load) for load in loads for name in names]
        results = measure(cells, stage.take, rounds=rounds, seconds=seconds, patience=patience, tell=tell)
        versions = {name: candidate.version() for name, candidate in stage.candidates.items()}
    chosen = [name for name in WORKER_CANDIDATES if name in names]
    if workers and chosen and results.is_complete:
        results.add(measure_workers(chosen, rounds=rounds, seconds=seconds, patience=patience, tell=tell))
    return Measured(results, versions)
