"""What attacks from six connections cost another visitor of the same worker, and how its memory grows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from bench.machine import Cores
from bench.processes import pinned
from bench.scale.attacker import ATTACKS
from bench.scale.installation import Installation, RunningWorker, Stand
from bench.scale.report import Figure, Measured

_MOST_MILLISECONDS = 25.0
_BUFFER_LIMIT = 256 * 1024**2
_MIB = 1024**2
_WARM_SECONDS = 0.5
# What attacks shares a core with the visitor, who must not wait for it there.
_NICE = 19
_ATTACK = "from bench.scale.attacker import main; main()"


def measure_attacks(*, seconds: int, tell: Callable[[str], None]) -> Measured:
    """Take the time of a visitor's requests alone, then beside each attack in turn."""
    cores = Cores.apart()
    proxy, load = cores.proxy[0], cores.load[0]
    samples: dict[str, list[float]] = {}
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder,
        Stand(Path(folder), load) as stand,
        Stand(Path(folder), load, niceness=_NICE) as attacked,
    ):
        attacked_at = f"http://127.0.0.1:{attacked.port}"
        installation = Installation(
            Path(folder) / "one",
            environments=3,
            links=6,
            upstream_port=stand.port,
            environment_fields=({}, {"url": attacked_at}, {"url": attacked_at, "kind": "odoo"}),
            link_fields=({}, {}, {}, {}, {}, {"access": "readOnly"}),
        )
        for name, (what, _) in ATTACKS.items():
            tell(what)
            with installation.serve(proxy) as worker:
                visitor, of_web, of_odoo, looking = (
                    worker.open(installation.tokens[number]) for number in (0, 1, 2, 5)
                )
                cookie = {"asset": of_odoo, "pings": of_odoo, "json": looking}.get(name, of_web)
                alone = _ask(worker, visitor, seconds)
                before = worker.resident_bytes
                worker.forget_peak()
                command = ["nice", "-n", str(_NICE), sys.executable, "-c", _ATTACK, name, str(worker.port), cookie]
                attacker = subprocess.Popen(pinned([load], command))
                try:
                    time.sleep(_WARM_SECONDS)
                    beside = _ask(worker, visitor, seconds)
                    grown = worker.peak_bytes - before
                finally:
                    attacker.kill()
                    attacker.wait()
            samples |= {f"{name}: alone, ms": alone, f"{name}: beside, ms": beside}
            figures += [
                Figure(f"{what}: median, alone", median(alone), "ms"),
                Figure(f"{what}: median", median(beside), "ms"),
                Figure(f"{what}: 99 of 100, alone", quantiles(alone, n=100)[98], "ms"),
                Figure(f"{what}: 99 of 100", quantiles(beside, n=100)[98], "ms", _MOST_MILLISECONDS),
                Figure(f"{what}: memory", grown / _MIB, "MiB", 1.1 * _BUFFER_LIMIT / _MIB),
            ]
    return Measured(figures, samples)


def _ask(worker: RunningWorker, cookie: str, seconds: int) -> list[float]:
    """Milliseconds of each request, one after the other, for so long; at least 200."""
    took: list[float] = []
    end = time.monotonic() + seconds
    for each in worker.times(cookie):
        took.append(each * 1e3)
        if time.monotonic() >= end and len(took) >= 200:
            break
    return took
