"""The repository of organisations' branding."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.domain.branding import Branding, Logo
from guestpass.storage.dialect import insert
from guestpass.storage.tables import branding


class SQLBrandings:
    """At most one branding per organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, org: str) -> Branding | None:
        """The organisation's branding, or None."""
        row = (await self._connection.execute(select(branding).where(branding.c.org == org))).one_or_none()
        if row is None:
            return None
        logo = Logo(row.logo_type, row.logo) if row.logo is not None else None
        return Branding(name=row.name, logo=logo, colour=row.colour, contact=row.contact)

    async def put(self, org: str, new: Branding, *, at: datetime, by: str) -> None:
        content = {
            "name": new.name,
            "logo": new.logo.content if new.logo is not None else None,
            "logo_type": new.logo.media_type if new.logo is not None else None,
            "colour": new.colour,
            "contact": new.contact,
            "changed_at": at,
            "changed_by": by,
        }
        statement = insert(branding).values({"org": org, **content})
        await self._connection.execute(statement.on_conflict_do_update(index_elements=["org"], set_=content))

    async def remove(self, org: str) -> bool:
        return (await self._connection.execute(delete(branding).where(branding.c.org == org))).rowcount > 0
