"""Pass on what arrives from an upstream in steps of bounded size (docs/decisions/0024)."""

from __future__ import annotations

from typing import Protocol

from guestpass.wire.run_queue import RunQueue
from guestpass.wire.upstream_connection import FULL, UpstreamConnection


class Stepping(Protocol):
    """Who takes an upstream's bytes in steps."""

    @property
    def takes_steps(self) -> bool:
        """Whether more of what has arrived is wanted."""
        ...

    def take_step(self, data: bytes, start: int) -> int:
        """Take chunks or frames from `start` on, as many as one step may; returns where the others begin."""
        ...

    def upstream_lost(self, error: Exception | None) -> None:
        """The connection has ended behind all that was taken."""
        ...

    def cut(self) -> None:
        """End at once: a step has failed."""
        ...


class Steps:
    """What has arrived on a connection and waits for the next step; meanwhile the connection is not read."""

    __slots__ = ("_at", "_connection", "_data", "_end", "_queue", "_taker")

    def __init__(self, taker: Stepping, queue: RunQueue, connection: UpstreamConnection | None) -> None:
        self._taker = taker
        self._queue = queue
        self._connection = connection
        self._data = b""
        self._at = 0
        self._end: tuple[Exception | None] | None = None

    def take(self, data: bytes) -> None:
        """Take one step, where nothing waits for one."""
        if self._data:
            self._data = self._data[self._at :] + data
            self._at = 0
        else:
            self._step(data, 0)

    def ends(self, error: Exception | None) -> bool:
        """Note that the connection has ended; False where nothing waits, so that this can be acted on at once."""
        if not self._data:
            return False
        self._end = (error,)
        return True

    def run(self) -> None:
        """Take the next step."""
        data, self._data = self._data, b""
        taker = self._taker
        if not taker.takes_steps:
            return
        try:
            self._step(data, self._at)
        except Exception:
            taker.cut()
            raise
        if self._data or not taker.takes_steps:
            return
        ended, self._end = self._end, None
        if ended is not None:
            taker.upstream_lost(ended[0])
        elif self._connection is not None:
            self._connection.resume_reading(FULL)

    def _step(self, data: bytes, start: int) -> None:
        end = self._taker.take_step(data, start)
        if end < len(data) and self._taker.takes_steps:
            self._data, self._at = data, end
            if self._connection is not None:
                self._connection.pause_reading(FULL)
            self._queue.add(self)
