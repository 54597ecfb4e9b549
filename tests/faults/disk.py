"""Disks that take no more, without a disk of their own: full ones, and ones that can only be read."""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.installation import Installation
from tests.supervisor.processes import worker_ids

ROOM = 256 * 1024
"""Larger than a server's log may become here, and smaller than what each test writes."""
OWN_MOUNTS = ("unshare", "--mount") if os.geteuid() == 0 else ()
"""What a server's command begins with, so that what root mounts for it is nobody else's and ends with it."""


@contextmanager
def full(server: Installation) -> Iterator[None]:
    """No file of the worker's grows past ROOM during the block: an error as on a full disk (RLIMIT_FSIZE)."""
    [worker] = worker_ids(server)
    before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(server: Installation) -> Iterator[None]:
    """Nothing in the server's folder can be opened for writing during the block, and what is open does not grow.

    Linux makes no file system read-only in which files are open for writing, so both halves are brought about apart.
    The server must have been started with OWN_MOUNTS.
    """
    folder = Path(server.environ["GUESTPASS_DATA_DIR"])
    with full(server):
        if os.geteuid() == 0:
            there = shlex.quote(str(folder))
            _mount(server, f"mount --bind {there} {there} && mount -o remount,bind,ro {there}")
            try:
                yield
            finally:
                _mount(server, f"umount {there}")
        else:
            modes = {path: path.stat().st_mode for path in (*folder.rglob("*"), folder)}
            for path in modes:
                path.chmod(0o500 if path.is_dir() else 0o400)
            try:
                yield
            finally:
                for path, mode in modes.items():
                    path.chmod(mode)


def _mount(server: Installation, command: str) -> None:
    subprocess.run(["nsenter", "--mount", "--target", str(server.process.pid), "sh", "-c", command], check=True)
