"""Know whether environments can be reached, before a visitor finds out."""

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
"""How often each environment is looked at, in seconds."""
ROUNDS: Final = "1/50second"
"""How many rounds all workers make together: the first one to wake makes it for the others."""
AT_ONCE: Final = 8
"""How many are looked at at the same time."""
READ_AT_ONCE: Final = 100
"""How many are in memory for that."""
UNREACHABLE: Final = "unreachable"
"""The code of what a look finds where nothing answers."""
_log = structlog.get_logger(__name__)


class Reachability:
    """Connects to every environment now and then, and writes down where that begins or ends to fail.

    It only connects and says nothing, so an environment notices next to nothing of it.
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
        """Look at all of them, again and again, until cancelled; they were just looked at when they were added."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                if await self._rounds.spend("all") is None:
                    await self.look_at_all()
            except Exception:  # noqa: BLE001 - whatever the database raises, looking goes on
                _log.exception("environments_not_checked", retry_seconds=self._interval)

    async def look_at_all(self) -> None:
        """Look at each environment of all organisations once."""
        last: EnvironmentKey | None = None
        turns = asyncio.Semaphore(AT_ONCE)

        async def look(environment: Environment) -> None:
            async with turns:
                await self.look_at(environment)

        while True:
            async with self._store.reading() as work:
                environments = await work.reachabilities.candidates(after=last, limit=READ_AT_ONCE)
            if not environments:
                return
            async with asyncio.TaskGroup() as tasks:
                for environment in environments:
                    tasks.create_task(look(environment))
            last = environments[-1].key

    async def look_at(self, environment: Environment) -> None:
        """Connect once; where that changes what was known, write it down and let open pages know."""
        why = await self._checker.why_unreachable(environment)
        async with self._store.reading() as work:
            known = await work.reachabilities.get(environment.key)
        if known is None and why is None:
            # It was down when somebody looked, and is back before the watch saw that.
            await self._look_closer(environment.key)
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
            await self._look_closer(environment.key)

    async def _look_closer(self, key: EnvironmentKey) -> None:
        """It is back: what was found while nothing answered says nothing about it."""
        async with self._store.reading() as work:
            findings = (await work.environments.findings(key.org, id=key.id)).get(key, ())
        if any(finding.code == UNREACHABLE for finding in findings):
            # It may have been removed meanwhile.
            with contextlib.suppress(NotFound):
                await self._environments.check(Principal("guestpass", key.org), key.id)
