"""Wake the feed by PostgreSQL's notifications."""

from __future__ import annotations

import asyncio
from typing import Final

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from guestpass.storage.dialect import CHANNEL
from guestpass.storage.feed.following import LOOK_INTERVAL_S, Feed
from guestpass.storage.outages import cause_of

HEARTBEAT_S: Final = 5.0
"""How often the listening connection notifies itself, in seconds, and how long that may take."""

_TROUBLE: Final = (SQLAlchemyError, psycopg.Error, OSError, TimeoutError)


class PostgresFeed(Feed):
    """The feed of workers on any number of machines.

    Each commit of a change notifies; a separate connection listens. Notifications only save time: the table is read
    every few seconds anyway, so a lost notification, connection or server loses no change.
    """

    async def run(self) -> None:
        """Apply changes of other processes as they are committed, until cancelled."""
        wake = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_listening(wake))
            await self._follow(wake, at_least_every=LOOK_INTERVAL_S)

    async def _keep_listening(self, wake: asyncio.Event) -> None:
        """Listen; reconnect with growing pauses when the connection is lost."""
        while True:
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(_TROUBLE),
                wait=wait_random_exponential(multiplier=0.1, max=5),
                before_sleep=self._log_deafness,
            )
            await retrying(self._listen_until_lost, wake)

    async def _listen_until_lost(self, wake: asyncio.Event) -> None:
        """Wake the feed at each notification; returns when the connection is lost, raises if it can't be made."""
        async with self._database.listening() as connection:
            own = f"guestpass_echo_{connection.info.backend_pid}"
            await connection.execute(f"LISTEN {CHANNEL}")
            await connection.execute(f"LISTEN {own}")
            is_proven = False
            try:
                while True:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await connection.execute(f"NOTIFY {own}")
                    has_echoed = False
                    async for notification in connection.notifies(timeout=HEARTBEAT_S):
                        has_echoed = has_echoed or notification.channel == own
                        wake.set()
                    if not has_echoed:
                        raise TimeoutError("no notification came back")
                    is_proven = True
            except _TROUBLE as error:
                if not is_proven:
                    raise
                self._log.warning("feed_deaf", cause=cause_of(error), look_seconds=LOOK_INTERVAL_S)

    def _log_deafness(self, state: RetryCallState) -> None:
        """Log once why listening fails, not at each try."""
        error = state.outcome.exception() if state.outcome is not None else None
        if state.attempt_number == 1 and error is not None:
            self._log.warning("feed_deaf", cause=cause_of(error), look_seconds=LOOK_INTERVAL_S)
