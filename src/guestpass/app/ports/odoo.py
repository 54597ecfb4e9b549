"""Ports of Odoo sessions: the authenticator and the stores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guestpass.domain.account import AccountRight, SignInRefusal
from guestpass.domain.environment import Environment, EnvironmentKey, OdooAddress
from guestpass.domain.errors import GuestpassError

SessionKey = tuple[str, str]
"""The key of an Odoo session: the link's id and the visitor."""


@dataclass(frozen=True, slots=True)
class OdooSession:
    """The stored Odoo session of one visitor of one link.

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
    """A queued sign-out: a session to end at its Odoo.

    `sealed` is its id, encrypted as the session's of this link and visitor was. `tries` is how often it failed.
    """

    number: int
    at: OdooAddress
    link_id: str
    visitor: str
    sealed: bytes
    tries: int


class OdooSessions(Protocol):
    """The store of visitors' Odoo sessions, each made at its environment's present address.

    Ended sessions move to OdooSignOuts in the same transaction. Rows of removed links stay until then.
    """

    async def get(self, link_id: str, visitor: str) -> OdooSession | None: ...

    async def claim(self, wanted: OdooSession, *, claim: str, now: datetime, until: datetime) -> bool:
        """Take the right to sign this visitor in, until `until`; one conditional statement.

        True where the row has `wanted.revision` (or there is none, and then it is inserted with `sealed` None and
        revision 0) and no other claim runs at `now`.
        """
        ...

    async def complete(self, session: OdooSession, *, claim: str, now: datetime) -> int | None:
        """Store a completed sign-in, end the claim and return the new revision; the replaced session ends.

        Returns None where the claim was lost.
        """
        ...

    async def release(self, link_id: str, visitor: str, *, claim: str) -> None:
        """Release a claim whose sign-in failed."""
        ...

    async def rotate(self, link_id: str, visitor: str, *, revision: int, sealed: bytes) -> bool:
        """Store a new session id from Odoo; False where the row no longer has that revision."""
        ...

    async def end(self, link_id: str, visitor: str, now: datetime) -> bool:
        """End the visitor's session; False when there was none."""
        ...

    async def scan(self, now: datetime, *, after: SessionKey, count: int) -> list[tuple[SessionKey, bool]]:
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
        """End all of an environment; call it before its address changes."""
        ...


class OdooSignOuts(Protocol):
    """The queue of sign-outs. Rows outlive their environment."""

    async def add(self, at: OdooAddress, link_id: str, visitor: str, sealed: bytes, now: datetime) -> None:
        """Queue one, due at once."""
        ...

    async def due(self, now: datetime, *, limit: int) -> list[OdooAddress]:
        """Return up to `limit` addresses with sign-outs that are due."""
        ...

    async def claim(self, at: OdooAddress, *, now: datetime, until: datetime, limit: int) -> list[OdooSignOut]:
        """Claim up to `limit` that are due at an address, until `until`."""
        ...

    async def remove(self, numbers: Sequence[int]) -> None:
        """Delete completed ones."""
        ...

    async def most_tries(self, at: OdooAddress) -> int:
        """Return the highest number of failures of one sign-out at an address."""
        ...

    async def put_off(self, number: int, until: datetime, *, tries: int) -> None:
        """Postpone one until `until`, and set its number of failures."""
        ...

    async def put_off_all(self, at: OdooAddress, until: datetime) -> None:
        """Postpone all at an address until `until`."""
        ...

    async def give_up(self, at: OdooAddress, *, before: datetime, keep: int) -> int:
        """Delete those queued before a time, and all but the newest `keep`; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A successful sign-in: the new session's id (a secret), and whether the user is an administrator.

    `base_url` is Odoo's web.base.url; None where it was not told or is no origin.
    `uid` is the user's number, `is_internal` whether they work in Odoo's own pages, None where Odoo does not say.
    `major` is the version's first number.
    """

    session_id: str
    is_admin: bool
    base_url: str | None = None
    uid: int = 0
    is_internal: bool | None = None
    major: int | None = None


class SignInRefused(GuestpassError):
    """A sign-in failed; the text is the cause, for the owner."""

    def __init__(self, refusal: SignInRefusal, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal


class NotSignedOut(GuestpassError):
    """A session was not ended; the text is the cause. `answered` is whether Odoo answered at all."""

    def __init__(self, why: str, *, answered: bool) -> None:
        super().__init__(why)
        self.answered = answered


class NotAskedError(GuestpassError):
    """Odoo did not say what it was asked; the text is the cause."""


class SessionEndedError(GuestpassError):
    """Odoo has ended the session."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records match, and the id that Odoo moved the session to with its answer, else None."""

    records: int
    moved_to: str | None


class OdooAuthenticator(Protocol):
    """Sign users in to an environment's Odoo, and out, and ask it something under a session of theirs."""

    async def sign_in(
        self, environment: Environment, login: str, password: str, *, address: str | None, may_administer: bool
    ) -> SignedIn:
        """Return a new session of the user; `address` is the visitor's, for Odoo's throttle and log.

        The login of an administrator does not change Odoo's web.base.url where `may_administer` announces it.
        Raises SignInRefused and DescriptorsUsedUp.
        """
        ...

    async def sign_out(self, at: OdooAddress, session_id: str) -> None:
        """End a session; raises NotSignedOut."""
        ...

    async def rights(self, at: OdooAddress, signed_in: SignedIn) -> frozenset[AccountRight]:
        """Those of the signed-in user's rights that owners are warned of, as far as Odoo says."""
        ...

    async def count(
        self, at: OdooAddress, session_id: str, model: str, domain: Sequence[object], *, address: str | None
    ) -> Counted:
        """Count the records of a model, archived ones too, that match a domain and that the session's user may read.

        There are none where the model has no such field. Raises SessionEndedError, NotAskedError and DescriptorsUsedUp.
        """
        ...
