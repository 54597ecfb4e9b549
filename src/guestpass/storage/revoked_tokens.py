"""The repository of revoked bearer tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.storage.dialect import insert
from guestpass.storage.tables import revoked_tokens


class SQLRevokedTokens:
    """Revoked bearer tokens by `jti` (RFC 7519), each kept for as long as it would have been valid."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, jti: str, *, revoked_at: datetime, expires_at: datetime) -> None:
        row = insert(revoked_tokens).values(jti=jti, revoked_at=revoked_at, expires_at=expires_at)
        await self._connection.execute(row.on_conflict_do_nothing())

    async def contains(self, jti: str) -> bool:
        """Whether the token was revoked."""
        query = select(revoked_tokens.c.jti).where(revoked_tokens.c.jti == jti)
        return (await self._connection.execute(query)).first() is not None
