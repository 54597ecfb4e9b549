"""What the use cases need from outside, as small protocols."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Protocol

from guestpass.app.environment_check import CheckReport
from guestpass.app.turns import VISITORS, Turn
from guestpass.domain.access import Principal
from guestpass.domain.account import Account, SignInRefusal
from guestpass.domain.branding import Branding
from guestpass.domain.environment import Environment, EnvironmentKey, OdooAddress
from guestpass.domain.errors import GuestpassError
from guestpass.domain.finding import Finding
from guestpass.domain.link import EventKind, LinkEvent, ShareLink, ShareType, Status
from guestpass.domain.visit import Refusal, Visitor


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
    """Slow hashes of passwords, few at a time; none of the calls blocks the event loop.

    Turns are shared out fairly. Waiting for one raises TooManyWaiting where too many do.
    """

    async def hash(self, password: str, org: str) -> str:
        """An encoded hash that `verify` understands, for this organisation, once it has its turn."""
        ...

    def turn(self, link_id: str, address: str) -> AbstractAsyncContextManager[None]:
        """Wait until `verify` can begin at once, for a visitor of this link at this address."""
        ...

    async def verify(self, encoded: str, password: str) -> bool:
        """Whether `password` is the one that was hashed; call it within a turn."""
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


class Sealer(Protocol):
    """Keeps secrets that we must be able to read again; `context` says what a secret is for and whose it is."""

    def seal(self, text: str, context: str) -> bytes:
        """The text encrypted and bound to its context."""
        ...

    def open(self, sealed: bytes, context: str) -> str:
        """The reverse of `seal`; raises ValueError when the key or the context is another."""
        ...


class ChangeKind(StrEnum):
    """What a row of the `changes` table is about."""

    LINK = "link"
    VISIT = "visit"  # of a link, whose numbers changed; it concerns nobody but who looks at them
    ENVIRONMENT = "environment"
    BRANDING = "branding"
    ODOO_SESSION = "odoo_session"


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed; the reader loads the thing itself.

    `id` is a link's id, ``str(EnvironmentKey)``, or a link's id and a visitor's with a slash between them.
    """

    number: int
    kind: ChangeKind
    id: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Which link a token hash leads to, and when it was retired by a rotation."""

    link_id: str
    retired_at: datetime | None


class SlotResult(Enum):
    """What came of the wish for one of a link's places."""

    TAKEN = "taken"
    RECLAIMED = "reclaimed"  # taken from reservations that were over: those visits have ended
    HELD = "held"  # by this very visitor, from before
    FULL = "full"
    GONE = "gone"  # the link is, or has another version, or the visit was ended


@dataclass(frozen=True, slots=True)
class Activity:
    """What a worker saw of one visitor since it last told the database.

    `starts` are the times at which a visit began, oldest first: each a pair of time and whether it was
    an opening (always a visit) or a request after silence as far as this worker knows (a visit only
    where the database knows of no later request). `further` are more openings, so many in each hour (by its
    beginning), which are counted and not told one by one, and `newcomers` is how many more the visitors are where
    `visitor` is OTHERS. `last_seen` is the newest request, `present_at` the newest moment at which something was open;
    None where there was none. `origin` is what the newest opening told of the visitor. `link_version` is the one in
    their pass, None where that was not seen, and `came_back` says that a request has brought the pass.
    """

    link_id: str
    visitor: str
    starts: tuple[tuple[datetime, bool], ...]
    last_seen: datetime | None = None
    present_at: datetime | None = None
    origin: Origin | None = None
    further: tuple[tuple[datetime, int], ...] = ()
    newcomers: int = 0
    link_version: int | None = None
    came_back: bool = False


class Rate(Protocol):
    """How often something may be done, as far as this process knows."""

    def spend(self, key: str, *, cost: int = 1) -> float | None:
        """Take `cost` from what this key may still spend; the seconds until there is more where too little is left."""
        ...

    def refund(self, key: str, *, cost: int = 1) -> None:
        """Give back what was spent."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a visitor comes from, and with what; None for what is not known or not to be kept."""

    address: str | None
    browser: str | None
    system: str | None


class LinkSort(StrEnum):
    """By what a list of links is sorted."""

    CREATED = "created"
    EXPIRES = "expires"
    LAST_OPENED = "lastOpened"
    LABEL = "label"
    VISITS = "visits"


