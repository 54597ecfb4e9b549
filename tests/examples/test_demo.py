"""`make run`: whatever ends it ends its sample too, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.terminals import PATIENCE, await_end, children, terminal


def until(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so; fails where the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.args
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM while it starts", "closed terminal", "SIGKILL"])
def test_whatever_ends_the_demo_ends_its_sample(how: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")}
    with terminal([sys.executable, "-m", "examples.demo"], environ | {"TMPDIR": str(tmp_path)}) as (process, shown):
        if how == "SIGTERM while it starts":
            until(lambda: children(process), process)
        else:
            shown.until(b"Ctrl-C stops everything.")
        ending = children(process)
        assert ending
        assert list(tmp_path.glob("guestpass-demo-*"))
        if how == "closed terminal":
            shown.close()
        else:
            process.send_signal(signal.Signals[how[:7].rstrip()])
        process.wait(PATIENCE)
        await_end(ending)
    assert how == "SIGKILL" or not list(tmp_path.iterdir())
