"""Open a link with its password."""

from __future__ import annotations

from typing import Final

from guestpass.app.password_tries import PasswordTries
from guestpass.app.places import Places
from guestpass.app.ports import Clock, PasswordHasher, Store, TokenVault
from guestpass.app.visits import VisitLog
from guestpass.domain.errors import GuestpassError
from guestpass.domain.link import ShareLink, Status
from guestpass.domain.networks import is_within, read_networks
from guestpass.domain.reasons import Reason

_ENDED: Final = {Status.DEACTIVATED: Reason.LINK_DEACTIVATED, Status.EXPIRED: Reason.LINK_EXPIRED}


class OpeningRefused(GuestpassError):
    """A link was not opened.

    `reason` is one of UNKNOWN_LINK, LINK_REPLACED, LINK_DEACTIVATED, LINK_EXPIRED, ADDRESS_REFUSED, PASSWORD_NEEDED,
    PASSWORD_WRONG, TRIES_USED_UP and LINK_FULL; `link` is None for the first alone. `retry_after` are the seconds until
    a password can be tried again, where none can be now.
    """

    def __init__(self, reason: Reason, link: ShareLink | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(f"The link was not opened: {reason}.")
        self.reason = reason
        self.link = link
        self.retry_after = retry_after


class Openings:
    """What a visitor does before anything is forwarded."""

    def __init__(
        self,
        store: Store,
        vault: TokenVault,
        hasher: PasswordHasher,
        clock: Clock,
        visits: VisitLog,
        tries: PasswordTries,
    ) -> None:
        self._store = store
        self._vault = vault
        self._hasher = hasher
        self._clock = clock
        self._visits = visits
        self._tries = tries
        self._places = Places(store, clock)

    async def login(
        self, token: str, password: str | None, client_address: str, *, request_id: str, user_agent: str
    ) -> ShareLink:
        """Check a link's password and return the link; a link without one opens with any.

        A wrong password is one of the link's refusals, with the address that it came from; the password itself is not
        kept. Raises OpeningRefused.
        """
        link = await self._link(token)
        now = self._clock.now()
        if (ended := _ENDED.get(link.status(now))) is not None:
            raise OpeningRefused(ended, link)
        # The ladder has looked at the public listener; here comes in what the owners' brings too.
        if link.allowed_ips and not is_within(client_address, read_networks(link.allowed_ips)):
            raise OpeningRefused(Reason.ADDRESS_REFUSED, link)
        if link.password_hash is None:
            return link
        if not password:
            raise OpeningRefused(Reason.PASSWORD_NEEDED, link)
        reason, wait = Reason.TRIES_USED_UP, await self._tries.charge(link.id, client_address)
        if wait is None:
            if await self._hasher.verify(link.password_hash, password):
                await self._tries.give_back(link.id, client_address)
                return link
            reason = Reason.PASSWORD_WRONG
        self._visits.refused(
            link.id, now.timestamp(), reason.value, client_address, request_id=request_id, user_agent=user_agent
        )
        raise OpeningRefused(reason, link, retry_after=wait)

    def tell_apart(self, link: ShareLink, client_address: str) -> bool:
        """Whether what is kept tells a new visitor apart from others; who takes a place always is."""
        return link.max_visitors is not None or self._visits.tell_apart(link.id, client_address)

    async def let_in(
        self, link: ShareLink, visitor: str, client_address: str, *, request_id: str, user_agent: str
    ) -> None:
        """Give a new visitor his place, where the link lets so many in; raises OpeningRefused where it is full."""
        if not await self._places.take(link, visitor):
            self._visits.refused(
                link.id,
                self._clock.now().timestamp(),
                Reason.LINK_FULL.value,
                client_address,
                request_id=request_id,
                user_agent=user_agent,
            )
            raise OpeningRefused(Reason.LINK_FULL, link)

    async def _link(self, token: str) -> ShareLink:
        if not self._vault.is_well_formed(token):
            raise OpeningRefused(Reason.UNKNOWN_LINK)
        async with self._store.reading() as work:
            record = await work.links.by_token_hash(self._vault.hash(token))
            link = await work.links.get(record.link_id) if record is not None else None
        if record is None or link is None:
            raise OpeningRefused(Reason.UNKNOWN_LINK)
        if record.retired_at is not None:
            raise OpeningRefused(Reason.LINK_REPLACED, link)
        return link
