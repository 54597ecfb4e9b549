"""Visitors' sessions at an Odoo: who makes and ends them, and where they are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import Environment, EnvironmentKey, OdooAddress
from guestpass.domain.errors import GuestpassError

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
