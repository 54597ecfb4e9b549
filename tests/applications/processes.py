"""Real applications as processes: a port of their own, ready before anyone asks, ended when the test is done."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.markers import starts
from tests.ports import reserved_ports

ROOT = Path(__file__).parents[2]
READY_WITHIN = 90.0
GONE_WITHIN = 15.0
FINDING_EXAMPLES = {"PYTHONPATH": str(ROOT)}  # the environment of a process that runs one: they are not installed


@starts("slow")
@contextmanager
def running(
    command: Sequence[str],
    *,
    ready: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `command`, wait until the URL `ready` answers 200, and end the process afterwards.

    `environment` is added to our own. Raises RuntimeError with the end of the log when it stops early or is too slow.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, ready, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@starts("slow")
@contextmanager
def running_sample(folder: Path, *, name: str = "Harbour Supplies") -> Iterator[str]:
    """The bundled sample application; gives its URL. `name` is what its pages call it."""
    with reserved_ports(1) as [port]:
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "examples.sample.serve", "--port", str(port), "--name", name]
        with running(command, ready=f"{url}/", log=folder / f"sample-{port}.log", environment=FINDING_EXAMPLES):
            yield url


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(url):
            return
        time.sleep(0.05)
    outcome = "was not ready in time" if process.poll() is None else f"ended with {process.returncode}"
    raise RuntimeError(f"{process.args!r} {outcome}; its log ends:\n{log.read_text(errors='replace')[-4000:]}")


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
