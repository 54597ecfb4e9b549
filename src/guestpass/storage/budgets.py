"""How often something may be done, counted in the database for all workers together."""

from __future__ import annotations

from guestpass.app.counters import Limit, Shut, charge, look
from guestpass.app.ports import Clock, Store


class DatabaseBudget:
    """A Budget of so many in a window that begins with the first, such as ``60/10minute``.

    The `purpose` tells budgets apart. Raises ValueError for a limit that can't be read.
    """

    def __init__(self, store: Store, clock: Clock, limit: str, purpose: str) -> None:
        self._store = store
        self._clock = clock
        self._limit = Limit(limit, purpose)

    async def spend(self, *key: str) -> float | None:
        """Take one from what this key may still spend; the seconds until there is more where nothing is left."""
        ways = [[self._limit.counter(*key)]]
        async with self._store.reading() as work:
            shut = await look(work, ways, self._clock.now())
        if shut is None:
            charged = await charge(self._store, self._clock, ways)
            shut = charged if isinstance(charged, Shut) else None
        return shut.seconds if shut is not None else None
