"""Rate limits that are counted in the database, for all workers together."""

from __future__ import annotations

from guestpass.app.counters import Exhausted, Limit, charge, check
from guestpass.app.ports import Clock, Store


class DatabaseBudget:
    """A Budget with a fixed window that starts at the first use, such as ``60/10minute``.

    `purpose` separates the counters of different budgets. Raises ValueError for a limit that can't be parsed.
    """

    def __init__(self, store: Store, clock: Clock, limit: str, purpose: str) -> None:
        self._store = store
        self._clock = clock
        self._limit = Limit(limit, purpose)

    async def spend(self, *key: str) -> float | None:
        """Spend one of this key's budget; returns the seconds until the window ends if none is left, else None."""
        groups = [[self._limit.counter(*key)]]
        async with self._store.reading() as work:
            exhausted = await check(work, groups, self._clock.now())
        if exhausted is None:
            charged = await charge(self._store, self._clock, groups)
            exhausted = charged if isinstance(charged, Exhausted) else None
        return exhausted.seconds if exhausted is not None else None
