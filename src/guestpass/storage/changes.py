"""The table of changes, numbered in the order of their commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import Change, ChangeKind, Clock
from guestpass.storage.batch import rows, rows_table
from guestpass.storage.dialect import CHANNEL
from guestpass.storage.tables import changes

CHANGES_KEPT: Final = timedelta(hours=1)
"""How long changes are kept. A reader that was away for longer has to reset."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change with its number. After a restore another change may have this number."""

    number: int
    kind: str
    id: str
    at: datetime

    @property
    def change(self) -> Change | None:
        """The parsed change; None for a kind that this version does not know, and so has cached nothing of."""
        return Change(self.number, ChangeKind(self.kind), self.id) if self.kind in _KINDS else None


_KINDS: Final = frozenset(ChangeKind)
_NOTHING: Final = "nothing"
"""The kind of a change without effect; readers skip it as they skip unknown kinds."""


class SQLChangeLog:
    """What changed, in commit order, which the single write lock guarantees."""

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def append(self, kind: ChangeKind, *ids: str) -> None:
        """Append changes of a kind, in this order; they become visible when the transaction commits."""
        if ids:
            now = self._clock.now()
            is_postgres = self._connection.dialect.name == "postgresql"
            statement = _APPEND_AND_NOTIFY if is_postgres else _APPEND
            await self._connection.execute(statement, rows((kind.value, id, now) for id in ids))

    async def since(self, number: int) -> list[Recorded]:
        """Return the changes from this number on, in order."""
        query = select(changes).where(changes.c.number >= number).order_by(changes.c.number)
        rows = await self._connection.execute(query)
        return [Recorded(row.number, row.kind, row.id, row.at) for row in rows]

    async def last(self) -> int:
        """The highest number in the table, 0 when it is empty; the newest change is never pruned."""
        return (await self._connection.execute(select(func.max(changes.c.number)))).scalar() or 0

    async def cover(self, before: datetime) -> None:
        """Append a change without effect if the newest is earlier and names a visitor, to let it be pruned."""
        newest = select(changes).where(changes.c.number == _LAST)
        names_a_visitor = (changes.c.at < before, changes.c.kind == ChangeKind.ODOO_SESSION.value)
        if (await self._connection.execute(newest.where(*names_a_visitor))).first() is not None:
            await self._connection.execute(_APPEND, rows([(_NOTHING, "", self._clock.now())]))

    async def prune(self, before: datetime, *, limit: int) -> int:
        """Delete up to `limit` changes of an earlier time, oldest first, never the newest; returns the number."""
        newest = select(func.max(changes.c.number)).scalar_subquery()
        old = select(changes.c.number).where(changes.c.at < before, changes.c.number < newest)
        some = old.order_by(changes.c.number).limit(limit).subquery()
        # A bound instead of a list of numbers, which every planner turns into a range of the key.
        last = select(func.max(some.c.number)).scalar_subquery()
        statement = delete(changes).where(changes.c.number <= last, changes.c.at < before)
        return (await self._connection.execute(statement)).rowcount


_CHANGES = rows_table(kind=changes.c.kind, id=changes.c.id, at=changes.c.at)
# Not numbered by a sequence, which leaves gaps after a rollback or a crash: a gap tells readers that they missed
# something.
_LAST = select(func.coalesce(func.max(changes.c.number), 0)).scalar_subquery()
_APPEND = insert(changes).from_select(
    ["number", "kind", "id", "at"],
    select(_LAST + 1 + _CHANGES.c.position, _CHANGES.c.kind, _CHANGES.c.id, _CHANGES.c.at).order_by(
        _CHANGES.c.position
    ),
)
# PostgreSQL notifies every listening worker at the commit, once per transaction.
_APPEND_AND_NOTIFY = _APPEND.returning(func.pg_notify(CHANNEL, ""))
