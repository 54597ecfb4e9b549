"""The order of the runs: candidates take turns, and a disturbed sample is thrown away and taken again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.load import QUIET, Sample
from bench.machine import is_quiet

WARM_UP_SECONDS = 1
_WATCH_SECONDS = 2.0

Take = Callable[[str, str, int], Sample]
"""Takes a sample: name of the candidate, name of the load, seconds."""
Cell = tuple[str, str]
"""Names of a candidate and a load."""


@dataclass(slots=True)
class Samples:
    """What was measured of one candidate with one load; `thrown_away` were disturbed."""

    counting: list[Sample] = field(default_factory=list)
    thrown_away: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class Results:
    """Samples by candidate and load; `is_complete` unless patience ended before the last round did."""

    cells: dict[Cell, Samples] = field(default_factory=dict)
    is_complete: bool = True

    def add(self, others: Results) -> None:
        """Take in what was measured by another plan."""
        self.cells |= others.cells
        self.is_complete = self.is_complete and others.is_complete


@dataclass(slots=True)
class Patience:
    """Seconds that are left for waiting until the machine is quiet, and for samples that are thrown away.

    Without any, where that was asked for (`anyway`), disturbed samples count.
    """

    seconds: float
    anyway: bool = False

    def spend(self, since: float) -> None:
        """Take away the time since a moment of the monotonic clock."""
        self.seconds -= time.monotonic() - since


def measure(
    cells: Sequence[Cell],
    take: Take,
    *,
    rounds: int,
    seconds: int,
    patience: Patience,
    tell: Callable[[str], None],
    watch: Callable[[], bool] = lambda: is_quiet(QUIET, _WATCH_SECONDS),
) -> Results:
    """Take `rounds` samples of each cell.

    Cells with the same load stand beside each other: candidates take turns. Each round begins with another candidate,
    and nothing is measured cold. A disturbed sample is thrown away, and taken again once `watch` finds the machine
    quiet. Where patience ends, so does measuring.
    """
    results = Results({cell: Samples() for cell in cells})
    for candidate, load in cells:
        tell(f"warming up: {load}, {candidate}")
        take(candidate, load, WARM_UP_SECONDS)
    for turn in range(rounds):
        for candidate, load in _in_turn(cells, turn):
            samples = results.cells[candidate, load]
            while True:
                tell(f"round {turn + 1} of {rounds}: {load}, {candidate}")
                began = time.monotonic()
                sample = take(candidate, load, seconds)
                if sample.is_quiet or patience.anyway:
                    samples.counting.append(sample)
                    break
                samples.thrown_away.append(sample)
                patience.spend(began)
                if not _wait(patience, watch, tell):
                    results.is_complete = False
                    return results
    return results


def _in_turn(cells: Sequence[Cell], turn: int) -> list[Cell]:
    ordered: list[Cell] = []
    for load in dict.fromkeys(load for _, load in cells):
        same = [cell for cell in cells if cell[1] == load]
        first = turn % len(same)
        ordered += same[first:] + same[:first]
    return ordered


def _wait(patience: Patience, watch: Callable[[], bool], tell: Callable[[str], None]) -> bool:
    """Whether the machine became quiet before patience ended."""
    tell(f"waiting until nothing else uses the machine, for {max(0, patience.seconds):.0f} s at most")
    while patience.seconds > 0:
        began = time.monotonic()
        quiet = watch()
        patience.spend(began)
        if quiet:
            return True
    return False
