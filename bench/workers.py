"""Two workers on two cores beside one on one, the load running on the same cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load import LOADS, Sample
from bench.machine import Cores
from bench.plan import Patience, Results, measure
from bench.stage import staged

ONE, TWO = "one-worker", "two-workers"
WORKER_LOADS = {ONE: "1 KB, 1 worker", TWO: "1 KB, 2 workers"}
WORKER_CANDIDATES = ("nginx", "guestpass", "guestpass_compiled")


def measure_workers(
    names: Sequence[str], *, rounds: int, seconds: int, patience: Patience, tell: Callable[[str], None]
) -> Results:
    """Samples of what each of these proxies does with one worker, and with two.

    The machine has no third core, so everything shares: with one worker, the proxy, the upstream and the load generator
    have one core; with two, all three are twice as wide and have two cores. Twice as much is then as good as can be.
    """
    load = LOADS["1k"]
    with (
        staged(names, [load], Cores.shared(1), workers=1, tell=tell) as one,
        staged(names, [load], Cores.shared(2), workers=2, tell=tell) as two,
    ):

        def take(name: str, called: str, seconds: int) -> Sample:
            stage, other = (one, two) if called == ONE else (two, one)
            return stage.take(name, load.name, seconds, called=called, beside=other.servers)

        cells = [(name, called) for called in (ONE, TWO) for name in names]
        return measure(cells, take, rounds=rounds, seconds=seconds, patience=patience, tell=tell)
