"""The ordered table of changes."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import Change, ChangeKind, Clock
from guestpass.storage.dialect import highest_change_number
from guestpass.storage.tables import changes


class SQLChangeLog:
    """What changed, in the order in which it was committed; SQLite's one writer at a time sees to that."""

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def append(self, kind: ChangeKind, id: str) -> None:
        """Add a change, to be seen when the transaction commits."""
        await self._connection.execute(insert(changes).values(kind=kind.value, id=id, at=self._clock.now()))

    async def after(self, number: int) -> list[Change]:
        """Changes with a higher number, in order."""
        query = select(changes.c.number, changes.c.kind, changes.c.id).where(changes.c.number > number)
        rows = await self._connection.execute(query.order_by(changes.c.number))
        return [Change(row.number, ChangeKind(row.kind), row.id) for row in rows]

    async def last(self) -> int:
        """The highest number that was ever given out, 0 when none was."""
        return (await self._connection.execute(highest_change_number())).scalar() or 0
