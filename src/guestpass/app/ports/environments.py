"""Ports of environments: their stores, accounts, branding and checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guestpass.app.environment_check import CheckReport
from guestpass.domain.account import Account, SignInRefusal
from guestpass.domain.branding import Branding
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.finding import Finding


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Since when an environment is unreachable, and the cause, for its owner."""

    since: datetime
    why: str


class Reachabilities(Protocol):
    """The store of unreachable environments."""

    async def candidates(self, *, after: EnvironmentKey | None, limit: int) -> list[Environment]:
        """The first `limit` environments of all organisations behind `after`, in the order of their keys."""
        ...

    async def of_org(self, org: str) -> dict[str, Unreachable]:
        """Those of an organisation that can't be reached, by their id."""
        ...

    async def get(self, key: EnvironmentKey) -> Unreachable | None:
        """Return the record of one; None where it is not known to be unreachable."""
        ...

    async def lose(self, key: EnvironmentKey, unreachable_now: Unreachable) -> bool:
        """Record that it is unreachable; False, and no change, where that is recorded already."""
        ...

    async def regain(self, key: EnvironmentKey) -> bool:
        """Delete the record of one that is reachable again; False where there was none."""
        ...


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """What view-only links of an environment refused, how often, and when last.

    A route has no `model`; its `method` is its path without the first slash.
    """

    model: str
    method: str
    count: int
    last_at: datetime


class Environments(Protocol):
    """The store of environments."""

    async def add(self, environment: Environment) -> None:
        """Insert; raises AlreadyExists when the key is taken."""
        ...

    async def get(self, key: EnvironmentKey) -> Environment | None: ...

    async def all(self, org: str) -> list[Environment]:
        """Every environment of the organisation, by name and then id."""
        ...

    async def page(self, org: str, *, after: tuple[str, str] | None, limit: int) -> list[Environment]:
        """The first `limit` of them behind `after` (name, id)."""
        ...

    async def count_of(self, org: str) -> int:
        """How many environments the organisation has."""
        ...

    async def count(self, *, up_to: int) -> int:
        """How many environments exist over all organisations, counted no further than that."""
        ...

    async def update(self, environment: Environment) -> bool:
        """Overwrite what can be changed; False when it is gone."""
        ...

    async def remove(self, key: EnvironmentKey) -> bool:
        """Delete with its findings, links, their tokens, visitors and events; False when there was none."""
        ...

    async def findings(self, org: str, *, id: str | None = None) -> dict[EnvironmentKey, tuple[Finding, ...]]:
        """The findings of an organisation's environments, or of one, in order; those without any are left out."""
        ...

    async def set_findings(self, key: EnvironmentKey, findings: Sequence[Finding]) -> None:
        """Replace the findings of an environment that exists."""
        ...

    async def add_finding(self, environment: Environment, finding: Finding) -> None:
        """Add a finding, unless one has the same code or the environment's revision has changed."""
        ...

    async def http_only_cookies(self, key: EnvironmentKey) -> frozenset[str]:
        """Names of cookies that the environment is known to set HttpOnly."""
        ...

    async def learn_http_only_cookies(self, key: EnvironmentKey, names: Iterable[str]) -> None:
        """Remember such names (at most 64 for one environment; nothing happens when it is gone)."""
        ...

    async def refused_calls(self, key: EnvironmentKey) -> list[RefusedCall]:
        """What view-only links refused there, most often first."""
        ...

    async def add_refused_calls(self, calls: Mapping[EnvironmentKey, Iterable[RefusedCall]]) -> None:
        """Add counts (at most 500 different methods for one environment; nothing happens for one that is gone)."""
        ...


class Accounts(Protocol):
    """The store of environments' accounts."""

    async def get(self, key: EnvironmentKey, name: str) -> Account | None: ...

    async def all(self, key: EnvironmentKey) -> list[Account]:
        """The environment's accounts, by name."""
        ...

    async def of_org(self, org: str, *, id: str | None = None) -> list[Account]:
        """The accounts of all of the organisation's environments, or of one, by environment and name."""
        ...

    async def put(self, account: Account) -> None:
        """Insert, or overwrite the one of that name."""
        ...

    async def remove(self, key: EnvironmentKey, name: str) -> bool:
        """Delete; False when there was none."""
        ...

    async def links_using(self, key: EnvironmentKey, name: str, *, now: datetime) -> int:
        """How many links that are active at `now` sign their visitors in as it."""
        ...

    async def refuse(self, key: EnvironmentKey, name: str, revision: int, at: datetime, why: SignInRefusal) -> bool:
        """Record that Odoo refused it; False when it is gone or has other credentials by now."""
        ...

    async def accept(self, key: EnvironmentKey, name: str, revision: int) -> bool:
        """Record that Odoo accepted it; False when it was not refused."""
        ...

    async def claim_retry(self, key: EnvironmentKey, name: str, *, now: datetime, before: datetime) -> bool:
        """Take the right to try a refused account again: True for one caller, where it was refused before `before`.

        One conditional statement, which sets `refused_at` to `now`.
        """
        ...


class Brandings(Protocol):
    """The store of organisations' branding."""

    async def get(self, org: str) -> Branding | None: ...

    async def put(self, org: str, new: Branding, *, at: datetime, by: str) -> None:
        """Insert or overwrite."""
        ...

    async def remove(self, org: str) -> bool:
        """Delete; False when there was none."""
        ...


class EnvironmentCheck(Protocol):
    """Check an environment from outside, as a visitor could."""

    async def check(self, environment: Environment) -> CheckReport:
        """Check within half a minute; an environment that can't be reached is a finding. Raises DescriptorsUsedUp."""
        ...


class ReachabilityCheck(Protocol):
    """Connect to an environment and send nothing."""

    async def why_unreachable(self, environment: Environment) -> str | None:
        """Why no connection can be made, in words for the owner; None if one can. Raises DescriptorsUsedUp."""
        ...
