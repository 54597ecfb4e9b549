"""The repository of who was turned away at links."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.domain.visit import REFUSALS_KEPT, Refusal
from guestpass.storage.tables import links, refusals


class SQLRefusals:
    """The newest REFUSALS_KEPT refusals of each link."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, refusals: Sequence[Refusal]) -> None:
        """Append, and forget what is too old; refusals at links that are gone are dropped."""
        if not refusals:
            return
        await self._connection.execute(
            _ADD,
            [
                {
                    "of_link": refusal.link_id,
                    "refused_at": refusal.at,
                    "for_reason": refusal.reason,
                    "in_request": refusal.request_id,
                    "with_browser": refusal.browser,
                    "on_system": refusal.system,
                    "from_address": refusal.address,
                }
                for refusal in refusals
            ],
        )
        concerned = sorted({refusal.link_id for refusal in refusals})
        await self._connection.execute(_TRIM, [{"of_link": link_id} for link_id in concerned])

    async def of_link(self, link_id: str) -> list[Refusal]:
        """The link's refusals, newest first."""
        query = (
            select(refusals)
            .where(refusals.c.link_id == link_id)
            .order_by(refusals.c.at.desc(), refusals.c.id.desc())
            .limit(REFUSALS_KEPT)
        )
        return [
            Refusal(row.link_id, row.at, row.reason, row.request_id, row.browser, row.system, row.address)
            for row in await self._connection.execute(query)
        ]


_OF_LINK = bindparam("of_link", type_=links.c.id.type)
_ADD = insert(refusals).from_select(
    ["link_id", "at", "reason", "request_id", "browser", "system", "address"],
    select(
        _OF_LINK,
        bindparam("refused_at", type_=refusals.c.at.type),
        bindparam("for_reason", type_=refusals.c.reason.type),
        bindparam("in_request", type_=refusals.c.request_id.type),
        bindparam("with_browser", type_=refusals.c.browser.type),
        bindparam("on_system", type_=refusals.c.system.type),
        bindparam("from_address", type_=refusals.c.address.type),
    ).where(exists(select(links.c.id).where(links.c.id == _OF_LINK))),
)
_NEWEST = (
    select(refusals.c.id)
    .where(refusals.c.link_id == _OF_LINK)
    .order_by(refusals.c.at.desc(), refusals.c.id.desc())
    .limit(REFUSALS_KEPT)
)
_TRIM = delete(refusals).where(refusals.c.link_id == _OF_LINK, refusals.c.id.not_in(_NEWEST))
