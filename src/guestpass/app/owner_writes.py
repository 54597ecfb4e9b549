"""Limit an owner's concurrent changes and their rate, so that others are not starved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from guestpass.app.ports import Rate
from guestpass.domain.access import Principal
from guestpass.domain.errors import GuestpassError

AT_ONCE: Final = 8
"""The limit of a principal's concurrent changes in each worker."""
WAITING: Final = 120
"""How many more may wait; further ones are refused."""


class TooManyWrites(GuestpassError):
    """A principal changes too much; the text says what to do, `retry_after` when (seconds)."""

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class OwnerWrites:
    """Count principals' changes in one worker; without a rate they are unlimited."""

    def __init__(self, rate: Rate | None = None) -> None:
        self._rate = rate
        self._at_once: dict[tuple[str, str], tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def admit(self, principal: Principal) -> AsyncIterator[None]:
        """Take part as one of the principal's concurrent changes; raises TooManyWrites."""
        whose = principal.org, principal.sub
        semaphore, count = self._at_once.get(whose, (asyncio.Semaphore(AT_ONCE), 0))
        if count >= AT_ONCE + WAITING:
            raise TooManyWrites(
                f"{count} of your changes are under way or wait already. Send fewer at the same time, and ask again.", 1
            )
        if self._rate is not None and (wait := self._rate.spend(repr(whose))) is not None:
            raise TooManyWrites("You change more than one owner may on this server. Ask again later.", wait)
        self._at_once[whose] = semaphore, count + 1
        try:
            async with semaphore:
                yield
        finally:
            _, count = self._at_once[whose]
            if count > 1:
                self._at_once[whose] = semaphore, count - 1
            else:
                del self._at_once[whose]
