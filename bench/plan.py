"""The order of the runs: candidates take turns, and a disturbed sample is taken again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.load import Sample

WARM_UP_SECONDS = 1
_TRIES = 3

Take = Callable[[str, str, int], Sample]
"""Takes a sample: name of the candidate, name of the size, seconds."""


@dataclass(slots=True)
class Samples:
    """What was measured of one candidate with one size."""

    quiet: list[Sample] = field(default_factory=list)
    disturbed: list[Sample] = field(default_factory=list)

    @property
    def counting(self) -> list[Sample]:
        """The samples that count: the quiet ones, or the less disturbed half where there is none."""
        by_disturbance = sorted(self.disturbed, key=lambda sample: sample.others)
        return self.quiet or by_disturbance[: (len(by_disturbance) + 1) // 2]


Results = Mapping[tuple[str, str], Samples]
"""Samples by names of candidate and size."""


def measure(
    candidates: Sequence[str],
    sizes: Sequence[str],
    take: Take,
    *,
    rounds: int,
    seconds: int,
    tell: Callable[[str], None],
) -> Results:
    """Take `rounds` samples of each candidate with each size.

    Candidates take turns within each size and round, each round begins with another one, and nothing is measured
    cold. A disturbed sample is taken again at once, up to _TRIES times, while the whole takes no more than twice
    the time that it would take undisturbed.
    """
    results = {(candidate, size): Samples() for size in sizes for candidate in candidates}
    spare = time.monotonic() + 2 * len(results) * rounds * (seconds + 1)
    for candidate, size in results:
        take(candidate, size, WARM_UP_SECONDS)
    for turn in range(rounds):
        for size in sizes:
            for position in range(len(candidates)):
                candidate = candidates[(turn + position) % len(candidates)]
                tell(f"round {turn + 1} of {rounds}: {size}, {candidate}")
                samples = results[candidate, size]
                for _ in range(_TRIES):
                    sample = take(candidate, size, seconds)
                    (samples.quiet if sample.is_quiet else samples.disturbed).append(sample)
                    if sample.is_quiet or time.monotonic() > spare:
                        break
    return results