SortKey = tuple[datetime | str | int | None, str]
"""Where a link stands in a list: what it is sorted by, and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFilter:
    """Which of an organisation's links are wanted; None for what doesn't matter.

    `text` is folded, and is looked for in label, note, id and the environment's name. `expires_before` leaves out
    what isn't active. `now` is what the status is of.
    """

    org: str
    now: datetime
    text: str | None = None
    environment_id: str | None = None
    status: Status | None = None
    share_type: ShareType | None = None
    created_by: str | None = None
    expires_before: datetime | None = None


SessionKey = tuple[str, str]
"""Whose Odoo session it is: the link's id and the visitor."""


@dataclass(frozen=True, slots=True)
class OdooSession:
    """The Odoo session that we hold for one visitor of one link.

    `sealed` is its id, encrypted; None while the first sign-in is under way. `revision` grows with each new id, so
    that of two workers that saw different ids only one can write. `account_revision` and `link_version` are those
    that it was made for: it ends when either moves on, and at `ends_at` where there is one.
    """

    link_id: str
    visitor: str
    environment: EnvironmentKey
    account: str
    account_revision: int
    link_version: int
    sealed: bytes | None
    revision: int
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OdooSignOut:
    """A session that an Odoo is still to be told to end.

    `sealed` is its id, encrypted as the session's of this link and visitor was. `tries` is how often it failed.
    """

    number: int
    at: OdooAddress
    link_id: str
    visitor: str
    sealed: bytes
    tries: int


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A method that view-only links of an environment refused, how often, and when last."""

    model: str
    method: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class DashboardSession:
    """Somebody who is signed in to the dashboard; `id` is no secret.

    `jti` is the bearer token's that it was made from, None for one that was opened on the command line. `address` is
    where it was signed in from.
    """

    id: str
    who: Principal
    jti: str | None
    address: str
    created_at: datetime
    expires_at: datetime


class SessionTokens(Protocol):
    """Secrets of the dashboard: made, and recognised by a keyed hash."""

    def new(self) -> str:
        """A fresh token of 256 bits, in characters that a URL and a cookie can hold."""
        ...

    def hash(self, token: str) -> bytes:
        """The keyed hash (32 bytes) by which the token is looked up."""
        ...


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


class DashboardSessions(Protocol):
    """Where one-time invitations to the dashboard and its sessions are kept."""

    async def invite(self, token_hash: bytes, who: Principal, *, until: datetime) -> None:
        """Keep an invitation."""
        ...

    async def is_invited(self, token_hash: bytes, *, now: datetime) -> bool:
        """Whether there is such an invitation that is not over; takes nothing."""
        ...

    async def accept(self, token_hash: bytes, *, now: datetime) -> Principal | None:
        """Take an invitation; one conditional statement, so that only one caller gets it."""
        ...

    async def add(self, session: DashboardSession, token_hash: bytes) -> None:
        """Keep a session."""
        ...

    async def find(self, token_hash: bytes, *, now: datetime) -> DashboardSession | None:
        """The session, unless it is over or its bearer token was revoked."""
        ...

    async def all(self, *, now: datetime) -> list[DashboardSession]:
        """Every session that `find` would find, newest first."""
        ...

    async def remove(self, id: str) -> bool:
        """End a session; False when there was none."""
        ...


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


class OdooSessions(Protocol):
    """Where visitors' Odoo sessions are kept, each of which was made where its environment is now.

    What ends is moved to OdooSignOuts in the same transaction. Rows outlive their link until somebody does so.
    """

    async def get(self, link_id: str, visitor: str) -> OdooSession | None: ...

    async def claim(self, wanted: OdooSession, *, claim: str, now: datetime, until: datetime) -> bool:
        """Take the right to sign this visitor in, until `until`; one conditional statement.

        True where the row has `wanted.revision` (or there is none, and then it is inserted with `sealed` None and
        revision 0) and no other claim runs at `now`.
        """
        ...

    async def complete(self, session: OdooSession, *, claim: str, now: datetime) -> int | None:
        """Write what a sign-in brought (`sealed`, account, revisions), end the claim and return the new revision.

        None where the claim is no longer ours. The session that it replaces ends.
        """
        ...

    async def release(self, link_id: str, visitor: str, *, claim: str) -> None:
        """End a claim whose sign-in failed."""
        ...

    async def rotate(self, link_id: str, visitor: str, *, revision: int, sealed: bytes) -> bool:
        """Write the id that Odoo moved the session to; False where the row no longer has that revision."""
        ...

    async def end(self, link_id: str, visitor: str, now: datetime) -> bool:
        """End the visitor's session; False when there was none."""
        ...

    async def look(self, now: datetime, *, after: SessionKey, count: int) -> list[tuple[SessionKey, bool]]:
        """The next `count` rows behind `after` in the order of their keys, and whether each is over at `now`.

        A row is over when its link is gone, not active, of another version, or signs in as another account; when an
        owner ended the visit; or when its own time is over.
        """
        ...

    async def ended_of_links(self, link_ids: Collection[str], now: datetime, *, limit: int) -> list[SessionKey]:
        """Up to `limit` rows of these links that are over."""
        ...

    async def ended_by_time(self, since: datetime, now: datetime, *, limit: int) -> list[SessionKey]:
        """Up to `limit` rows of links that expired after `since`."""
        ...

    async def end_finished(self, keys: Iterable[SessionKey], now: datetime) -> list[SessionKey]:
        """End those of these that are over at `now`, and return them."""
        ...

    async def end_all(self, environment: EnvironmentKey, now: datetime) -> None:
        """End all of an environment, while it still says where they were made."""
        ...


