"""Summaries of an organisation's environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from guestpass.app.findings import Findings, closing
from guestpass.app.ports import Clock, Store, Unreachable
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.errors import NotFound
from guestpass.domain.finding import Finding
from guestpass.domain.link import holds_words, searchable
from guestpass.domain.visit import LIVE


@dataclass(frozen=True, slots=True)
class EnvironmentSummary:
    """One environment: how many of its links are open, how many visitors are there now, and what was found.

    `unreachable` is None while it can be reached.
    """

    environment: Environment
    unreachable: Unreachable | None
    links_open: int
    visitors_now: int
    findings: tuple[Finding, ...]

    @property
    def closed(self) -> tuple[Finding, ...]:
        """What keeps visitors out at the moment."""
        return closing(self.environment, self.findings)


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """A part of the overview: `total` counts what matches the search, `now` is the moment that it shows."""

    summaries: Sequence[EnvironmentSummary]
    total: int
    now: datetime


class Overview:
    """Read summaries in a number of queries that does not grow with the number of environments."""

    def __init__(self, store: Store, findings: Findings, clock: Clock) -> None:
        self._store = store
        self._findings = findings
        self._clock = clock

    async def page(self, principal: Principal, *, search: str = "", offset: int = 0, limit: int = 50) -> SummaryPage:
        """Environments by name; `search` keeps those that have each of its words in name, id or address."""
        principal.require(Scope.ENVIRONMENTS_READ)
        now, wanted = self._clock.now(), searchable(search)
        async with self._store.reading() as work:
            environments = await work.environments.all(principal.org)
            links = await work.links.count_active(principal.org, now)
            visitors = await work.visits.live_by_environment(principal.org, now - LIVE)
            unreachable = await work.reachabilities.of_org(principal.org)
        matching = [
            environment
            for environment in environments
            if holds_words(searchable(f"{environment.name}\n{environment.id}\n{environment.url}"), wanted)
        ]
        shown = matching[offset : offset + limit]
        findings = await self._findings.of(shown)
        summaries = [
            EnvironmentSummary(
                each, unreachable.get(each.id), links.get(each.id, 0), visitors.get(each.id, 0), findings[each.key]
            )
            for each in shown
        ]
        return SummaryPage(summaries, len(matching), now)

    async def one(self, principal: Principal, id: str) -> tuple[EnvironmentSummary, datetime]:
        """One environment, and the moment that it shows; raises NotFound, also for another organisation's."""
        principal.require(Scope.ENVIRONMENTS_READ)
        now, key = self._clock.now(), EnvironmentKey(principal.org, id)
        async with self._store.reading() as work:
            environment = await work.environments.get(key)
            if environment is None:
                raise NotFound("environment", id)
            links = await work.links.count_active(principal.org, now)
            visitors = await work.visits.live_by_environment(principal.org, now - LIVE)
            unreachable = await work.reachabilities.get(key)
        findings = await self._findings.of([environment])
        return EnvironmentSummary(environment, unreachable, links.get(id, 0), visitors.get(id, 0), findings[key]), now
