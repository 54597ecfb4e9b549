"""Work that one turn of the event loop must not do at once: it goes on in later turns, a step of each in turn.

What arrives on one connection can hold hundreds of thousands of requests, chunks or frames. Each connection takes one
step of bounded size and then waits behind all others that have more to do, and behind whatever has arrived meanwhile
(docs/decisions/0024).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

STEPS_A_TURN: Final = 16
"""Steps of all connections together in one turn. A step takes some 0.1 ms."""
UNITS_A_STEP: Final = 64
"""Chunks or frames in one step."""


class Runnable(Protocol):
    """What has more to do than one step."""

    def run(self) -> None:
        """Do the next step; add yourself again where more is left."""
        ...


class RunQueue:
    """Runs the steps of those that wait, first in, first out. One for each event loop."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Runnable] = deque()

    def add(self, runnable: Runnable) -> None:
        """Let it do its next step in a later turn; it must not wait already."""
        self._waiting.append(runnable)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        waiting = self._waiting
        for _ in range(min(STEPS_A_TURN, len(waiting))):
            # It stays the first until its step is done, so that what it adds starts no second run.
            try:
                waiting[0].run()
            except Exception as error:  # noqa: BLE001 - a mistake of one must not stop the others
                self._loop.call_exception_handler({"message": "a step failed", "exception": error})
            waiting.popleft()
        if waiting:
            self._loop.call_soon(self._run)
