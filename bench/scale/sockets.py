"""Idle WebSockets through one worker: memory for each, and how long a request takes beside them."""

from __future__ import annotations

import resource
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median, quantiles

from bench.machine import Cores
from bench.processes import NotReady
from bench.scale.installation import Installation, RunningWorker, Stand
from bench.scale.report import Figure, Measured

_LINKS = 20
_REQUESTS = 2000
_MOST_KILOBYTES = 20.0
_SPARE = 256  # descriptors of a worker for all else
_HANDSHAKE = (
    "GET /websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Cookie: {cookie}\r\n\r\n"
)


def measure_sockets(*, sockets: int, rounds: int, tell: Callable[[str], None]) -> Measured:
    """Take the time of requests without sockets, open them, take it again, and see what they hold."""
    possible, remarks = _possible(sockets), list[str]()
    if possible < sockets:
        remarks.append(
            f"This machine lets a process have {resource.getrlimit(resource.RLIMIT_NOFILE)[1]:,} open files and no "
            f"more. A WebSocket takes two of the worker's, so {possible:,} were opened and not {sockets:,}."
        )
    cores = Cores.apart()
    proxy, load = cores.proxy[0], cores.load[0]
    samples: dict[str, list[float]] = {"alone, us": [], "beside, us": [], "bytes for each": []}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder, Stand(Path(folder), load) as stand:
        installation = Installation(Path(folder) / "one", environments=1, links=_LINKS, upstream_port=stand.port)
        for number in range(rounds):
            with installation.serve(proxy) as worker, ExitStack() as held:
                cookies = [worker.open(token) for token in installation.tokens]
                samples["alone, us"] += _ask(worker, cookies[0])
                before = worker.resident_bytes
                for position in range(possible):
                    if position % 1000 == 0:
                        tell(f"round {number + 1} of {rounds}: {position:,} sockets")
                    held.enter_context(_connect(worker, cookies[position % _LINKS], position))
                samples["bytes for each"].append((worker.resident_bytes - before) / possible)
                samples["beside, us"] += _ask(worker, cookies[0])
    return Measured(_figures(samples, possible), samples, remarks)


def _figures(samples: dict[str, list[float]], possible: int) -> list[Figure]:
    alone, beside = samples["alone, us"], samples["beside, us"]
    return [
        Figure("WebSockets held open", possible, ""),
        Figure("memory for each", median(samples["bytes for each"]) / 1000, "kB", _MOST_KILOBYTES),
        Figure("request of 1 KB without them, median", median(alone), "us"),
        Figure("request of 1 KB beside them, median", median(beside), "us"),
        Figure("how much longer, median", median(beside) / median(alone), "x"),
        Figure("request of 1 KB without them, 99 of 100", quantiles(alone, n=100)[98], "us"),
        Figure("request of 1 KB beside them, 99 of 100", quantiles(beside, n=100)[98], "us"),
    ]


def _possible(wanted: int) -> int:
    """How many one worker can have; this process and what it starts may then have as many files as is allowed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, (hard - _SPARE) // 2)


def _connect(worker: RunningWorker, cookie: str, position: int) -> socket.socket:
    # Visitors come from many addresses.
    source = f"127.1.{position // 200}.{position % 200 + 1}"
    connection = socket.create_connection(("127.0.0.1", worker.port), timeout=30, source_address=(source, 0))
    connection.sendall(_HANDSHAKE.format(port=worker.port, cookie=cookie).encode())
    answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise NotReady(f"A WebSocket was not opened: {answer[:300]!r}")
    return connection


def _ask(worker: RunningWorker, cookie: str) -> list[float]:
    return [each * 1e6 for each in islice(worker.times(cookie), _REQUESTS)]
