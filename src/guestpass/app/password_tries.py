"""How often a link's password may be tried: decision 26.

A try is charged before the slow hash, so that concurrent tries count too, and refunded where the password was right. It
is charged to the first of three budgets that has some left:

1. A visitor whose browser holds a pass has a few tries a day, from any address.
2. An address without recent failures has a few, as long as the networks around it have some left.
3. All others share the link's budget.

Budgets 2 and 3 together give an address at most `of_address`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from guestpass.app.counters import Charge, CounterGroup, Exhausted, Limit, charge, check
from guestpass.app.lookup import existing_link
from guestpass.app.ports import ChangeKind, Clock, Counter, Standing, Store, UnitOfWork
from guestpass.app.turns import owner, visitors_of
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.networks import counted_as, networks_around

_US: Final = "guestpass"  # the actor of events that no owner caused

# More than one, since people mistype; decision 26 derives its numbers from these.
_OF_VISITOR: Final = Limit("5/day", "password-visitor")
_OF_VISITORS: Final = Limit("50/day", "password-visitors")
_FIRST: Final = Limit("3/day", "password-first")
_FIRST_OF_NETWORK: Final[Mapping[str, Limit]] = {
    length: Limit(limit, "password-network")
    for length, limit in {"24": "64/day", "56": "12/day", "48": "48/day", "32": "1024/day"}.items()
}
# More events of this kind in a history would be noise.
_NOTED: Final = Limit("24/day", "password-noted")


@dataclass(frozen=True, slots=True)
class Trier:
    """Who tries: the link, the address, and the visitor where a pass shows one."""

    link_id: str
    address: str
    visitor: str | None = None


class PasswordTries:
    """Limit the tries at all links, exact over any number of workers.

    `of_address` and `of_link` are limits such as ``10/15minute``.
    """

    def __init__(self, store: Store, clock: Clock, *, of_address: str, of_link: str) -> None:
        self._store = store
        self._clock = clock
        self._of_address = Limit(of_address, "password-address")
        self._of_link = Limit(of_link, "password-link")

    async def check(self, work: UnitOfWork, trier: Trier) -> Exhausted | None:
        """Return Exhausted where no try is left, else None."""
        return await check(work, self._groups(trier), self._clock.now())

    async def charge(self, trier: Trier) -> Charge | Exhausted:
        """Charge a try, which must be passed to `settle`; returns Exhausted where none is left."""
        turn = visitors_of(trier.link_id)
        return await charge(self._store, self._clock, self._groups(trier), pending=True, turn=turn)

    async def settle(self, trier: Trier, charged: Charge, *, right: bool) -> None:
        """Settle a try: refund it where the password was right.

        A wrong one that uses up a budget is added to the link's history.
        """
        async with self._store.writing(visitors_of(trier.link_id)) as work:
            now = self._clock.now()
            standings = await work.counters.settle(charged.counters, now, refund=right)
            if not right:
                await self._note_used_up(work, trier, standings, now)

    async def locked_until(self, principal: Principal, environment_id: str, link_id: str) -> datetime | None:
        """When the link's used-up budget of tries renews; None where some are left. Raises NotFound."""
        principal.require(Scope.SHARES_READ)
        counter, now = self._of_link.counter(link_id), self._clock.now()
        async with self._store.reading() as work:
            await existing_link(work, EnvironmentKey(principal.org, environment_id), link_id)
            standing = (await work.counters.read([counter], now))[counter]
        return min(standing.ends_at, now + counter.window) if standing.counted >= counter.amount else None

    async def unlock(self, principal: Principal, environment_id: str, link_id: str) -> None:
        """Reset all tries at a link; raises NotFound."""
        principal.require(Scope.SHARES_WRITE)
        limits = (self._of_address, self._of_link, _FIRST, *_FIRST_OF_NETWORK.values(), _OF_VISITOR, _OF_VISITORS)
        async with self._store.writing(owner(principal)) as work:
            await existing_link(work, EnvironmentKey(principal.org, environment_id), link_id)
            await work.counters.clear_below([each.below(link_id) for each in limits])
            await self._note(work, LinkEvent(link_id, self._clock.now(), EventKind.UNLOCKED, principal.sub))

    def _groups(self, trier: Trier) -> Sequence[CounterGroup]:
        link_id, address = trier.link_id, counted_as(trier.address)
        of_address = self._of_address.counter(link_id, address)
        networks = [
            _FIRST_OF_NETWORK[network.rpartition("/")[2]].counter(link_id, network)
            for network in networks_around(trier.address)
        ]
        groups: list[CounterGroup] = [
            [of_address, _FIRST.counter(link_id, address), *networks],
            [of_address, self._of_link.counter(link_id)],
        ]
        if trier.visitor is not None:
            groups.insert(0, [_OF_VISITOR.counter(link_id, trier.visitor), _OF_VISITORS.counter(link_id)])
        return groups

    async def _note_used_up(
        self, work: UnitOfWork, trier: Trier, standings: Mapping[Counter, Standing], now: datetime
    ) -> None:
        for counter, whose in (
            (self._of_address.counter(trier.link_id, counted_as(trier.address)), "address"),
            (self._of_link.counter(trier.link_id), "link"),
        ):
            standing, noted = standings.get(counter), _NOTED.counter(trier.link_id, whose)
            # Tries count up one by one, so this is true once in a window.
            if standing is None or standing.counted != counter.amount:
                continue
            if (await work.counters.read([noted], now))[noted].spent < noted.amount:
                await work.counters.add([noted], now)
                # Without the address: the link's refusals have it, and those are deleted in time.
                await self._note(work, LinkEvent(trier.link_id, now, EventKind.LOCKED, _US))

    @staticmethod
    async def _note(work: UnitOfWork, event: LinkEvent) -> None:
        await work.visits.add_events([event])
        # For open pages: no rule has changed.
        await work.changes.append(ChangeKind.VISIT, event.link_id)
