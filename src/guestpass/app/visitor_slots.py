"""The places of links that let only so many visitors in, and how visitors leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from guestpass.app.ports import Announcer, ChangeKind, Clock, Rate, SlotResult, Store, UnitOfWork
from guestpass.app.turns import visitors_of
from guestpass.domain.errors import GuestpassError
from guestpass.domain.link import ShareLink
from guestpass.domain.networks import counted_as
from guestpass.domain.visitor_pass import OTHERS, PREVIEW, VisitorPass

ONCE: Final = "1/10minute"
"""How often the ticket of an owner's preview counts: when that is forgotten, the ticket has been over for long."""
RESERVED: Final = timedelta(minutes=1)
"""How long a place waits for the pass to come back for which it was taken."""
FREED_PER_ADDRESS: Final = "60/10minute"
"""How many of them each worker frees sooner for one link and address, since each leaves a row behind."""

PLACES_GIVEN: Final = "1000000/hour"
"""Of this each place costs so much that each worker gives an address 200 of a link in an hour, and all together 2,000.

Of a link with more places it gives an address twice as many as there are, and all together four times.
"""


class TooManyNewcomers(GuestpassError):
    """A link has given so many places to newcomers lately that it gives none for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("The link has given too many places lately.")
        self.seconds = seconds


class VisitorSlots:
    """Lets visitors in as long as there is room, exactly so over any number of workers, and out."""

    def __init__(
        self, store: Store, announcer: Announcer, clock: Clock, *, freed: Rate | None = None, given: Rate | None = None
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._freed = freed
        self._given = given

    async def take(self, link: ShareLink, visitor: str, address: str, now: datetime) -> SlotResult:
        """Let a visitor in; a link without a limit has room for everybody. `now` is what tells two tries apart.

        Each place that is left or lost leaves a row behind, so newcomers get only so many: raises TooManyNewcomers.
        """
        if link.max_visitors is None:
            return SlotResult.TAKEN
        costs = _costs(link, link.max_visitors, address)
        self._spend(costs)
        async with self._store.writing(visitors_of(link.id)) as work:
            place = await work.places.take_place(link.id, visitor, link.version, now, reserved_until=now + RESERVED)
            if place is SlotResult.RECLAIMED:
                # The passes of those who had it are worth nothing now.
                await work.changes.append(ChangeKind.LINK, link.id)
        if place is SlotResult.RECLAIMED:
            await self._announcer.announce()
        elif place is not SlotResult.TAKEN:
            self._refund(costs)
        return place

    def _spend(self, costs: dict[str, int]) -> None:
        for key, cost in costs.items():
            if self._given is not None and (wait := self._given.spend(key, cost=cost)) is not None:
                raise TooManyNewcomers(wait)

    def _refund(self, costs: dict[str, int]) -> None:
        for key, cost in costs.items():
            if self._given is not None:
                self._given.refund(key, cost=cost)

    async def free(self, link_id: str, visitor: str, address: str, taken_at: datetime | None = None) -> None:
        """Let somebody else have the place of a visitor who left before the answer came, unless they come back.

        With `taken_at` not where their browser has asked again since, as a second press of a button does.
        """
        if self._freed is None or self._freed.spend(f"{link_id} {counted_as(address)}") is None:
            async with self._store.writing(visitors_of(link_id)) as work:
                until = taken_at + RESERVED if taken_at is not None else None
                await work.places.free_place(link_id, visitor, self._clock.now(), reserved_until=until)

    async def give_back(self, link_id: str, visitor: str, taken_at: datetime) -> None:
        """Free the place of a visitor who was refused after all, and never held a pass for it."""
        async with self._store.writing(visitors_of(link_id)) as work:
            await work.places.give_place_back(link_id, visitor, reserved_until=taken_at + RESERVED)

    async def leave(self, passes: Sequence[VisitorPass]) -> None:
        """End the visits of somebody who logs out or gives up their passes: these open nothing from now on."""
        if not passes:
            return
        async with self._store.writing(visitors_of(passes[0].link_id)) as work:
            for each in passes:
                if await self._end(work, each):
                    await work.changes.append(ChangeKind.LINK, each.link_id)
        await self._announcer.announce()

    async def _end(self, work: UnitOfWork, given_up: VisitorPass) -> bool:
        link_id, visitor = given_up.link_id, given_up.visitor
        distinguished = not visitor.startswith((OTHERS, PREVIEW))
        # Of those who are not told apart a row is kept only where a pass may sign somebody in again.
        if not distinguished and await work.odoo_sessions.get(link_id, visitor) is None:
            return False
        now = self._clock.now()
        return await work.places.leave(link_id, visitor, given_up.link_version, now, distinguished=distinguished)


def _costs(link: ShareLink, places: int, address: str) -> dict[str, int]:
    """What a place costs of PLACES_GIVEN, by whose."""
    whole = int(PLACES_GIVEN.partition("/")[0])
    return {
        f"{link.id} {counted_as(address)}": whole // max(200, 2 * places),
        link.id: whole // max(2_000, 4 * places),
    }
