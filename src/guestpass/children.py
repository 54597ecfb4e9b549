"""Track and reap child processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36


def adopt_orphans() -> bool:
    """Become the parent of descendants whose own parent ends (prctl(2)); False where the system has no such thing."""
    if sys.platform != "linux":
        return False
    from ctypes import CDLL  # noqa: PLC0415 - needed on Linux alone

    return bool(CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Child:
    """A child process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; its number may be another process's by now."""
        return self._ended.done()

    async def wait(self) -> int:
        """The exit status once it has ended, less than 0 where a signal ended it."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        # The kernel does not reuse its number before `_reap` has waited for it.
        if not self.has_ended:
            os.kill(self.pid, number)

    def note_end(self, status: int) -> None:
        """Set its exit status."""
        self._ended.set_result(status)


class Children:
    """Reap all child processes; create one in a running loop, and only one.

    That includes adopted ones, such as children of a worker that was killed.
    """

    def __init__(self) -> None:
        self._living: dict[int, Child] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def __iter__(self) -> Iterator[Child]:
        """Iterate over the known processes that live."""
        return iter(list(self._living.values()))

    def add(self, pid: int) -> Child:
        """Register a process; call it in the same turn of the loop as its start, before its end is reaped."""
        return self._living.setdefault(pid, Child(pid))

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if (child := self._living.pop(pid, None)) is not None:
                    child.note_end(os.waitstatus_to_exitcode(status))
