from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.applications.processes import running
from tests.ports import reserved_ports


def test_process_that_stops_early_is_reported_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('the harbour is closed')"]
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with 1.*the harbour is closed"),
        running(command, ready="http://127.0.0.1:9/", log=tmp_path / "log"),
    ):
        pytest.fail("it was never ready")


def test_process_is_gone_after_its_block_even_when_that_fails(tmp_path: Path) -> None:
    with reserved_ports(1) as [port]:
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
        with (
            pytest.raises(ZeroDivisionError),
            running(command, ready=f"http://127.0.0.1:{port}/", log=tmp_path / "log") as process,
        ):
            raise ZeroDivisionError
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
