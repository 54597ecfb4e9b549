"""Let each entry ticket through once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from guestpass.app.ports import Budget
from guestpass.domain.visitor_pass import TICKET_SECONDS, EntryTicket

_DATABASE_SECONDS: Final = 2.0
_KEPT_SECONDS: Final = 2 * TICKET_SECONDS
"""A clock may be behind the one that issued the ticket by as much as a ticket lives."""


class EntryTickets:
    """Spends each ticket once over all workers by a budget in the database, or in memory while that can't be written.

    Then each worker lets it through once: links keep opening, and what could be misused is a ticket of the last minute
    that somebody intercepted. `failed` is called with what the database raised.
    """

    def __init__(self, budget: Budget, time: Callable[[], float], failed: Callable[[Exception], object]) -> None:
        self._budget = budget
        self._time = time
        self._failed = failed
        self._spent: dict[str, float] = {}

    async def spend(self, ticket: EntryTicket) -> bool:
        """Spend the ticket; False if it was spent before."""
        now = self._time()
        while self._spent and now - next(iter(self._spent.values())) > _KEPT_SECONDS:
            del self._spent[next(iter(self._spent))]
        if ticket.nonce in self._spent:
            return False
        self._spent[ticket.nonce] = now
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                return await self._budget.spend(ticket.nonce) is None
        except Exception as error:  # noqa: BLE001 - whatever the database raises
            self._failed(error)
            return True
