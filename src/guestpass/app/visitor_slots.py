"""Take and free the places of links with `maxVisitors`."""

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
"""The limit that makes a ticket work once; its window is far longer than the ticket's life."""
RESERVED: Final = timedelta(minutes=1)
"""How long a place stays reserved until the first request with its pass."""
FREED_PER_ADDRESS: Final = "60/10minute"
"""How many reservations each worker frees early for a link and address, since each leaves a row."""

PLACES_GIVEN: Final = "1000000/hour"
"""The budget that places are charged to: 200 an hour for a link and address, 2,000 for a link, in each worker.

For a link with more places: twice as many as it has for an address, four times as many for the link.
"""


class TooManyNewcomers(GuestpassError):
    """The link has given too many places to newcomers lately; it gives none for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("The link has given too many places lately.")
        self.seconds = seconds


class VisitorSlots:
    """Take, free and give back places; exact over any number of workers."""

    def __init__(
        self, store: Store, announcer: Announcer, clock: Clock, *, freed: Rate | None = None, given: Rate | None = None
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._freed = freed
        self._given = given

    async def take(self, link: ShareLink, visitor: str, address: str, now: datetime) -> SlotResult:
        """Take a place for a visitor; TAKEN at once where the link has no limit. `now` identifies the reservation.

        Raises TooManyNewcomers, since each abandoned place leaves a row.
        """
        if link.max_visitors is None:
            return SlotResult.TAKEN
        costs = _costs(link, link.max_visitors, address)
        self._spend(costs)
        async with self._store.writing(visitors_of(link.id)) as work:
            place = await work.places.take_place(link.id, visitor, link.version, now, reserved_until=now + RESERVED)
            if place is SlotResult.RECLAIMED:
                # The passes of those who had reserved it open nothing now.
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
        """Free the place of a visitor who left before the answer came; they keep it if they come back in time.

        With `taken_at`, only if that reservation was not renewed since, as by a second press of the button.
        """
        if self._freed is None or self._freed.spend(f"{link_id} {counted_as(address)}") is None:
            async with self._store.writing(visitors_of(link_id)) as work:
                until = taken_at + RESERVED if taken_at is not None else None
                await work.places.free_place(link_id, visitor, self._clock.now(), reserved_until=until)

    async def give_back(self, link_id: str, visitor: str, taken_at: datetime) -> None:
        """Give back the place of a visitor who was refused before they got a pass."""
        async with self._store.writing(visitors_of(link_id)) as work:
            await work.places.give_place_back(link_id, visitor, reserved_until=taken_at + RESERVED)

    async def leave(self, passes: Sequence[VisitorPass]) -> None:
        """End the visits of these passes, which open nothing from now on."""
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
        # For OTHERS and previews a row is needed only where the pass could sign somebody in again.
        if not distinguished and await work.odoo_sessions.get(link_id, visitor) is None:
            return False
        now = self._clock.now()
        return await work.places.leave(link_id, visitor, given_up.link_version, now, distinguished=distinguished)


def _costs(link: ShareLink, places: int, address: str) -> dict[str, int]:
    """The cost of a place in PLACES_GIVEN, by budget key."""
    whole = int(PLACES_GIVEN.partition("/")[0])
    return {
        f"{link.id} {counted_as(address)}": whole // max(200, 2 * places),
        link.id: whole // max(2_000, 4 * places),
    }
