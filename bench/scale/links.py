"""100,000 links in 10,000 environments beside 100 in 10: what an opening costs, memory, and the start."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from bench.machine import Cores
from bench.processes import NotReady
from bench.scale.installation import NAVIGATION, Installation, RunningWorker, Stand
from bench.scale.report import Figure, Measured

FEW = (10, 100)
MANY = (10_000, 100_000)
_OPENED = 100
_MOST_TIMES = 1.2
_MOST_MEGABYTES = 150
_MOST_SECONDS = 2.0


def measure_links(*, rounds: int, opened: int, tell: Callable[[str], None]) -> Measured:
    """Start a worker on each in turn, open links that it has not seen and then the same ones again.

    At the end `opened` different ones of the many are opened, for the memory that they leave behind.
    """
    cores = Cores.apart()
    proxy, load = cores.proxy[0], cores.load[0]
    samples: dict[str, list[float]] = {}

    def note(what: str, *values: float) -> None:
        samples.setdefault(what, []).extend(values)

    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder, Stand(Path(folder), load) as stand:
        tell("writing 100,000 links")
        installations = {
            name: Installation(Path(folder) / name, environments=some[0], links=some[1], upstream_port=stand.port)
            for name, some in (("few", FEW), ("many", MANY))
        }
        for number in range(rounds):
            for name in ("few", "many") if number % 2 == 0 else ("many", "few"):
                tell(f"round {number + 1} of {rounds}: {name} links")
                installation = installations[name]
                with installation.serve(proxy) as worker:
                    note(f"{name}: seconds to ready", worker.seconds_to_ready)
                    note(f"{name}: bytes at rest", worker.resident_bytes)
                    step = len(installation.tokens) // _OPENED
                    tokens = installation.tokens[number % step :: step][:_OPENED]
                    note(f"{name}: first opening, us", *_open(worker, tokens))
                    note(f"{name}: opening again, us", *_open(worker, tokens))
        with installations["many"].serve(proxy) as worker:
            tell(f"opening {opened:,} links")
            note("many: bytes at rest", worker.resident_bytes)
            _open(worker, installations["many"].tokens[:opened])
            note("many: bytes after opening", worker.resident_bytes)
    return Measured(_figures(samples, opened), samples)


def _figures(samples: dict[str, list[float]], opened: int) -> list[Figure]:
    middle = {what: median(values) for what, values in samples.items()}
    figures = []
    for opening in ("first opening", "opening again"):
        few, many = middle[f"few: {opening}, us"], middle[f"many: {opening}, us"]
        figures += [
            Figure(f"{opening}, 100 links", few / 1000, "ms"),
            Figure(f"{opening}, 100,000 links", many / 1000, "ms"),
            Figure(f"{opening}, how much longer", many / few, "x", _MOST_TIMES),
        ]
    return [
        *figures,
        Figure("worker at rest, 100 links", middle["few: bytes at rest"] / 1e6, "MB"),
        Figure("worker at rest, 100,000 links", middle["many: bytes at rest"] / 1e6, "MB"),
        Figure(f"worker after {opened:,} openings", middle["many: bytes after opening"] / 1e6, "MB", _MOST_MEGABYTES),
        Figure("start to ready, 100 links", middle["few: seconds to ready"], "s"),
        Figure("start to ready, 100,000 links", middle["many: seconds to ready"], "s", _MOST_SECONDS),
    ]


def _open(worker: RunningWorker, tokens: Sequence[str]) -> list[float]:
    """Open the links one after the other on one connection; returns microseconds for each."""
    took = []
    with closing(http.client.HTTPConnection("127.0.0.1", worker.port)) as browser:
        browser.connect()
        for token in tokens:
            began = time.perf_counter()
            browser.request("GET", f"/share/{token}", headers=NAVIGATION)
            answer = browser.getresponse()
            answer.read()
            took.append((time.perf_counter() - began) * 1e6)
            if answer.status != 303:
                raise NotReady(f"Opening a link answered {answer.status} instead of 303.")
    return took
