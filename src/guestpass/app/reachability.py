"""Check whether environments can be reached, before a visitor finds out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from guestpass.app.environments import EnvironmentService
from guestpass.app.ports import Announcer, Budget, ChangeKind, Clock, ReachabilityCheck, Store, Unreachable
from guestpass.app.turns import BACKGROUND
from guestpass.domain.access import Principal
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.errors import NotFound

INTERVAL_S: Final = 60.0
"""Seconds between two checks of an environment."""
ROUNDS: Final = "1/50second"
"""Rounds of all workers together: the first one to wake makes it for the others."""
CONCURRENT_CHECKS: Final = 8
PAGE: Final = 100
"""Environments to read from the database at a time."""
UNREACHABLE: Final = "unreachable"
"""The finding of a check where nothing answers."""
_log = structlog.get_logger(__name__)


class Reachability:
    """Connect to every environment once in a while, and record where that begins to fail or works again.

    Nothing is sent over the connections, so environments hardly notice.
    """

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        checker: ReachabilityCheck,
        environments: EnvironmentService,
        rounds: Budget,
        clock: Clock,
        *,
        interval: float = INTERVAL_S,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._checker = checker
        self._environments = environments
        self._rounds = rounds
        self._clock = clock
        self._interval = interval

    async def run(self) -> None:
        """Check all of them after each interval, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                if await self._rounds.spend("all") is None:
                    await self.check_all()
            except Exception:  # noqa: BLE001 - whatever the database raises, the checks go on
                _log.exception("environments_not_checked", retry_seconds=self._interval)

    async def check_all(self) -> None:
        """Check each environment of all organisations once."""
        last: EnvironmentKey | None = None
        turns = asyncio.Semaphore(CONCURRENT_CHECKS)

        async def check(environment: Environment) -> None:
            async with turns:
                await self.check(environment)

        while True:
            async with self._store.reading() as work:
                environments = await work.reachabilities.candidates(after=last, limit=PAGE)
            if not environments:
                return
            async with asyncio.TaskGroup() as tasks:
                for environment in environments:
                    tasks.create_task(check(environment))
            last = environments[-1].key

    async def check(self, environment: Environment) -> None:
        """Connect once; record a change, and notify open pages of it."""
        why = await self._checker.why_unreachable(environment)
        async with self._store.reading() as work:
            known = await work.reachabilities.get(environment.key)
        if known is None and why is None:
            # A check found it down, and it is back before a round noticed.
            await self._check_fully(environment.key)
        if (known is None) == (why is None):
            return
        async with self._store.writing(BACKGROUND) as work:
            now = await work.environments.get(environment.key)
            if now is None or (now.revision, now.created_at) != (environment.revision, environment.created_at):
                return
            if why is None:
                changed = await work.reachabilities.regain(environment.key)
            else:
                changed = await work.reachabilities.lose(environment.key, Unreachable(self._clock.now(), why))
            if changed:
                await work.changes.append(ChangeKind.ENVIRONMENT, str(environment.key))
        await self._announcer.announce()
        if why is None:
            await self._check_fully(environment.key)

    async def _check_fully(self, key: EnvironmentKey) -> None:
        """Check an environment that is back, if its last check found it unreachable."""
        async with self._store.reading() as work:
            findings = (await work.environments.findings(key.org, id=key.id)).get(key, ())
        if any(finding.code == UNREACHABLE for finding in findings):
            # It may have been removed in the meantime.
            with contextlib.suppress(NotFound):
                await self._environments.check(Principal("guestpass", key.org), key.id)
