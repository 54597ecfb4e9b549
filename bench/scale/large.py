"""2 GiB up and down through one worker: how much its memory grows meanwhile."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.machine import Cores
from bench.processes import NotReady
from bench.scale.installation import Installation, RunningWorker, Stand
from bench.scale.report import Figure, Measured
from bench.scale.stand import LARGE

_PIECE = bytes(256 * 1024)
_MOST_GROWTH = 16.0
_LOOK_SECONDS = 0.02


def measure_large(*, rounds: int, tell: Callable[[str], None]) -> Measured:
    """Send 2 GiB through a worker that has served before, then fetch as much; its memory is looked at every 20 ms."""
    cores = Cores.apart()
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder, Stand(Path(folder), cores.load[0]) as stand:
        installation = Installation(Path(folder) / "one", environments=1, links=1, upstream_port=stand.port)
        for number in range(rounds):
            with installation.serve(cores.proxy[0]) as worker:
                cookie = worker.open(installation.tokens[0])
                _fetch(worker, cookie, "/small", 1024)
                for way, transfer in (
                    ("up", partial(_send, worker, cookie)),
                    ("down", partial(_fetch, worker, cookie, "/large", LARGE)),
                ):
                    tell(f"round {number + 1} of {rounds}: 2 GiB {way}")
                    growth, seconds = _growth(worker, transfer)
                    samples.setdefault(f"{way}: bytes of growth", []).append(float(growth))
                    samples.setdefault(f"{way}: seconds", []).append(seconds)
    figures = []
    for way in ("up", "down"):
        most, seconds = max(samples[f"{way}: bytes of growth"]), min(samples[f"{way}: seconds"])
        figures += [
            Figure(f"2 GiB {way}, memory grows by", most / 2**20, "MiB", _MOST_GROWTH),
            Figure(f"2 GiB {way}, fastest", LARGE / seconds / 1e6, "MB/s"),
        ]
    return Measured(figures, samples)


def _growth(worker: RunningWorker, transfer: Callable[[], None]) -> tuple[int, float]:
    """The most that the worker's memory grew by during the transfer, and how many seconds that took."""
    before = most = worker.resident_bytes
    over = threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(_LOOK_SECONDS):
            most = max(most, worker.resident_bytes)

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.monotonic()
    try:
        transfer()
    finally:
        took = time.monotonic() - began
        over.set()
        watcher.join()
    return max(most, worker.resident_bytes) - before, took


def _send(worker: RunningWorker, cookie: str) -> None:
    with closing(_connection(worker)) as connection:
        connection.sendall(_head(worker, "POST /large", cookie, f"Content-Length: {LARGE}\r\n"))
        for _ in range(0, LARGE, len(_PIECE)):
            connection.sendall(_PIECE)
        _read_answer(connection, 1024)


def _fetch(worker: RunningWorker, cookie: str, path: str, size: int) -> None:
    with closing(_connection(worker)) as connection:
        connection.sendall(_head(worker, f"GET {path}", cookie))
        _read_answer(connection, size)


def _connection(worker: RunningWorker) -> socket.socket:
    return socket.create_connection(("127.0.0.1", worker.port), timeout=60)


def _head(worker: RunningWorker, request: str, cookie: str, more: str = "") -> bytes:
    return f"{request} HTTP/1.1\r\nHost: 127.0.0.1:{worker.port}\r\nCookie: {cookie}\r\n{more}\r\n".encode()


def _read_answer(connection: socket.socket, size: int) -> None:
    """Read a whole answer; raises NotReady for another status or length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (piece := connection.recv(4096))
        if not piece:
            raise NotReady(f"An answer broke off: {received[:300]!r}")
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise NotReady(f"A transfer was refused: {head[:300]!r}")
    left, room = size - len(body), bytearray(len(_PIECE))
    while left:
        count = connection.recv_into(room, min(left, len(room)))
        if not count:
            raise NotReady(f"An answer broke off {left:,} bytes before its end.")
        left -= count
