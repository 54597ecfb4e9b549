"""Environments: where they are kept, with their accounts, and who looks at them."""

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
    """Since when an environment can't be reached, and why in words for its owner."""

    since: datetime
    why: str


class Reachabilities(Protocol):
    """Where it is kept which environments can't be reached."""

    async def candidates(self, *, after: EnvironmentKey | None, limit: int) -> list[Environment]:
        """The first `limit` environments of all organisations behind `after`, in the order of their keys."""
        ...

    async def of_org(self, org: str) -> dict[str, Unreachable]:
        """Those of an organisation that can't be reached, by their id."""
        ...

    async def get(self, key: EnvironmentKey) -> Unreachable | None:
        """What is known of one; None where it can be reached, as far as is known."""
        ...

    async def lose(self, key: EnvironmentKey, unreachable_now: Unreachable) -> bool:
        """Write down that it can't be reached; False where that was known, whose time and cause stay."""
        ...

    async def regain(self, key: EnvironmentKey) -> bool:
        """Write down that it can be reached again; False where nothing else was known."""
        ...


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A method that view-only links of an environment refused, how often, and when last."""

    model: str
    method: str
    count: int
    last_at: datetime


class Environments(Protocol):
    """Where environments are kept."""

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
        """What was found at the organisation's environments, or at one, in order; without those that have none."""
        ...

    async def set_findings(self, key: EnvironmentKey, findings: Sequence[Finding]) -> None:
        """Replace what was found at an environment that exists."""
        ...

    async def add_finding(self, environment: Environment, finding: Finding) -> None:
        """Add what was found on the way, unless one of its code is there or the environment has moved since."""
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
    """Where accounts of environments are kept."""

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
        """Write down that Odoo refused it; False when it is gone or has other credentials by now."""
        ...

    async def accept(self, key: EnvironmentKey, name: str, revision: int) -> bool:
        """Write down that Odoo accepted it; False when nothing had been refused."""
        ...

    async def claim_retry(self, key: EnvironmentKey, name: str, *, now: datetime, before: datetime) -> bool:
        """Take the right to try a refused account again: True for one caller, where it was refused before `before`.

        One conditional statement, which sets `refused_at` to `now`.
        """
        ...


class Brandings(Protocol):
    """Where it is kept how organisations look to their visitors."""

    async def get(self, org: str) -> Branding | None: ...

    async def put(self, org: str, new: Branding, *, at: datetime, by: str) -> None:
        """Insert, or overwrite what was there."""
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
