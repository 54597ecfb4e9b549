"""How often something may be done, counted in the database for all workers together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from limits import parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from sqlalchemy import case, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from guestpass.app.ports import Clock
from guestpass.storage.database import Database
from guestpass.storage.dialect import insert
from guestpass.storage.tables import rate_counters

EXPIRED_PER_WRITE: Final = 10
"""How many expired counters each write takes with it: more than it adds, and few enough to go unnoticed."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still spend, and in how many seconds it may spend all of it again (0 where it may already)."""

    remaining: int
    renewed_in: float


class DatabaseBudget:
    """A Budget of so many in a window that begins with the first, such as ``60/10minute``.

    The `purpose` tells budgets apart. Keys are hashed, since they may hold addresses. What is refused is only read,
    so that who tries on and on keeps nobody from writing. Raises ValueError for a limit that can't be read.
    """

    def __init__(self, database: Database, clock: Clock, limit: str, purpose: str) -> None:
        self._clock = clock
        self._limit = parse(limit)
        self._purpose = purpose
        self._storage = _CounterStorage(database, clock, timedelta(seconds=self._limit.get_expiry()))
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def spend(self, *key: str) -> float | None:
        """Take one from what this key may still spend; the seconds until there is more where nothing is left."""
        named = self._named(key)
        if await self._limiter.test(self._limit, *named) and await self._limiter.hit(self._limit, *named):
            return None
        return (await self.look(*key)).renewed_in

    async def look(self, *key: str) -> Allowance:
        """What this key may still spend, without spending."""
        stats = await self._limiter.get_window_stats(self._limit, *self._named(key))
        return Allowance(stats.remaining, max(0.0, stats.reset_time - self._clock.now().timestamp()))

    async def clear(self, *key: str) -> None:
        """Forget what this key has spent."""
        await self._limiter.clear(self._limit, *self._named(key))

    async def refund(self, *key: str) -> None:
        """Give back one that was spent."""
        await self._limiter.hit(self._limit, *self._named(key), cost=-1)

    async def clear_all(self, first: str) -> None:
        """Forget what all keys with this first part have spent."""
        await self._storage.clear_below("/".join((self._limit.namespace, self._purpose, _digest((first,)))))

    def _named(self, key: tuple[str, ...]) -> tuple[str, str, str]:
        # Each part by itself, so that nobody who chooses one can move the border between two.
        return self._purpose, _digest(key[:1]), _digest(key[1:])


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _CounterStorage(Storage):
    """Counters with an end, as the strategies of `limits` need them; each call is one transaction.

    `window` is how long each counts at most.
    """

    STORAGE_SCHEME = None

    def __init__(self, database: Database, clock: Clock, window: timedelta) -> None:
        super().__init__()
        self._database = database
        self._clock = clock
        self._window = window

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        async with self._database.writing() as work:
            now = self._clock.now()  # Not earlier: there may have been a wait for other writers.
            statement = insert(rate_counters).values(key=key, spent=amount, expires_at=now + timedelta(seconds=expiry))
            new, is_over = statement.excluded, rate_counters.c.expires_at <= now
            statement = statement.on_conflict_do_update(
                index_elements=[rate_counters.c.key],
                set_={
                    "spent": case((is_over, new.spent), else_=rate_counters.c.spent + new.spent),
                    "expires_at": case((is_over, new.expires_at), else_=rate_counters.c.expires_at),
                },
            )
            spent: int = (await work.connection.execute(statement.returning(rate_counters.c.spent))).scalar_one()
            # Where there are row locks, what another worker writes or removes at this moment is left to it.
            expired = (
                select(rate_counters.c.key)
                .where(rate_counters.c.expires_at <= now)
                .limit(EXPIRED_PER_WRITE)
                .with_for_update(skip_locked=True)
            )
            await work.connection.execute(delete(rate_counters).where(rate_counters.c.key.in_(expired)))
        return spent

    async def get(self, key: str) -> int:
        counter = await self._counter(key)
        return 0 if counter is None else counter[0]

    async def get_expiry(self, key: str) -> float:
        counter = await self._counter(key)
        return self._clock.now().timestamp() if counter is None else counter[1].timestamp()

    async def check(self) -> bool:
        async with self._database.reading() as work:
            await work.connection.execute(select(func.count()).select_from(rate_counters))
        return True

    async def reset(self) -> int | None:
        async with self._database.writing() as work:
            return (await work.connection.execute(delete(rate_counters))).rowcount

    async def clear(self, key: str) -> None:
        async with self._database.writing() as work:
            await work.connection.execute(delete(rate_counters).where(rate_counters.c.key == key))

    async def clear_below(self, prefix: str) -> None:
        """Forget all counters whose key begins with these parts."""
        async with self._database.writing() as work:
            below = rate_counters.c.key.startswith(f"{prefix}/", autoescape=True)
            await work.connection.execute(delete(rate_counters).where(below))

    async def _counter(self, key: str) -> tuple[int, datetime] | None:
        """What was spent and until when it counts; None when that is over."""
        async with self._database.reading() as work:
            query = select(rate_counters.c.spent, rate_counters.c.expires_at).where(
                rate_counters.c.key == key, rate_counters.c.expires_at > self._clock.now()
            )
            row = (await work.connection.execute(query)).one_or_none()
        if row is None:
            return None
        if row.expires_at > (latest := self._clock.now() + self._window):
            # It was written before the clock was set back, and must lock nobody out for longer than others.
            await self._shorten(key, latest)
        return row.spent, min(row.expires_at, latest)

    async def _shorten(self, key: str, latest: datetime) -> None:
        async with self._database.writing() as work:
            longer = (rate_counters.c.key == key, rate_counters.c.expires_at > latest)
            await work.connection.execute(update(rate_counters).where(*longer).values(expires_at=latest))
