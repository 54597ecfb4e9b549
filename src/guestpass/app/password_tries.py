"""How often a link's password may be tried: so many times from one address, and more from all of them together.

A try is charged before the slow hash, so that nobody gets more by being quick, and given back where it was right.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

from guestpass.app.lookup import existing_link
from guestpass.app.ports import Budget, ChangeKind, Clock, Store
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.networks import counted_as
from guestpass.domain.visit import AddressDetail, shown_address

_US: Final = "guestpass"  # as the actor of what nobody did


class Allowance(Protocol):
    """What may still be spent, and in how many seconds there is more."""

    @property
    def remaining(self) -> int:
        """How much is left."""
        ...

    @property
    def renewed_in(self) -> float:
        """Seconds until all may be spent again."""
        ...


class Tries(Budget, Protocol):
    """A Budget that can be looked at, and whose spending can be taken back."""

    async def refund(self, *key: str) -> None:
        """Give back one that was spent."""
        ...

    async def look(self, *key: str) -> Allowance:
        """What this key may still spend."""
        ...

    async def clear_all(self, first: str) -> None:
        """Forget what all keys with this first part have spent."""
        ...


class PasswordTries:
    """The tries of all links, exact over any number of workers; `addresses` says what of addresses is kept."""

    def __init__(
        self, store: Store, clock: Clock, addresses: AddressDetail, *, of_address: Tries, of_link: Tries
    ) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses
        self._of_address = of_address
        self._of_link = of_link

    async def charge(self, link_id: str, address: str) -> float | None:
        """Take a try; the seconds until there is another where none is left.

        An address that has used up its own tries takes none from the others. The last one that there is becomes part of
        the link's history.
        """
        counted = counted_as(address)
        if (wait := await self._of_address.spend(link_id, counted)) is not None:
            return wait
        if (wait := await self._of_link.spend(link_id)) is not None:
            return wait
        if not (await self._of_address.look(link_id, counted)).remaining:
            await self._note(link_id, EventKind.LOCKED, _US, shown_address(address, self._addresses))
        if not (await self._of_link.look(link_id)).remaining:
            await self._note(link_id, EventKind.LOCKED, _US, None)
        return None

    async def give_back(self, link_id: str, address: str) -> None:
        """The password was right."""
        await self._of_address.refund(link_id, counted_as(address))
        await self._of_link.refund(link_id)

    async def locked_until(self, who: Principal, environment_id: str, link_id: str) -> datetime | None:
        """When the password can be tried again; None where it can now. Raises NotFound."""
        who.require(Scope.SHARES_READ)
        async with self._store.reading() as work:
            await existing_link(work, EnvironmentKey(who.org, environment_id), link_id)
        allowance = await self._of_link.look(link_id)
        return None if allowance.remaining else self._clock.now() + timedelta(seconds=allowance.renewed_in)

    async def unlock(self, who: Principal, environment_id: str, link_id: str) -> None:
        """Give everybody all tries again; raises NotFound."""
        who.require(Scope.SHARES_WRITE)
        async with self._store.reading() as work:
            await existing_link(work, EnvironmentKey(who.org, environment_id), link_id)
        await self._of_address.clear_all(link_id)
        await self._of_link.clear_all(link_id)
        await self._note(link_id, EventKind.UNLOCKED, who.sub, None)

    async def _note(self, link_id: str, kind: EventKind, actor: str, detail: str | None) -> None:
        async with self._store.writing() as work:
            await work.visits.add_events([LinkEvent(link_id, self._clock.now(), kind, actor, detail)])
            # Nothing that rules has changed, but whoever looks at the link should see it.
            await work.changes.append(ChangeKind.VISIT, link_id)
