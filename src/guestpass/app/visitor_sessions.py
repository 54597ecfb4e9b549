"""Make, keep and end the Odoo sessions of visitors whom their link signs in.

Visitors never see a session's id. It is stored encrypted, in one row for each link and visitor, and cached in this
worker's memory; updates of a row name the revision that they replace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import structlog

from guestpass.app.accounts import learn_base_url, password_context
from guestpass.app.link_cache import LinkEntry
from guestpass.app.ports import (
    Budget,
    Change,
    ChangeKind,
    Clock,
    Counted,
    Entropy,
    OdooAuthenticator,
    OdooSession,
    Sealer,
    SessionKey,
    SignedIn,
    SignInRefused,
    Store,
    UnitOfWork,
)
from guestpass.app.sign_outs import SignOuts, session_context
from guestpass.app.turns import BACKGROUND, visitors_of
from guestpass.domain.account import Account, SignInRefusal
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.errors import GuestpassError
from guestpass.domain.networks import counted_as
from guestpass.domain.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIGN_INS: Final = "60/10minute"
"""The limit of sign-ins for a link and address: an office behind one address may bring forty people at once."""
CLAIM: Final = timedelta(seconds=30)
"""How long a worker may take for one sign-in before another may try."""
WAIT: Final = timedelta(seconds=20)
"""How long a request waits for a sign-in that another worker makes."""
RETRY_REFUSED: Final = timedelta(seconds=60)
"""How long an account that Odoo refused is not tried, so that Odoo does not throttle our address."""
SWEEP_SECONDS: Final = 2.0
SCANNED_AT_ONCE: Final = 500
"""How many rows one round scans for sessions that are over, besides those known to be."""
_ENDED_AT_ONCE: Final = 50
# Changed links to remember; sessions that end with others are found by the scan.
_MAX_CHANGED_LINKS: Final = 10_000
_BEFORE_ALL: Final[SessionKey] = ("", "")
# After a password change a crowd must not cause as many failures as Odoo throttles at, which is 5.
_AT_ONCE: Final = 2
_POLL_SECONDS: Final = 0.05
_KEPT: Final = 20_000
_log = structlog.get_logger(__name__)


class NoSession(GuestpassError):
    """A visitor could not be signed in; `reason` is what they are shown."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"The visitor was not signed in: {reason}.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class VisitorSession:
    """A session in memory; `id` is the secret value of Odoo's cookie, `environment` where it was made."""

    id: bytes = field(repr=False)
    revision: int
    account: str
    account_revision: int
    link_version: int
    environment: Environment = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Sweep:
    """The sessions that a round found over, and where the next scan starts; `is_full` if more are known."""

    over: frozenset[SessionKey]
    is_full: bool
    stopped_at: SessionKey


