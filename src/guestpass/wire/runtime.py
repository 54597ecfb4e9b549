"""What all connections of one worker share: the event loop, its tasks, the clock, and connections to upstreams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from guestpass.wire.connector import Connector
from guestpass.wire.pool import Pool
from guestpass.wire.run_queue import RunQueue
from guestpass.wire.write_buffer import FlushQueue


class Runtime:
    """Make it inside the running loop. `draining` says that this worker ends: no connection is kept for long.

    `time` is the wall clock in Unix seconds. What a spawned task raises is given to `failed`.
    """

    __slots__ = ("_failed", "_tasks", "draining", "flush_queue", "loop", "pool", "run_queue", "time")

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        connector: Connector,
        *,
        time: Callable[[], float],
        failed: Callable[[Exception], None],
    ) -> None:
        # Kept, since until Python 3.12 each question for the running loop is a system call.
        self.loop = asyncio.get_running_loop()
        self.time = time
        self.flush_queue = FlushQueue(self.loop)
        self.run_queue = RunQueue(self.loop)
        self.pool = Pool(self.loop, connector, self.flush_queue)
        self.draining = False
        self._tasks = tasks
        self._failed = failed

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine, owned by the worker's task group; an error in it ends one request and no more."""
        self._tasks.create_task(self._guard(work))

    def spawn_late(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """The same for a task that may be cancelled before it begins: its coroutine is only made then."""
        return self._tasks.create_task(self._guard_late(work))

    async def _guard_late(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await self._guard(work())

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - each is reported
            self._failed(error)
