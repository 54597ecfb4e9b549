"""What workers take of memory and time: at rest, from the command to all serving, and after the death of one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.machine import cpu_seconds, memory_bytes, workers_among
from bench.processes import NotReady, Server, free_ports
from bench.scale.report import Figure, Measured

_WORKERS = (1, 4)
_REST_SECONDS = 3.0
_PATIENCE_SECONDS = 120.0


def measure_memory(*, rounds: int, tell: Callable[[str], None]) -> Measured:
    """Start one worker and four on SQLite in turn, look at their memory at rest, and kill the one."""
    samples: dict[str, list[float]] = {}

    def note(what: str, value: float) -> None:
        samples.setdefault(what, []).append(value)

    for number in range(rounds):
        for workers in _WORKERS:
            tell(f"round {number + 1} of {rounds}: {workers} workers")
            with _serving(workers) as (server, admin_port, seconds):
                note(f"{workers}: seconds until all serve", seconds)
                note(f"{workers}: seconds of processor time until then", cpu_seconds(server.pids))
                time.sleep(_REST_SECONDS)
                for part, pids in _parts(server).items():
                    note(f"{workers}: bytes of {part}", memory_bytes(pids))
                if workers == 1:
                    note("seconds until a killed worker is replaced", _replacement_seconds(server, admin_port))
    middle = {what: statistics.median(values) for what, values in samples.items()}
    one, four = (middle[f"{workers}: bytes of all"] / 2**20 for workers in _WORKERS)
    figures = [
        Figure("four workers, PSS of all processes", four, "MiB", 220.0),
        Figure("of it the supervisor", middle["4: bytes of the supervisor"] / 2**20, "MiB"),
        Figure("of it what workers are forked from", middle["4: bytes of the fork server"] / 2**20, "MiB"),
        Figure("one worker, PSS of all processes", one, "MiB"),
        Figure("each further worker, PSS", (four - one) / 3, "MiB", 30.0),
        Figure("four workers, until all serve", middle["4: seconds until all serve"], "s", 1.5),
        Figure("the same in processor time", middle["4: seconds of processor time until then"], "s"),
        Figure("one worker, until it serves", middle["1: seconds until all serve"], "s"),
        Figure("a killed worker, until another answers", middle["seconds until a killed worker is replaced"], "s", 0.3),
    ]
    return Measured(figures, samples)


@contextmanager
def _serving(workers: int) -> Iterator[tuple[Server, int, float]]:
    """A server, its port for owners, and how many seconds it took from the command until all its workers served."""
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder:
        public_port, admin_port = free_ports(2)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")} | {
            "GUESTPASS_DATA_DIR": f"{folder}/data",
            "GUESTPASS_LISTEN": f"127.0.0.1:{public_port}",
            "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
            "GUESTPASS_LOG_FORMAT": "json",
        }
        command = [sys.executable, "-m", "guestpass", "serve", "--workers", str(workers)]
        log = Path(folder) / "serve.log"
        began = time.monotonic()
        with Server("Guestpass", command, log=log, environ=environ) as server:
            _wait_until(lambda: any(_message(line) == "serving" for line in log.read_text().splitlines()), "serve")
            yield server, admin_port, time.monotonic() - began


def _message(line: str) -> str | None:
    try:
        message: str | None = json.loads(line).get("message")
    except ValueError:
        return None
    return message


def _parts(server: Server) -> Mapping[str, list[int]]:
    """The server's processes by what they are for."""
    supervisor, *others = server.pids
    workers = workers_among(others)
    return {
        "all": [supervisor, *others],
        "the supervisor": [supervisor],
        "the fork server": [pid for pid in others if pid not in workers],
        "workers": workers,
    }


def _replacement_seconds(server: Server, admin_port: int) -> float:
    """Kill the one worker, and ask until another answers: the listener is the supervisor's, so a question waits."""
    [worker] = workers_among(server.pids)
    os.kill(worker, signal.SIGKILL)
    began = time.monotonic()
    while True:
        connection = http.client.HTTPConnection("localhost", admin_port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return time.monotonic() - began
        except OSError:
            # It reached the worker that was just dying.
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise NotReady("A killed worker was not replaced.") from None
        finally:
            connection.close()


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise NotReady(f"Guestpass did not {what}.")
        time.sleep(0.005)