class OdooSignOuts(Protocol):
    """Which sessions Odoos are still to be told to end. Rows outlive their environment."""

    async def add(self, at: OdooAddress, link_id: str, visitor: str, sealed: bytes, now: datetime) -> None:
        """Keep one, to be told at once."""
        ...

    async def due(self, now: datetime, *, limit: int) -> list[OdooAddress]:
        """Up to `limit` addresses at which there is something to tell."""
        ...

    async def claim(self, at: OdooAddress, *, now: datetime, until: datetime, limit: int) -> list[OdooSignOut]:
        """Take up to `limit` that are due there; nobody else gets these before `until`."""
        ...

    async def remove(self, numbers: Sequence[int]) -> None:
        """Forget these, which were told."""
        ...

    async def most_tries(self, at: OdooAddress) -> int:
        """How often the one failed that failed most often there."""
        ...

    async def put_off(self, number: int, until: datetime, *, tries: int) -> None:
        """Tell this one again at `until`, after so many failures."""
        ...

    async def put_off_all(self, at: OdooAddress, until: datetime) -> None:
        """Tell nothing there before `until`."""
        ...

    async def give_up(self, at: OdooAddress, *, before: datetime, keep: int) -> int:
        """Forget what ended there before this time, and all but the newest `keep`; returns how many."""
        ...


