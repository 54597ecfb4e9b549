"""The repository of refusals at links."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.domain.visit import REFUSALS_KEPT, Refusal
from guestpass.storage.batch import append_to, rows, rows_table
from guestpass.storage.tables import refusals


class SQLRefusals:
    """The newest REFUSALS_KEPT refusals of each link."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, refusals: Sequence[Refusal]) -> None:
        if not refusals:
            return
        told_rows = (
            (each.link_id, each.at, each.reason, each.request_id, each.browser, each.system, each.address)
            for each in refusals
        )
        await self._connection.execute(_ADD, rows(told_rows))
        await self._connection.execute(
            _TRIM, rows((link_id,) for link_id in sorted({each.link_id for each in refusals}))
        )

    async def of_link(self, link_id: str) -> list[Refusal]:
        query = select(refusals).where(refusals.c.link_id == link_id).order_by(*_NEWEST_FIRST).limit(REFUSALS_KEPT)
        return [
            Refusal(row.link_id, row.at, row.reason, row.request_id, row.browser, row.system, row.address)
            for row in await self._connection.execute(query)
        ]


_ADD = append_to(refusals, "link_id", "at", "reason", "request_id", "browser", "system", "address")
_CONCERNED = rows_table(link_id=refusals.c.link_id)
_NEWEST_FIRST = (refusals.c.at.desc(), refusals.c.id.desc())
_PLACES = (
    select(
        refusals.c.id, func.row_number().over(partition_by=refusals.c.link_id, order_by=_NEWEST_FIRST).label("place")
    )
    .join(_CONCERNED, refusals.c.link_id == _CONCERNED.c.link_id)
    .subquery()
)
_TRIM = delete(refusals).where(refusals.c.id.in_(select(_PLACES.c.id).where(_PLACES.c.place > REFUSALS_KEPT)))
