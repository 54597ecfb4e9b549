"""Follow the table of changes, whatever says that there are new ones."""

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
"""How often the table is read although nobody said that there is something new, in seconds: how late a change can be at
worst that nobody told of, and how old what is known can be while the database answers."""
BLIND_AFTER_S: Final = 10.0
"""After how many seconds without a look into the table a worker says that it is blind."""

Apply = Callable[[Sequence[Change]], Awaitable[None]]
Reset = Callable[[], Awaitable[None]]


class Feed(ABC):
    """Reads the table of changes whenever it is told that another connection, of any process, has committed.

    `apply` gets the changes in order, each at least once. `reset` is called where the feed can't say what changed:
    the table no longer goes on from what was read last (restored or pruned database, another server that lost the
    newest commits) or applying failed; it must drop all that was cached and confirm or close what is open. A failure
    is logged once and tried again until it goes well; it never ends the feed.

    `known_until` is up to which moment (monotonic seconds) all commits are known; a few seconds ago where all is well.
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
        """The newest change that was applied, or was there at the start."""
        return self._number

    @property
    def blind_since(self) -> float | None:
        """Up to which moment (monotonic seconds) all commits are known; None while they are known up to now.

        While it is not None, what is in memory may be out of date: a link may have been revoked elsewhere. A worker
        that gets no answer is blind too, and whoever waits for one can't say so.
        """
        is_blind = self._failing or self._monotonic() - self.known_until > BLIND_AFTER_S
        return self.known_until if is_blind else None

    async def start(self) -> None:
        """Begin with what is committed now; call it before anything is cached."""
        self.known_until = self._monotonic()
        await self._read_position()

    async def announce(self) -> None:
        """Return when everything that was committed before the call has been applied; raises what prevented it."""
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
        """Catch up at the beginning, when woken, after a failure, and `at_least_every` so many seconds."""
        while True:
            wake.clear()
            # Logged where it failed.
            with contextlib.suppress(Exception):
                await self.announce()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_INTERVAL_S if self._failing else at_least_every):
                    await wake.wait()

    async def _catch_up(self) -> bool:
        """Apply what is new; False when the table can't tell what is, or nobody knows how much of it was applied."""
        async with self._database.reading() as work:
            newest = await work.changes.last()
            rows = await work.changes.since(self._number)
        seen = rows.pop(0) if rows and rows[0].number == self._number else None
        # Numbers have no holes and never go back, and a row is never rewritten, but by a restore.
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
        # The number is read before the reset, so what is committed meanwhile is heard of afterwards.
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
        """Log the exception at hand, once until it went well again."""
        if not self._failing:
            self._failing = True
            self._log.exception("feed_failed", retry_seconds=RETRY_INTERVAL_S)
