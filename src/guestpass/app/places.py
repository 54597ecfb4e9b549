"""The places of links that let only so many visitors in."""

from __future__ import annotations

from typing import Final

from guestpass.app.ports import Clock, Store
from guestpass.app.turns import visitors_of
from guestpass.domain.link import ShareLink

ONCE: Final = "1/10minute"
"""How often the ticket of an owner's preview counts: when that is forgotten, the ticket has been over for long."""


class Places:
    """Lets visitors in as long as there is room, exactly so over any number of workers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def take(self, link: ShareLink, visitor: str) -> bool:
        """Whether the visitor is let in; one who is in stays in. A link without a limit has room for everybody."""
        if link.max_visitors is None:
            return True
        async with self._store.writing(visitors_of(link.id)) as work:
            return await work.visits.take_place(link.id, visitor, self._clock.now(), link.max_visitors)

    async def give_back(self, link_id: str, visitor: str) -> None:
        """Free the place of a visitor who was refused after all, and never held a pass for it."""
        async with self._store.writing() as work:
            await work.visits.give_place_back(link_id, visitor)
