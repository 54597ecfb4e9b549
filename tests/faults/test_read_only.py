"""A disk that takes nothing at all."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.ports import free_ports


def read_only(folder: Path, command: list[str]) -> list[str]:
    """The command where nobody can write into the folder: for root that takes a file system of its own."""
    if os.geteuid() != 0:
        for path in (*folder.iterdir(), folder):
            path.chmod(0o500 if path.is_dir() else 0o400)
        return command
    there = shlex.quote(str(folder))
    mounted = f"mount --bind {there} {there} && mount -o remount,bind,ro {there}"
    return ["unshare", "--mount", "sh", "-c", f"{mounted} && exec {shlex.join(command)}"]


def test_a_start_on_a_read_only_disk_names_the_file_and_leaves_all_as_it_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    public, admin = free_ports(2)
    environ = os.environ | {
        "GUESTPASS_DATA_DIR": str(data),
        "GUESTPASS_LISTEN": f"127.0.0.1:{public}",
        "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin}",
    }
    guestpass = [sys.executable, "-m", "guestpass"]
    subprocess.run([*guestpass, "db", "upgrade"], env=environ, check=True, capture_output=True, timeout=60)
    subprocess.run([*guestpass, "token", "--sub", "olga"], env=environ, check=False, capture_output=True, timeout=60)
    before = {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
    refused = subprocess.run(
        read_only(data, [*guestpass, "serve", "--workers", "1"]),
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert str(data) in refused.stderr
    assert {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()} == before
