"""How often something may be done, counted in the database for all workers together."""

from __future__ import annotations

from guestpass.app.counters import Exhausted, Limit, charge, check
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
        groups = [[self._limit.counter(*key)]]
        async with self._store.reading() as work:
            exhausted = await check(work, groups, self._clock.now())
        if exhausted is None:
            charged = await charge(self._store, self._clock, groups)
            exhausted = charged if isinstance(charged, Exhausted) else None
        return exhausted.seconds if exhausted is not None else None
