"""The repository of batch numbers, by which each worker's batch is written exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.storage.dialect import insert
from guestpass.storage.tables import worker_batches

KEPT: Final = timedelta(days=30)
"""How long the number of a worker's last batch is kept; longer than any worker retries a batch."""


class SQLBatches:
    """One row for each worker, with the number of its newest batch."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, worker: str, number: int, now: datetime) -> bool:
        """Record that this unit of work writes a worker's batch; False where it was written before."""
        row = {"of_worker": worker, "of_number": number, "now": now}
        return (await self._connection.execute(_BEGIN, row)).scalar() is not None


_c = worker_batches.c
_INSERT = insert(worker_batches).values(
    worker=bindparam("of_worker"), number=bindparam("of_number"), written_at=bindparam("now")
)
_BEGIN = _INSERT.on_conflict_do_update(
    index_elements=[_c.worker],
    set_={"number": _INSERT.excluded.number, "written_at": _INSERT.excluded.written_at},
    where=_c.number < _INSERT.excluded.number,
).returning(_c.number)
