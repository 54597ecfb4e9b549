"""Open a link with its password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from guestpass.app.counters import Charge, Exhausted
from guestpass.app.password_tries import PasswordTries, Trier
from guestpass.app.passwords import written_forms
from guestpass.app.ports import Clock, PasswordHasher, SlotResult, Store, TokenVault, UnitOfWork
from guestpass.app.visitor_slots import TooManyNewcomers, VisitorSlots
from guestpass.app.visits import VisitLog
from guestpass.domain.errors import GuestpassError, TooManyWaiting
from guestpass.domain.link import ShareLink
from guestpass.domain.networks import counted_as, is_within, read_networks
from guestpass.domain.reasons import WHY_ENDED, Reason
from guestpass.domain.visitor_pass import VisitorPass

_OF_PASSWORDS: Final = {Reason.PASSWORD_WRONG, Reason.TRIES_USED_UP}
# Seconds between checks whether a pending try was refunded; ten in all, which is how long tries are pending.
_PAUSES: Final = (0.02, 0.04, 0.08, 0.16, 0.2, *(0.5 for _ in range(19)))


class VisitorGone(GuestpassError):
    """The client closed the connection before the answer."""


class OpeningRefused(GuestpassError):
    """A link was not opened.

    `reason` is one of UNKNOWN_LINK, LINK_REPLACED, LINK_DEACTIVATED, LINK_EXPIRED, ADDRESS_REFUSED, PASSWORD_NEEDED,
    PASSWORD_WRONG, TRIES_USED_UP, LINK_FULL, LINK_OVERRUN and UNAVAILABLE; `link` is None for the first alone.
    `retry_after` is the number of seconds to wait, where a retry is refused until then.
    """

    def __init__(self, reason: Reason, link: ShareLink | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(f"The link was not opened: {reason}.")
        self.reason = reason
        self.link = link
        self.retry_after = retry_after


class PasswordLogin:
    """Check a link's password and let the visitor in."""

    def __init__(
        self,
        store: Store,
        vault: TokenVault,
        hasher: PasswordHasher,
        clock: Clock,
        visits: VisitLog,
        tries: PasswordTries,
        visitor_slots: VisitorSlots,
    ) -> None:
        self._store = store
        self._vault = vault
        self._hasher = hasher
        self._clock = clock
        self._visits = visits
        self._tries = tries
        self._visitor_slots = visitor_slots

    async def login(
        self,
        token: str,
        password: str | None,
        client_address: str,
        *,
        passes: Sequence[VisitorPass],
        is_there: Callable[[], Awaitable[bool]],
        request_id: str,
        user_agent: str,
    ) -> ShareLink:
        """Check a link's password and return the link; without one, any password opens it.

        `passes` are the request's, valid or not; `is_there` returns whether the client is still connected. A wrong
        password is recorded among the link's refusals, without the password. Raises OpeningRefused, TooManyWaiting and
        VisitorGone.
        """
        async with self._store.reading() as work:
            link = await self._open_link(work, token, client_address)
            if link.password_hash is None:
                return link
            if not password:
                raise OpeningRefused(Reason.PASSWORD_NEEDED, link)
            trier = Trier(link.id, client_address, await _known_visitor(work, link, passes))
            exhausted = await self._tries.check(work, trier)
        try:
            return await self._try(link, token, password, trier, exhausted, is_there)
        except OpeningRefused as refused:
            if refused.reason in _OF_PASSWORDS:
                self._visits.refused(
                    link.id,
                    self._clock.now().timestamp(),
                    refused.reason.value,
                    client_address,
                    request_id=request_id,
                    user_agent=user_agent,
                )
            raise

    async def _try(
        self,
        link: ShareLink,
        token: str,
        password: str,
        trier: Trier,
        exhausted: Exhausted | None,
        is_there: Callable[[], Awaitable[bool]],
    ) -> ShareLink:
        """Wait for a turn and try the password; raises as `login`."""
        for pause in _PAUSES:
            # Without a try left, take no turn.
            if exhausted is None or exhausted.may_open:
                async with self._hasher.turn(trier.link_id, counted_as(trier.address)):
                    if not await is_there():
                        raise VisitorGone("The client has gone.")
                    # The link may have changed during the wait.
                    link, exhausted = await self._read(token, trier)
                    if link.password_hash is None:
                        return link
                    if exhausted is None:
                        charged = await self._tries.charge(trier)
                        if isinstance(charged, Charge):
                            right = await self._is_right(link.password_hash, password)
                            await self._tries.settle(trier, charged, right=right)
                            if right:
                                return link
                            raise OpeningRefused(Reason.PASSWORD_WRONG, link)
                        exhausted = charged
            if not exhausted.may_open:
                raise OpeningRefused(Reason.TRIES_USED_UP, link, retry_after=exhausted.seconds)
            await asyncio.sleep(pause)
            link, exhausted = await self._read(token, trier)
        raise TooManyWaiting("All tries are being made by others.")

    async def _is_right(self, password_hash: str, password: str) -> bool:
        for form in written_forms(password):
            if await self._hasher.verify(password_hash, form):
                return True
        return False

    async def _read(self, token: str, trier: Trier) -> tuple[ShareLink, Exhausted | None]:
        """Read the link anew, and whether its tries are exhausted; raises OpeningRefused."""
        async with self._store.reading() as work:
            return await self._open_link(work, token, trier.address), await self._tries.check(work, trier)

    def distinguish(self, link: ShareLink, client_address: str) -> bool:
        """Return whether to count a new visitor individually; always where they take a place."""
        return link.max_visitors is not None or self._visits.distinguish(link.id, client_address)

    async def let_in(
        self,
        token: str,
        link: ShareLink,
        visitor: str,
        client_address: str,
        *,
        is_there: Callable[[], Awaitable[bool]],
        request_id: str,
        user_agent: str,
    ) -> None:
        """Take a place for the visitor, where the link has `max_visitors`.

        Raises OpeningRefused where it is full or has changed since, and VisitorGone.
        """
        now = self._clock.now()
        try:
            result = await self._visitor_slots.take(link, visitor, client_address, now)
        except TooManyNewcomers as error:
            raise OpeningRefused(Reason.LINK_OVERRUN, link, retry_after=error.seconds) from None
        if result is SlotResult.FULL:
            self._visits.refused(
                link.id,
                self._clock.now().timestamp(),
                Reason.LINK_FULL.value,
                client_address,
                request_id=request_id,
                user_agent=user_agent,
            )
            raise OpeningRefused(Reason.LINK_FULL, link)
        if result is SlotResult.GONE:
            async with self._store.reading() as work:
                await self._open_link(work, token, client_address)
            raise OpeningRefused(Reason.UNAVAILABLE, link)
        if link.max_visitors is not None and not await is_there():
            if result is SlotResult.HELD:
                await self._visitor_slots.free(link.id, visitor, client_address, now)
            else:
                await self._visitor_slots.give_back(link.id, visitor, now)
            raise VisitorGone("The client has gone.")

    async def leave(self, passes: Sequence[VisitorPass], instead: VisitorPass) -> None:
        """End the visits of passes that `instead` replaces in the browser."""
        same = instead.link_id, instead.visitor
        await self._visitor_slots.leave(
            [each for each in passes if (each.link_id, each.visitor) != same and not each.is_preview]
        )

    async def _open_link(self, work: UnitOfWork, token: str, client_address: str) -> ShareLink:
        """Return the link if it admits this address; raises OpeningRefused."""
        link = await self._link(work, token)
        if (ended := WHY_ENDED.get(link.status(self._clock.now()))) is not None:
            raise OpeningRefused(ended, link)
        # Admission checked the public listener; requests of the admin listener come here too.
        if link.allowed_ips and not is_within(client_address, read_networks(link.allowed_ips)):
            raise OpeningRefused(Reason.ADDRESS_REFUSED, link)
        return link

    async def _link(self, work: UnitOfWork, token: str) -> ShareLink:
        if not self._vault.is_well_formed(token):
            raise OpeningRefused(Reason.UNKNOWN_LINK)
        record = await work.links.by_token_hash(self._vault.hash(token))
        link = await work.links.get(record.link_id) if record is not None else None
        if record is None or link is None:
            raise OpeningRefused(Reason.UNKNOWN_LINK)
        if record.retired_at is not None:
            raise OpeningRefused(Reason.LINK_REPLACED, link)
        return link


async def _known_visitor(work: UnitOfWork, link: ShareLink, passes: Sequence[VisitorPass]) -> str | None:
    """Return the visitor of the first of these passes for the link whose visit was not ended; None without one."""
    own = [each.visitor for each in passes if each.link_id == link.id and not each.is_preview]
    ended = await work.places.ended_of(link.id, own)
    return next((visitor for visitor in own if visitor not in ended), None)