class VisitorSessions:
    """Make, cache and end visitors' sessions, in each worker."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        authenticator: OdooAuthenticator,
        sign_outs: SignOuts,
        budget: Budget,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._authenticator = authenticator
        self._sign_outs = sign_outs
        self._budget = budget
        self._clock = clock
        self._entropy = entropy
        self._known: dict[tuple[str, str], VisitorSession] = {}
        self._turns: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}
        self._sign_in_slots: WeakValueDictionary[tuple[EnvironmentKey, str | None], asyncio.Semaphore] = (
            WeakValueDictionary()
        )
        # Links that changed, until when expired ones were handled, and where the scan of all rows goes on.
        self._changed_links: set[str] = set()
        self._expired_until = clock.now()
        self._stopped_at = _BEFORE_ALL
        self._failing = False

    def peek(self, entry: LinkEntry, visitor: str) -> VisitorSession | None:
        """Return the cached session if it fits link, account and environment as they are now."""
        known = self._known.get((entry.link.id, visitor))
        return known if known is not None and _fits(known, entry) else None

    async def obtain(
        self,
        entry: LinkEntry,
        visitor: str,
        address: str,
        *,
        ends_at: datetime | None = None,
        instead_of: VisitorSession | None = None,
        readmit: Callable[[], Reason | None] = lambda: None,
    ) -> VisitorSession:
        """Return the visitor's session: from memory, from the database, or by signing in; raises NoSession.

        `instead_of` is a session that Odoo has ended. `address` is the visitor's, for the budget and Odoo's log.
        `ends_at` is when their pass ends, if before the link. `readmit` is called before a sign-in and returns why
        the visitor must be refused, or None.
        """
        async with self._turn((entry.link.id, visitor)):
            known = self.peek(entry, visitor)
            if known is not None and (instead_of is None or known.id != instead_of.id):
                return known
            give_up = self._clock.now() + WAIT
            while True:
                environment = entry.environment
                async with self._store.reading() as work:
                    row = await work.odoo_sessions.get(entry.link.id, visitor)
                    is_current = await _is_current(work, environment)
                if is_current:
                    found = self._opened(row, environment) if row is not None else None
                    if found is not None and _fits(found, entry) and (instead_of is None or found.id != instead_of.id):
                        self._remember(entry.link.id, visitor, found)
                        return found
                    async with self._sign_in_slot(entry):
                        session = await self._claim_and_sign_in(
                            entry, environment, visitor, address, row, ends_at, readmit
                        )
                    # Link, account or environment may have changed meanwhile.
                    if session is not None and _fits(session, entry):
                        return session
                if self._clock.now() >= give_up:
                    raise NoSession(Reason.UNAVAILABLE)
                await asyncio.sleep(_POLL_SECONDS)

    async def moved(self, link_id: str, visitor: str, before: VisitorSession, id: bytes) -> None:
        """Store the new id that Odoo gave the session, for all workers.

        Where another worker has stored a newer one, that one counts. Where the session was ended, end the new id too.
        """
        after, text, at = replace(before, id=id, revision=before.revision + 1), id.decode("latin-1"), before.environment
        sealed = self._sealer.seal(text, session_context(link_id, visitor))
        with self._sign_outs.ending_what_fails(at.odoo_address, text):
            async with self._store.writing(visitors_of(link_id)) as work:
                written = await work.odoo_sessions.rotate(link_id, visitor, revision=before.revision, sealed=sealed)
                if written:
                    await work.changes.append(ChangeKind.ODOO_SESSION, f"{link_id}/{visitor}")
                elif await work.odoo_sessions.get(link_id, visitor) is None:
                    await self._sign_outs.record(work, at.odoo_address, text)
        if written:
            self._remember(link_id, visitor, after)
        else:
            self._known.pop((link_id, visitor), None)

    async def count(
        self, session: VisitorSession, model: str, domain: Sequence[object], *, address: str | None
    ) -> Counted:
        """Ask Odoo how many records match; raises SessionEndedError, NotAskedError and DescriptorsUsedUp."""
        at, id = session.environment.odoo_address, session.id.decode("latin-1")
        return await self._authenticator.count(at, id, model, domain, address=address)

    async def end(self, entry: LinkEntry, visitor: str) -> None:
        """End the visitor's session, and soon at Odoo too."""
        async with self._store.writing(visitors_of(entry.link.id)) as work:
            if await work.odoo_sessions.end(entry.link.id, visitor, self._clock.now()):
                await work.changes.append(ChangeKind.ODOO_SESSION, f"{entry.link.id}/{visitor}")
        self._known.pop((entry.link.id, visitor), None)
        self._sign_outs.wake()

    def apply(self, changes: Sequence[Change]) -> None:
        """Drop cached sessions that changed, and note changed links."""
        for change in changes:
            if change.kind is ChangeKind.ODOO_SESSION:
                link_id, _, visitor = change.id.partition("/")
                known = self._known.get((link_id, visitor))
                # Includes this worker's own writes; reading those again is cheaper than tracking them.
                if known is not None:
                    del self._known[link_id, visitor]
            elif change.kind is ChangeKind.LINK and len(self._changed_links) < _MAX_CHANGED_LINKS:
                self._changed_links.add(change.id)

    def forget_all(self) -> None:
        """Clear the cache: changes may have been missed."""
        self._known.clear()

    async def run(self) -> None:
        """End sessions that are over, until cancelled. Over all workers, each is ended once."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.end_finished()
            except Exception:  # noqa: BLE001 -- whatever the database raises, it is tried again
                if not self._failing:
                    _log.exception("odoo_sessions_not_ended", remedy="check the database; it is tried again")
                self._failing = True
            else:
                self._failing = False

    async def end_finished(self) -> int:
        """Run one round of `run`; return how many were ended.

        Sessions of links that changed or expired end at once. All others are found by a scan of the table, a few rows
        in each round.
        """
        now = self._clock.now()
        changed, self._changed_links = self._changed_links, set()
        try:
            async with self._store.reading() as work:
                sweep = await self._find_finished(work, changed, now)
            ended: list[SessionKey] = []
            if sweep.over:
                # Find again under the write lock: other workers may have ended some.
                async with self._store.writing(BACKGROUND) as work:
                    sweep = await self._find_finished(work, changed, now)
                    ended = await work.odoo_sessions.end_finished(sweep.over, now)
        except BaseException:
            self._changed_links |= changed
            raise
        if sweep.is_full:
            self._changed_links |= changed
        else:
            self._expired_until = now
        self._stopped_at = sweep.stopped_at
        for key in ended:
            self._known.pop(key, None)
        if ended:
            self._sign_outs.wake()
        return len(ended)

    async def _find_finished(self, work: UnitOfWork, changed: set[str], now: datetime) -> _Sweep:
        sessions = work.odoo_sessions
        over = set(await sessions.ended_by_time(self._expired_until, now, limit=_ENDED_AT_ONCE))
        if changed:
            over |= set(await sessions.ended_of_links(changed, now, limit=_ENDED_AT_ONCE))
        if len(over) >= _ENDED_AT_ONCE:
            return _Sweep(frozenset(sorted(over)[:_ENDED_AT_ONCE]), is_full=True, stopped_at=self._stopped_at)
        some = await sessions.scan(now, after=self._stopped_at, count=SCANNED_AT_ONCE)
        for key, is_over in some:
            if is_over:
                over.add(key)
            if len(over) == _ENDED_AT_ONCE:
                return _Sweep(frozenset(over), is_full=False, stopped_at=key)
        stopped_at = some[-1][0] if len(some) == SCANNED_AT_ONCE else _BEFORE_ALL
        return _Sweep(frozenset(over), is_full=False, stopped_at=stopped_at)

    async def _claim_and_sign_in(
        self,
        entry: LinkEntry,
        environment: Environment,
        visitor: str,
        address: str,
        row: OdooSession | None,
        ends_at: datetime | None,
        readmit: Callable[[], Reason | None],
    ) -> VisitorSession | None:
        """Claim the row and sign the visitor in; raises NoSession.

        Returns None where another worker holds the claim, or where `environment` is out of date.
        """
        named = entry.account
        if named is None:
            raise NoSession(Reason.SIGN_IN_REFUSED)
        now, claim = self._clock.now(), self._entropy.bytes(16).hex()
        wanted = OdooSession(
            link_id=entry.link.id,
            visitor=visitor,
            environment=environment.key,
            account=named.name,
            account_revision=named.revision,
            link_version=entry.link.version,
            sealed=None,
            revision=row.revision if row is not None else 0,
            ends_at=ends_at,
        )
        async with self._store.writing(visitors_of(entry.link.id)) as work:
            if not await _is_current(work, environment):
                return None
            if not await work.odoo_sessions.claim(wanted, claim=claim, now=now, until=now + CLAIM):
                return None
            # Read it, since memory may not know yet that Odoo has refused it.
            account = await work.accounts.get(environment.key, named.name)
        try:
            signed_in = await self._sign_in(entry, environment, account, address, readmit)
            id = signed_in.session_id
            with self._sign_outs.ending_what_fails(environment.odoo_address, id):
                revision = await self._complete(environment, account, wanted, claim, signed_in)
        except BaseException:
            async with self._store.writing(visitors_of(entry.link.id)) as work:
                await work.odoo_sessions.release(entry.link.id, visitor, claim=claim)
            raise
        if revision is None:
            # The claim ran out or the visit was ended meanwhile.
            raise NoSession(Reason.UNAVAILABLE)
        session = VisitorSession(
            id=id.encode("latin-1"),
            revision=revision,
            account=wanted.account,
            account_revision=wanted.account_revision,
            link_version=wanted.link_version,
            environment=environment,
        )
        self._remember(wanted.link_id, wanted.visitor, session)
        return session

    async def _sign_in(
        self,
        entry: LinkEntry,
        environment: Environment,
        account: Account | None,
        address: str,
        readmit: Callable[[], Reason | None],
    ) -> SignedIn:
        """Sign in at Odoo; raises NoSession."""
        if account is None or entry.account is None or account.revision != entry.account.revision:
            # The owner has just changed it; the cache is updated in a moment.
            raise NoSession(Reason.UNAVAILABLE)
        key = account.environment
        if account.refused_at is not None:
            now = self._clock.now()
            async with self._store.writing(visitors_of(entry.link.id)) as work:
                may_try = await work.accounts.claim_retry(key, account.name, now=now, before=now - RETRY_REFUSED)
            if not may_try:
                raise NoSession(Reason.SIGN_IN_REFUSED)
        if await self._budget.spend(entry.link.id, counted_as(address)) is not None:
            raise NoSession(Reason.SIGN_INS_USED_UP)
        if (refusal := readmit()) is not None:
            raise NoSession(refusal)
        password = self._sealer.open(account.sealed_password, password_context(key, account.name))
        try:
            signed_in = await self._authenticator.sign_in(
                environment, account.login, password, address=address, may_administer=account.is_admin
            )
        except SignInRefused as refused:
            if refused.refusal is SignInRefusal.UNREACHABLE:
                raise NoSession(Reason.UPSTREAM_UNREACHABLE) from None
            await self._note_refusal(account, refused.refusal)
            raise NoSession(Reason.SIGN_IN_REFUSED) from None
        if signed_in.is_admin and not account.is_admin:
            # The user was promoted in Odoo, perhaps by somebody who doesn't know of the link.
            await self._sign_outs.end(environment.odoo_address, signed_in.session_id)
            await self._note_refusal(account, SignInRefusal.ADMINISTRATOR)
            raise NoSession(Reason.SIGN_IN_REFUSED)
        return signed_in

    async def _note_refusal(self, account: Account, why: SignInRefusal) -> None:
        key = account.environment
        _log.warning("account_refused", environment=str(key), account=account.name, why=why.value)
        async with self._store.writing() as work:
            if await work.accounts.refuse(key, account.name, account.revision, self._clock.now(), why):
                await work.changes.append(ChangeKind.ENVIRONMENT, str(key))

    async def _complete(
        self,
        environment: Environment,
        account: Account | None,
        wanted: OdooSession,
        claim: str,
        signed_in: SignedIn,
    ) -> int | None:
        """Store a session, and that Odoo accepted the account; return the row's revision.

        Returns None, and ends the session, where the claim was lost.
        """
        id = signed_in.session_id
        sealed = self._sealer.seal(id, session_context(wanted.link_id, wanted.visitor))
        async with self._store.writing(visitors_of(wanted.link_id)) as work:
            revision = None
            present = await work.environments.get(environment.key)
            learned = False
            if present is not None and present.is_same_odoo(environment):
                learned = await learn_base_url(work, present, signed_in)
                row = replace(wanted, sealed=sealed)
                revision = await work.odoo_sessions.complete(row, claim=claim, now=self._clock.now())
            if revision is None:
                await self._sign_outs.record(work, environment.odoo_address, id)
            else:
                await work.changes.append(ChangeKind.ODOO_SESSION, f"{wanted.link_id}/{wanted.visitor}")
            if learned:
                await work.changes.append(ChangeKind.ENVIRONMENT, str(environment.key))
            if account is not None and account.refused_at is not None:
                accepted = await work.accounts.accept(account.environment, account.name, account.revision)
                if accepted:
                    await work.changes.append(ChangeKind.ENVIRONMENT, str(account.environment))
        self._sign_outs.wake()
        return revision

    def _opened(self, row: OdooSession, environment: Environment) -> VisitorSession | None:
        """Decrypt the row; None where no sign-in was completed, or another SECRET_KEY sealed it."""
        if row.sealed is None:
            return None
        try:
            id = self._sealer.open(row.sealed, session_context(row.link_id, row.visitor))
        except ValueError:
            return None
        return VisitorSession(
            id=id.encode("latin-1"),
            revision=row.revision,
            account=row.account,
            account_revision=row.account_revision,
            link_version=row.link_version,
            environment=environment,
        )

    def _remember(self, link_id: str, visitor: str, session: VisitorSession) -> None:
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[link_id, visitor] = session

    def _sign_in_slot(self, entry: LinkEntry) -> asyncio.Semaphore:
        """The semaphore that limits concurrent sign-ins as the link's account."""
        return self._sign_in_slots.setdefault((entry.environment.key, entry.link.account), asyncio.Semaphore(_AT_ONCE))

    @asynccontextmanager
    async def _turn(self, key: tuple[str, str]) -> AsyncIterator[None]:
        """Serialise a visitor's sign-ins in this worker; claims in the database do so between workers."""
        lock, waiting = self._turns.get(key, (asyncio.Lock(), 0))
        self._turns[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[key]
            if waiting == 1:
                del self._turns[key]
            else:
                self._turns[key] = lock, waiting - 1


def _fits(session: VisitorSession, entry: LinkEntry) -> bool:
    account = entry.account
    return (
        account is not None
        and session.account == account.name
        and session.account_revision == account.revision
        and session.link_version == entry.link.version
        and session.environment.is_same_odoo(entry.environment)
    )


async def _is_current(work: UnitOfWork, environment: Environment) -> bool:
    """Return whether the environment is still at the Odoo that memory has."""
    now = await work.environments.get(environment.key)
    return now is not None and now.is_same_odoo(environment)
