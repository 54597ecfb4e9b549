"""Count visits in memory and tell the database in batches; the hot path never writes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from guestpass.app.ports import Activity, Clock, RefusedCall, Store
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.finding import Finding
from guestpass.domain.link import VISIT_SILENCE, EventKind, LinkEvent

FLUSH_SECONDS: Final = 1.0
_SEEN_SECONDS: Final = 60.0
_MAX_PENDING: Final = 1000
_SILENCE: Final = VISIT_SILENCE.total_seconds()
_log = structlog.get_logger(__name__)


class _Mark:
    """What is known of one visitor: unflushed starts of visits, the newest request, and when that was last told."""

    __slots__ = ("last", "starts", "told")

    def __init__(self) -> None:
        self.starts: list[tuple[float, bool]] = []
        self.last = 0.0
        self.told = 0.0


class VisitLog:
    """Collects what visitors do; all times are Unix seconds.

    Lost with the process are at most FLUSH_SECONDS of visits; `last_seen` is told once a minute.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._marks: dict[tuple[str, str], _Mark] = {}
        self._refusals: list[LinkEvent] = []
        self._cookies: dict[EnvironmentKey, set[str]] = {}
        self._findings: dict[tuple[EnvironmentKey, str], tuple[Environment, Finding]] = {}
        self._calls: dict[EnvironmentKey, dict[tuple[str, str], tuple[int, float]]] = {}
        self._failing = False

    def opened(self, link_id: str, visitor: str, at: float) -> None:
        """A visitor opened a link: a visit starts."""
        mark = self._mark(link_id, visitor)
        mark.starts.append((at, True))
        mark.last = at

    def seen(self, link_id: str, visitor: str, at: float) -> None:
        """A visitor asked for something; after thirty silent minutes that starts a visit too."""
        mark = self._marks.get((link_id, visitor))
        if mark is None:
            mark = self._mark(link_id, visitor)
        if at - mark.last >= _SILENCE:
            mark.starts.append((at, False))
        mark.last = at

    def refused(self, link_id: str, at: float, reason: str, address: str) -> None:
        """Somebody was refused at a link that exists; beyond a bound within one flush such events are dropped."""
        if len(self._refusals) < _MAX_PENDING:
            self._refusals.append(LinkEvent(link_id, _time(at), EventKind.REFUSED, address, reason))

    def learned(self, environment: EnvironmentKey, name: str) -> None:
        """An environment sets a cookie of this name HttpOnly."""
        self._cookies.setdefault(environment, set()).add(name)

    def found(self, environment: Environment, finding: Finding) -> None:
        """A visitor met with something that the environment's owner should know."""
        self._findings[environment.key, finding.code] = environment, finding

    def refused_call(self, environment: EnvironmentKey, model: str, method: str, at: float) -> None:
        """A view-only link refused a method; beyond a bound within one flush others are dropped."""
        calls = self._calls.setdefault(environment, {})
        if (model, method) in calls or len(calls) < _MAX_PENDING:
            count, _ = calls.get((model, method), (0, 0.0))
            calls[model, method] = count + 1, at

    async def run(self) -> None:
        """Flush until cancelled; the caller flushes once more at the end."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception:  # noqa: BLE001 - whatever the database raises, counting goes on
                # Nothing is lost: what could not be written is still here for the next round.
                if not self._failing:
                    _log.exception("visits_not_written", remedy="check the database; it is tried again each second")
                self._failing = True
            else:
                self._failing = False

    async def flush(self) -> None:
        """Write what is new in one transaction; raises what the database raises, and then keeps everything."""
        now = self._clock.now().timestamp()
        due = {
            key: (len(mark.starts), mark.last)
            for key, mark in self._marks.items()
            if mark.starts or (mark.last > mark.told and mark.last - mark.told >= _SEEN_SECONDS)
        }
        refusals, cookies = tuple(self._refusals), {key: set(names) for key, names in self._cookies.items()}
        findings = dict(self._findings)
        calls = {key: dict(refused) for key, refused in self._calls.items()}
        if due or refusals or cookies or findings or calls:
            activities = [
                Activity(link_id, visitor, self._starts(link_id, visitor), _time(last))
                for (link_id, visitor), (_, last) in due.items()
            ]
            async with self._store.writing() as work:
                await work.visits.record(activities)
                await work.visits.add_events(refusals)
                for environment, names in cookies.items():
                    await work.environments.learn_http_only_cookies(environment, names)
                for found_at, finding in findings.values():
                    await work.environments.add_finding(found_at, finding)
                for environment, refused in calls.items():
                    counts = [RefusedCall(*pair, count, _time(at)) for pair, (count, at) in refused.items()]
                    await work.environments.add_refused_calls(environment, counts)
        for key, (count, last) in due.items():
            mark = self._marks[key]
            del mark.starts[:count]
            mark.told = last
        del self._refusals[: len(refusals)]
        for environment, names in cookies.items():
            self._cookies[environment] -= names
            if not self._cookies[environment]:
                del self._cookies[environment]
        for found, written in findings.items():
            if self._findings[found] is written:
                del self._findings[found]
        for environment, refused in calls.items():
            self._forget_calls(environment, refused)
        for key in [key for key, mark in self._marks.items() if not mark.starts and now - mark.last > _SILENCE]:
            del self._marks[key]

    def _forget_calls(self, environment: EnvironmentKey, written: dict[tuple[str, str], tuple[int, float]]) -> None:
        """Take off what was written; more may have been refused meanwhile."""
        kept = self._calls[environment]
        for pair, (count, _) in written.items():
            left, at = kept[pair]
            if left > count:
                kept[pair] = left - count, at
            else:
                del kept[pair]
        if not kept:
            del self._calls[environment]

    def _mark(self, link_id: str, visitor: str) -> _Mark:
        return self._marks.setdefault((link_id, visitor), _Mark())

    def _starts(self, link_id: str, visitor: str) -> tuple[tuple[datetime, bool], ...]:
        return tuple((_time(at), opening) for at, opening in self._marks[link_id, visitor].starts)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
