"""The repository of rate limits' counters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import Charged, Counter, Standing
from guestpass.storage.dialect import insert
from guestpass.storage.tables import rate_counters

EXPIRED_PER_WRITE: Final = 10
"""How many expired counters each write deletes: more than it adds, so that they don't accumulate."""

_c = rate_counters.c


class SQLCounters:
    """Counters with an expiry. To read and then add, hold the write lock."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def read(self, counters: Sequence[Counter], now: datetime) -> dict[Counter, Standing]:
        query = select(_c.key, _c.spent, _c.pending, _c.pending_until, _c.expires_at).where(
            _c.key.in_([each.key for each in counters]), _c.expires_at > now
        )
        rows = {row.key: row for row in await self._connection.execute(query)}
        standings = {}
        for each in counters:
            if (row := rows.get(each.key)) is None:
                standings[each] = Standing(0, 0, now)
                continue
            is_awaited = row.pending_until is not None and row.pending_until > now
            standings[each] = Standing(row.spent, row.pending if is_awaited else 0, row.expires_at)
        return standings

    async def add(
        self, counters: Sequence[Counter], now: datetime, *, pending_until: datetime | None = None
    ) -> list[Charged]:
        statement = insert(rate_counters).values(
            [
                {
                    "key": each.key,
                    "spent": 1,
                    "expires_at": now + each.window,
                    "pending": int(pending_until is not None),
                    "pending_until": pending_until,
                }
                for each in counters
            ]
        )
        new, is_over = statement.excluded, _c.expires_at <= now
        awaited = case((and_(_c.expires_at > now, _c.pending_until > now), _c.pending), else_=0)
        statement = statement.on_conflict_do_update(
            index_elements=[_c.key],
            set_={
                "spent": case((is_over, new.spent), else_=_c.spent + new.spent),
                "expires_at": case((is_over, new.expires_at), else_=_c.expires_at),
                "pending": awaited + new.pending,
                "pending_until": func.coalesce(new.pending_until, _c.pending_until),
            },
        )
        rows = (await self._connection.execute(statement.returning(_c.key, _c.expires_at))).all()
        # With row locks, skip rows that another worker has locked.
        expired = select(_c.key).where(_c.expires_at <= now).limit(EXPIRED_PER_WRITE).with_for_update(skip_locked=True)
        await self._connection.execute(delete(rate_counters).where(_c.key.in_(expired)))
        by_key = {each.key: each for each in counters}
        return [Charged(by_key[row.key], row.expires_at) for row in rows]

    async def settle(self, charged: Sequence[Charged], now: datetime, *, refund: bool) -> dict[Counter, Standing]:
        # A counter whose window has restarted no longer includes what was charged before.
        keys, same = _keys(charged), [and_(_c.key == it.counter.key, _c.expires_at == it.ends_at) for it in charged]
        values = {"pending": case((_c.pending > 0, _c.pending - 1), else_=0)}
        if refund:
            values["spent"] = case((_c.spent > 0, _c.spent - 1), else_=0)
        statement = update(rate_counters).where(_c.key.in_(keys), or_(*same)).values(values)
        await self._connection.execute(statement)
        if refund:
            # Most passwords are right: delete a counter that is back at zero.
            await self._connection.execute(delete(rate_counters).where(_c.key.in_(keys), _c.spent <= 0))
        standings = await self.read([it.counter for it in charged], now)
        return {it.counter: standings[it.counter] for it in charged if standings[it.counter].ends_at == it.ends_at}

    async def shorten(self, counters: Sequence[Counter], now: datetime) -> None:
        """Let no counter end later than one window from now. Pending amounts count as spent."""
        for each in counters:
            latest = now + each.window
            longer = (_c.key == each.key, _c.expires_at > latest)
            await self._connection.execute(update(rate_counters).where(*longer).values(expires_at=latest, pending=0))

    async def clear_below(self, prefixes: Sequence[str]) -> None:
        below = or_(*(_c.key.startswith(prefix, autoescape=True) for prefix in prefixes))
        await self._connection.execute(delete(rate_counters).where(below))


def _keys(charged: Sequence[Charged]) -> list[str]:
    return [each.counter.key for each in charged]
