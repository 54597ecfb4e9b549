"""What a worker does without."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["alembic", "psycopg"])
def test_a_worker_on_sqlite_does_without(module: str) -> None:
    """Each takes more than 10 MiB of each process that loads it."""
    asked = f"import sys, guestpass.worker_process; print({module!r} in sys.modules)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout == "False\n"