class Links(Protocol):
    """Where links and their tokens are kept."""

    async def add(self, link: ShareLink, token_hash: bytes, sealed_token: bytes) -> None: ...

    async def update(self, link: ShareLink) -> bool:
        """Overwrite what an owner can change; False when it is gone. What visitors did stays."""
        ...

    async def replace_token(self, id: str, token_hash: bytes, sealed_token: bytes, at: datetime) -> None:
        """Retire the link's token and give it another."""
        ...

    async def get(self, id: str) -> ShareLink | None: ...

    async def sealed_tokens(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The current sealed token of each link that exists."""
        ...

    async def by_environment(
        self, key: EnvironmentKey, *, now: datetime, status: Status | None = None
    ) -> list[ShareLink]:
        """The environment's links, newest first; with `status`, those in that state at `now`."""
        ...

    async def find(
        self,
        wanted: LinkFilter,
        *,
        sort: LinkSort,
        descending: bool,
        after: SortKey | None,
        limit: int,
    ) -> list[ShareLink]:
        """The first `limit` links behind `after`; those that were never opened come last either way."""
        ...

    async def count(self, wanted: LinkFilter) -> int:
        """How many links `find` has, over all."""
        ...

    async def count_active(self, org: str, now: datetime) -> dict[str, int]:
        """How many links of each environment are active at `now`; without those that have none."""
        ...

    async def by_token_hash(self, token_hash: bytes) -> TokenRecord | None: ...

    async def deactivate(self, id: str, at: datetime) -> bool:
        """One conditional statement; False when the link is gone or was deactivated before."""
        ...

    async def deactivate_many(self, org: str, ids: Sequence[str], at: datetime) -> tuple[set[str], set[str]]:
        """Those of the organisation's that are deactivated by now, and those of them that were before."""
        ...

    async def remove(self, id: str) -> bool:
        """Delete with tokens, visitors and events; False when there was none."""
        ...


class Visits(Protocol):
    """Where visitors and a link's history are kept."""

    async def record(self, activities: Sequence[Activity]) -> None:
        """Add what workers saw, exactly once over any number of workers.

        For each start: an insert into visitors, or an update on the condition that it was an opening
        or that the known `last_seen` lies at least VISIT_SILENCE back. Counts on the link and for its hours follow
        from what was really inserted or updated, each counted start is an `opened` event. Activities of
        links that are gone are dropped.
        """
        ...

    async def visitor(self, link_id: str, visitor: str) -> Visitor | None: ...

    async def visitors(self, link_id: str, *, after: tuple[datetime, int] | None, limit: int) -> list[Visitor]:
        """The first `limit` visitors behind `after` (last seen, number), those seen last first."""
        ...

    async def count_visitors(self, link_id: str) -> int:
        """How many visitors `visitors` has, over all."""
        ...

    async def live(self, link_ids: Sequence[str], since: datetime) -> dict[str, int]:
        """How many visitors of each link showed a sign of life after `since`; without those that have none."""
        ...

    async def live_by_environment(self, org: str, since: datetime) -> dict[str, int]:
        """The same for each of an organisation's environments."""
        ...

    async def hours(self, link_id: str, since: datetime) -> dict[datetime, int]:
        """How many visits began in each hour from `since` on, by the hour's beginning; without those that have none."""
        ...

    async def add_events(self, events: Sequence[LinkEvent]) -> None:
        """Append to links' histories; events of links that are gone are dropped."""
        ...

    async def events(self, link_id: str) -> list[LinkEvent]:
        """A link's history, oldest first."""
        ...

    async def newest_events(
        self, link_id: str, *, kinds: Sequence[EventKind], before: tuple[datetime, int] | None, limit: int
    ) -> list[LinkEvent]:
        """The newest `limit` events of these kinds that lie before `before` (time, number), newest first."""
        ...


class Places(Protocol):
    """Where it is kept whom a link has let in, and whose visits have ended."""

    async def take_place(
        self, link_id: str, visitor: str, version: int, at: datetime, *, reserved_until: datetime
    ) -> SlotResult:
        """Let a visitor in with a pass of this version, where the link has room; exact over any number of workers.

        A place is held by whose visit was not ended and whose pass is of the link's present version. Until the pass has
        come back it is reserved for so long; where all others are taken, it goes on to somebody else after that.
        """
        ...

    async def free_place(
        self, link_id: str, visitor: str, at: datetime, *, reserved_until: datetime | None = None
    ) -> None:
        """End a reservation: who holds the place has left before the answer came.

        With `reserved_until` only while it is still this one: the same browser may have asked again.
        """
        ...

    async def give_place_back(self, link_id: str, visitor: str, *, reserved_until: datetime) -> None:
        """Forget a visitor who has taken a place, was never told so, and has done nothing since, as asking again."""
        ...

    async def places_taken(self, link_ids: Sequence[str], now: datetime) -> dict[str, int]:
        """How many places of each link are taken, by the rule of `take_place`; without those that have none."""
        ...

    async def end(self, link_id: str, visitor: str, at: datetime) -> bool:
        """End a visit, so that its place is free; False where there was none, or it was over before."""
        ...

    async def leave(self, link_id: str, visitor: str, version: int, at: datetime, *, told_apart: bool = True) -> bool:
        """The same for whoever leaves by themselves, also where nothing of them was written yet.

        Who is not `told_apart` from others is in no list.
        """
        ...

    async def ended(self, link_id: str) -> frozenset[str]:
        """The visitors of a link whose visits were ended, and whose passes would otherwise open it."""
        ...

    async def ended_of(self, link_id: str, given: Sequence[str]) -> frozenset[str]:
        """Those of these visitors whose visits were ended, whatever their passes are worth by now."""
        ...


class Refusals(Protocol):
    """Where it is kept who was turned away at links, the newest REFUSALS_KEPT of each."""

    async def add(self, refusals: Sequence[Refusal]) -> None:
        """Append, and forget what is too old; refusals at links that are gone are dropped."""
        ...

    async def of_link(self, link_id: str) -> list[Refusal]:
        """The link's refusals, newest first."""
        ...


class RevokedTokens(Protocol):
    """Bearer tokens that were withdrawn before their time."""

    async def add(self, jti: str, *, revoked_at: datetime, expires_at: datetime) -> None:
        """Withdraw a token; a second time changes nothing."""
        ...

    async def contains(self, jti: str) -> bool: ...


class ChangeLog(Protocol):
    """The ordered table of changes by which workers hear of each other's writes."""

    async def append(self, kind: ChangeKind, *ids: str) -> None:
        """Add changes of a kind, in this order."""
        ...

    async def after(self, number: int) -> list[Change]:
        """Changes with a higher number, in order."""
        ...

    async def last(self) -> int:
        """The highest number that was ever given out, 0 when none was."""
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


@dataclass(frozen=True, slots=True)
class Counter:
    """Something that may happen `amount` times in a `window` that begins with the first time."""

    key: str
    amount: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """How a counter stands: what was spent, how much of that is pending, and when all may be spent again."""

    spent: int
    pending: int
    ends_at: datetime

    @property
    def counted(self) -> int:
        """What was spent and can't be given back any more."""
        return self.spent - self.pending


@dataclass(frozen=True, slots=True)
class Charged:
    """That one was added to a counter, in the window that ends then."""

    counter: Counter
    ends_at: datetime


class Batches(Protocol):
    """Which batch each worker wrote last, so that one whose commit was not answered is written once."""

    async def begin(self, worker: str, number: int, now: datetime) -> bool:
        """Note that this unit of work writes a worker's batch; False where that was written already.

        A worker numbers its batches upwards, and begins none before it knows what became of the former.
        """
        ...


class Counters(Protocol):
    """Counters, each with an end."""

    async def look(self, counters: Sequence[Counter], now: datetime) -> Mapping[Counter, Standing]:
        """How each of them stands."""
        ...

    async def add(
        self, counters: Sequence[Counter], now: datetime, *, pending_until: datetime | None = None
    ) -> Sequence[Charged]:
        """Add one to each; it is pending where until when is given."""
        ...

    async def settle(self, charged: Sequence[Charged], now: datetime, *, refund: bool) -> Mapping[Counter, Standing]:
        """End that these are pending, and take them back with `refund`; how those of them stand that count still."""
        ...

    async def shorten(self, counters: Sequence[Counter], now: datetime) -> None:
        """End none of them later than if it began now."""
        ...

    async def clear_below(self, prefixes: Sequence[str]) -> None:
        """Forget all whose names begin so."""
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
    def places(self) -> Places: ...
    @property
    def refusals(self) -> Refusals: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def brandings(self) -> Brandings: ...
    @property
    def odoo_sessions(self) -> OdooSessions: ...
    @property
    def odoo_sign_outs(self) -> OdooSignOuts: ...
    @property
    def revoked_tokens(self) -> RevokedTokens: ...
    @property
    def reachabilities(self) -> Reachabilities: ...
    @property
    def dashboard_sessions(self) -> DashboardSessions: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def changes(self) -> ChangeLog: ...


class Store(Protocol):
    """The database. A unit of work commits when its block ends and rolls back when it raises."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction that only reads."""
        ...

    def writing(self, turn: Turn = VISITORS) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction that may write; holds the write lock from its first statement on.

        `turn` says who waits for it, and so who goes first.
        """
        ...


class Announcer(Protocol):
    """Told after a commit that changed something, so that this process's own gateway acts before the caller hears."""

    async def announce(self) -> None:
        """Return when the changes committed so far have reached this process's directory."""
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


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What Odoo answered to a sign-in: the new session's id (a secret), and who that is."""

    session_id: str
    is_admin: bool


class SignInRefused(GuestpassError):
    """Nobody was signed in; the text says why, for the owner."""

    def __init__(self, refusal: SignInRefusal, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal


class NotSignedOut(GuestpassError):
    """A session was not ended; the text says why. `answered` is whether there was an answer at all."""

    def __init__(self, why: str, *, answered: bool) -> None:
        super().__init__(why)
        self.answered = answered


class OdooAuthenticator(Protocol):
    """Sign users in to an environment's Odoo, and out."""

    async def sign_in(self, environment: Environment, login: str, password: str, *, address: str | None) -> SignedIn:
        """Return a new session of the user; `address` is the visitor's, for Odoo's throttle and log.

        Raises SignInRefused and DescriptorsUsedUp.
        """
        ...

    async def sign_out(self, at: OdooAddress, session_id: str) -> None:
        """End a session; raises NotSignedOut."""
        ...


class Budget(Protocol):
    """How often something may be done, exact over all workers."""

    async def spend(self, *key: str) -> float | None:
        """Take one from what this key may still spend; the seconds until there is more where nothing is left."""
        ...


class Cuttable(Protocol):
    """An open exchange or tunnel that must end when its link does; `visitor` is the identity in the pass."""

    @property
    def visitor(self) -> str | None: ...

    def cut(self) -> None:
        """End it at once; what was under way must not look complete."""
        ...
