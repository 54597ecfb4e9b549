"""The feed: each worker hears of what any process committed, and acts on it at once."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from guestpass.app.ports import Change
from guestpass.storage.database import Database

POLL_INTERVAL_S: Final = 0.015
"""How often the file is looked at, in seconds.

On a small virtual machine an idle worker's feed took 0.56 % of a core and heard of a commit after 12 ms
at the median and 20 ms at most; every 10 ms it took 0.75 %.
"""
RETRY_INTERVAL_S: Final = 0.5
"""How long to wait after a failure before trying again, in seconds."""


class SQLiteFeed:
    """Reads the table of changes whenever another connection, of any process, has committed.

    `apply` gets the changes in order, each at least once. `reset` is called where the feed can't say
    what changed: numbers are missing (restored or pruned database) or applying failed; it must drop all
    that was cached and confirm or close what is open. A failure is logged once and tried again until it
    goes well; it never ends the feed.

    SQLite has no notifications. ``PRAGMA data_version`` tells a connection whether another one has
    committed; it reads shared memory, so a thread can ask often at little cost.
    """

    def __init__(
        self,
        database: Database,
        apply: Callable[[Sequence[Change]], Awaitable[None]],
        reset: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._apply = apply
        self._reset = reset
        self._lock = asyncio.Lock()
        self._number = 0
        self._must_reset = False
        self._failing = False
        self._log: Any = structlog.get_logger(__name__)

    @property
    def number(self) -> int:
        """The newest change that was applied, or was there at the start."""
        return self._number

    async def start(self) -> None:
        """Begin with what is committed now; call it before anything is cached."""
        async with self._database.reading() as work:
            self._number = await work.changes.last()

    async def announce(self) -> None:
        """Return when everything that was committed before the call has been applied; raises what prevented it."""
        async with self._lock:
            if not self._must_reset:
                try:
                    self._must_reset = not await self._catch_up()
                except Exception:  # noqa: BLE001 -- whatever it was, the remedy is the same
                    # Nobody knows how much of it was applied, so nothing that is cached can be trusted.
                    self._must_reset = True
                    self._log_failure()
            if self._must_reset:
                try:
                    await self._start_anew()
                except Exception:
                    self._log_failure()
                    raise

    async def run(self) -> None:
        """Apply changes of other processes as they are committed, until cancelled."""
        wake = asyncio.Event()
        stop = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(self._database.path, asyncio.get_running_loop(), wake, stop), name="database-feed"
        )
        watcher.start()
        try:
            while True:
                wake.clear()
                # Logged where it failed.
                with contextlib.suppress(Exception):
                    await self.announce()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_INTERVAL_S if self._must_reset else None):
                        await wake.wait()
        finally:
            stop.set()
            watcher.join()  # It looks at `stop` every few milliseconds.

    async def _catch_up(self) -> bool:
        """Apply what is new; False when the table can't tell what is."""
        async with self._database.reading() as work:
            newest = await work.changes.last()
            changes = await work.changes.after(self._number)
        if len(changes) != newest - self._number:  # Numbers have no holes, and never go back but by a restore.
            self._log.warning("feed_gap", seen=self._number, newest=newest, rows=len(changes))
            return False
        if changes:
            await self._apply(changes)
            self._number = newest
        return True

    async def _start_anew(self) -> None:
        # The number is read before the reset, so what is committed meanwhile is heard of afterwards.
        async with self._database.reading() as work:
            newest = await work.changes.last()
        await self._reset()
        self._number = newest
        self._must_reset = self._failing = False
        self._log.info("feed_reset", number=newest)

    def _log_failure(self) -> None:
        """Log the exception at hand, once until a reset has succeeded."""
        if not self._failing:
            self._failing = True
            self._log.exception("feed_failed", retry_seconds=RETRY_INTERVAL_S)


def _watch(path: Path, loop: asyncio.AbstractEventLoop, wake: asyncio.Event, stop: threading.Event) -> None:
    """Wake the loop at the beginning and whenever another connection has committed; the work of the feed's thread."""
    while not stop.is_set():
        # A file that can't be read now is reported by the reader that this wakes.
        with contextlib.suppress(sqlite3.Error):
            _watch_connection(path, loop, wake, stop)
        loop.call_soon_threadsafe(wake.set)
        stop.wait(RETRY_INTERVAL_S)


def _watch_connection(path: Path, loop: asyncio.AbstractEventLoop, wake: asyncio.Event, stop: threading.Event) -> None:
    uri = f"{path.as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
        cursor = connection.cursor()
        seen = None
        while not stop.is_set():
            (version,) = cursor.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                loop.call_soon_threadsafe(wake.set)
            time.sleep(POLL_INTERVAL_S)  # Half the cost of waiting for `stop`.
