"""What the use cases need from outside, as small protocols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from guestpass.app.probing import ProbeReport
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.finding import Finding
from guestpass.domain.link import LinkEvent, ShareLink, Status


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Now, as an aware UTC datetime."""
        ...


class Entropy(Protocol):
    """Unpredictable bytes."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes fit for secrets."""
        ...


class PasswordHasher(Protocol):
    """Slow hashes of passwords; neither call blocks the event loop."""

    async def hash(self, password: str) -> str:
        """An encoded hash that `verify` understands."""
        ...

    async def verify(self, encoded: str, password: str) -> bool:
        """Whether `password` is the one that was hashed."""
        ...


class TokenVault(Protocol):
    """Share tokens: made, recognised by a keyed hash, and kept encrypted so that an owner can see the URL again."""

    def new(self) -> str:
        """A fresh token of 256 bits."""
        ...

    def is_well_formed(self, token: str) -> bool:
        """Whether `token` has our form and a right checksum: what fails here was mistyped or guessed."""
        ...

    def hash(self, token: str) -> bytes:
        """The keyed hash (32 bytes) by which the token is looked up."""
        ...

    def seal(self, token: str, link_id: str) -> bytes:
        """The token encrypted and bound to its link."""
        ...

    def open(self, sealed: bytes, link_id: str) -> str:
        """The reverse of `seal`; raises ValueError when the key or the link is another."""
        ...


class ChangeKind(StrEnum):
    """What a row of the `changes` table is about."""

    LINK = "link"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed: `id` is a link's id or ``str(EnvironmentKey)``; the reader loads the thing itself."""

    number: int
    kind: ChangeKind
    id: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Which link a token hash leads to, and when it was retired by a rotation."""

    link_id: str
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What a worker saw of one visitor since it last told the database.

    `starts` are the times at which a visit began, oldest first: each a pair of time and whether it was
    an opening (always a visit) or a request after silence as far as this worker knows (a visit only
    where the database knows of no later request). `last_seen` is the newest request.
    """

    link_id: str
    visitor: str
    starts: tuple[tuple[datetime, bool], ...]
    last_seen: datetime


class Environments(Protocol):
    """Where environments are kept."""

    async def add(self, environment: Environment) -> None:
        """Insert; raises AlreadyExists when the key is taken."""
        ...

    async def get(self, key: EnvironmentKey) -> Environment | None: ...

    async def all(self, org: str) -> list[Environment]:
        """Every environment of the organisation, by name and then id."""
        ...

    async def count(self) -> int:
        """How many environments exist over all organisations."""
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

    async def http_only_cookies(self, key: EnvironmentKey) -> frozenset[str]:
        """Names of cookies that the environment is known to set HttpOnly."""
        ...

    async def learn_http_only_cookies(self, key: EnvironmentKey, names: Iterable[str]) -> None:
        """Remember such names (at most 64 for one environment; nothing happens when it is gone)."""
        ...


class Links(Protocol):
    """Where links and their tokens are kept."""

    async def add(self, link: ShareLink, token_hash: bytes, sealed_token: bytes) -> None: ...

    async def get(self, id: str) -> ShareLink | None: ...

    async def sealed_tokens(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The current sealed token of each link that exists."""
        ...

    async def by_environment(
        self, key: EnvironmentKey, *, now: datetime, status: Status | None = None
    ) -> list[ShareLink]:
        """The environment's links, newest first; with `status`, those in that state at `now`."""
        ...

    async def ids_by_environment(self, key: EnvironmentKey) -> list[str]: ...

    async def by_token_hash(self, token_hash: bytes) -> TokenRecord | None: ...

    async def deactivate(self, id: str, at: datetime) -> bool:
        """One conditional statement; False when the link is gone or was deactivated before."""
        ...

    async def remove(self, id: str) -> bool:
        """Delete with tokens, visitors and events; False when there was none."""
        ...


class Visits(Protocol):
    """Where visitors and a link's history are kept."""

    async def record(self, activities: Sequence[Activity]) -> None:
        """Add what workers saw, exactly once over any number of workers.

        For each start: an insert into visitors, or an update on the condition that it was an opening
        or that the known `last_seen` lies at least VISIT_SILENCE back. Counts on the link follow from
        what was really inserted or updated, each counted start is an `opened` event. Activities of
        links that are gone are dropped.
        """
        ...

    async def add_events(self, events: Sequence[LinkEvent]) -> None:
        """Append to links' histories; events of links that are gone are dropped."""
        ...

    async def events(self, link_id: str) -> list[LinkEvent]:
        """A link's history, oldest first."""
        ...


class RevokedTokens(Protocol):
    """Bearer tokens that were withdrawn before their time."""

    async def add(self, jti: str, *, revoked_at: datetime, expires_at: datetime) -> None:
        """Withdraw a token; a second time changes nothing."""
        ...

    async def contains(self, jti: str) -> bool: ...


class ChangeLog(Protocol):
    """The ordered table of changes by which workers hear of each other's writes."""

    async def append(self, kind: ChangeKind, id: str) -> None: ...

    async def after(self, number: int) -> list[Change]:
        """Changes with a higher number, in order."""
        ...

    async def last(self) -> int:
        """The highest number that was ever given out, 0 when none was."""
        ...


class UnitOfWork(Protocol):
    """One consistent view of the store."""

    @property
    def environments(self) -> Environments: ...
    @property
    def links(self) -> Links: ...
    @property
    def visits(self) -> Visits: ...
    @property
    def revoked_tokens(self) -> RevokedTokens: ...
    @property
    def changes(self) -> ChangeLog: ...


class Store(Protocol):
    """The database. A unit of work commits when its block ends and rolls back when it raises."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction that only reads."""
        ...

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction that may write; holds the write lock from its first statement on."""
        ...


class Announcer(Protocol):
    """Told after a commit that changed something, so that this process's own gateway acts before the caller hears."""

    async def announce(self) -> None:
        """Return when the changes committed so far have reached this process's directory."""
        ...


class Prober(Protocol):
    """Looks at a running application from outside, as a visitor could."""

    async def probe(self, environment: Environment) -> ProbeReport:
        """Look, within half a minute; what can't be reached is a finding."""
        ...


class Cuttable(Protocol):
    """An open exchange or tunnel that must end when its link does; `visitor` is the identity in the pass."""

    @property
    def visitor(self) -> str | None: ...

    def cut(self) -> None:
        """End it at once; what was under way must not look complete."""
        ...
