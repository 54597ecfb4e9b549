"""Follow the table of changes; the kinds of database differ in what wakes the feed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from guestpass.app.ports import Change
from guestpass.storage.changes import Recorded
from guestpass.storage.database import Database

RETRY_INTERVAL_S: Final = 0.5
"""How long to wait after a failure before trying again, in seconds."""
LOOK_INTERVAL_S: Final = 2.0
"""How often the table is read without a notification, in seconds: the longest delay of a change whose notification was
lost."""
BLIND_AFTER_S: Final = 10.0
"""After how many seconds without reading the table a worker logs that it may be out of date."""

Apply = Callable[[Sequence[Change]], Awaitable[None]]
Reset = Callable[[], Awaitable[None]]


class Feed(ABC):
    """Reads the table of changes whenever another connection, of any process, has committed.

    `apply` gets the changes in order, each at least once. `reset` is called where changes may be missing: the table
    does not continue what was read last (a restored or pruned database, a standby without the newest commits), or
    `apply` failed. It must drop all caches and check again, or close, what is open. A failure is logged once and
    retried until it succeeds; it never ends the feed.

    `known_until` is the time (monotonic seconds) up to which all commits are known; normally a few seconds ago.
    """

    def __init__(
        self, database: Database, apply: Apply, reset: Reset, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._apply = apply
        self._reset = reset
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._number = 0
        self._newest: Recorded | None = None
        self._must_reset = False
        self._failing = False
        self.known_until = monotonic()
        self._log: Any = structlog.get_logger(__name__)

    @property
    def number(self) -> int:
        """The number of the newest change that was applied, or existed at the start."""
        return self._number

    @property
    def blind_since(self) -> float | None:
        """The time (monotonic seconds) up to which all commits are known; None while the feed is up to date.

        While it is not None, caches may be out of date: a link may have been revoked elsewhere. It is computed from the
        clock, so it also notices a database that never answers.
        """
        is_blind = self._failing or self._monotonic() - self.known_until > BLIND_AFTER_S
        return self.known_until if is_blind else None

    async def start(self) -> None:
        """Start at what is committed now; call it before anything is cached."""
        self.known_until = self._monotonic()
        await self._read_position()

    async def announce(self) -> None:
        """Apply everything that was committed before the call; raises what prevented it."""
        async with self._lock:
            asked_at = self._monotonic()
            try:
                if not self._must_reset:
                    self._must_reset = not await self._catch_up()
                if self._must_reset:
                    await self._start_anew()
            except Exception:
                self._log_failure()
                raise
            if self._failing:
                self._failing = False
                self._log.info("feed_recovered", number=self._number)
            self.known_until = asked_at

    @abstractmethod
    async def run(self) -> None:
        """Apply changes of other processes as they are committed, until cancelled."""

    async def _follow(self, wake: asyncio.Event, *, at_least_every: float) -> None:
        """Catch up at the start, when woken, after a failure, and every `at_least_every` seconds."""
        while True:
            wake.clear()
            # Logged already, where it failed.
            with contextlib.suppress(Exception):
                await self.announce()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_INTERVAL_S if self._failing else at_least_every):
                    await wake.wait()

    async def _catch_up(self) -> bool:
        """Apply what is new; False if changes are missing from the table or were applied only in part."""
        async with self._database.reading() as work:
            newest = await work.changes.last()
            rows = await work.changes.since(self._number)
        seen = rows.pop(0) if rows and rows[0].number == self._number else None
        # Numbers have no gaps and never go back, and rows never change, except by a restore.
        if seen != self._newest or len(rows) != newest - self._number:
            self._log.warning("feed_gap", seen=self._number, newest=newest, rows=len(rows))
            return False
        if not rows:
            return True
        try:
            if changes := [change for row in rows if (change := row.change) is not None]:
                await self._apply(changes)
        except Exception:  # noqa: BLE001 -- whatever it was, the remedy is the same
            self._log_failure()
            return False
        self._number, self._newest = newest, rows[-1]
        return True

    async def _start_anew(self) -> None:
        # Read the number before the reset, so that what is committed meanwhile is applied afterwards.
        await self._read_position()
        await self._reset()
        self._must_reset = False
        self._log.info("feed_reset", number=self._number)

    async def _read_position(self) -> None:
        async with self._database.reading() as work:
            newest = await work.changes.last()
            rows = await work.changes.since(newest)
        self._number, self._newest = newest, rows[0] if rows else None

    def _log_failure(self) -> None:
        """Log the current exception, once until the feed has recovered."""
        if not self._failing:
            self._failing = True
            self._log.exception("feed_failed", retry_seconds=RETRY_INTERVAL_S)
