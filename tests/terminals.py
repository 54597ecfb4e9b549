"""A program in a terminal of its own, which can be closed."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0


class Shown:
    """What a terminal shows, and its window: who closes it hangs up (SIGHUP)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self.text = b""

    def until(self, words: bytes) -> None:
        """Read until the words were shown."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.text:
            assert self._descriptor is not None
            readable, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, self.text
            self.text += os.read(self._descriptor, 65536)

    def close(self) -> None:
        """Close the window."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def terminal(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], Shown]]:
    """Run a program that has a terminal; it is killed where it has not ended by then."""
    ours, theirs = os.openpty()
    shown = Shown(ours)
    # Whoever leads a session and opens a terminal has it as their own.
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(theirs), *command],
        env=dict(environ),
        start_new_session=True,
    )
    try:
        yield process, shown
    finally:
        shown.close()
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(theirs)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """A descriptor of each child, which can be read once the child has ended (pidfd_open(2))."""
    ids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [os.pidfd_open(int(id)) for id in ids]


def await_end(descriptors: Sequence[int]) -> None:
    """Wait until the processes of these descriptors have ended."""
    for descriptor in descriptors:
        readable, _, _ = select.select([descriptor], [], [], PATIENCE)
        assert readable, "it has not ended"
        os.close(descriptor)
