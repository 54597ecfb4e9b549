"""The repository of the dashboard's sessions and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, insert, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import DashboardSession
from guestpass.domain.access import Principal, Scope
from guestpass.storage.tables import dashboard_invitations, dashboard_sessions, revoked_tokens


class SQLDashboardSessions:
    """One-time invitations and sessions; their secrets are stored as hashes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def invite(self, token_hash: bytes, principal: Principal, *, until: datetime) -> None:
        row = {"token_hash": token_hash, **_principal_values(principal), "expires_at": until}
        await self._connection.execute(insert(dashboard_invitations).values(row))

    async def is_invited(self, token_hash: bytes, *, now: datetime) -> bool:
        """Whether the invitation exists and has not expired."""
        query = select(dashboard_invitations.c.sub).where(_is_open(token_hash, now))
        return (await self._connection.execute(query)).first() is not None

    async def accept(self, token_hash: bytes, *, now: datetime) -> Principal | None:
        """Use up an invitation: the caller that deletes its row gets it."""
        statement = delete(dashboard_invitations).where(_is_open(token_hash, now)).returning(dashboard_invitations)
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else _principal(row)

    async def add(self, session: DashboardSession, token_hash: bytes) -> None:
        row = {
            "id": session.id,
            "token_hash": token_hash,
            **_principal_values(session.principal),
            "jti": session.jti,
            "address": session.address,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
        }
        await self._connection.execute(insert(dashboard_sessions).values(row))

    async def find(self, token_hash: bytes, *, now: datetime) -> DashboardSession | None:
        query = select(dashboard_sessions).where(dashboard_sessions.c.token_hash == token_hash, _is_live(now))
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _session(row)

    async def all(self, *, now: datetime) -> list[DashboardSession]:
        table = dashboard_sessions
        query = select(table).where(_is_live(now)).order_by(table.c.created_at.desc(), table.c.id)
        return [_session(row) for row in await self._connection.execute(query)]

    async def remove(self, id: str) -> bool:
        statement = delete(dashboard_sessions).where(dashboard_sessions.c.id == id)
        return (await self._connection.execute(statement)).rowcount > 0


def _is_open(token_hash: bytes, now: datetime) -> ColumnElement[bool]:
    table = dashboard_invitations
    return and_(table.c.token_hash == token_hash, table.c.expires_at > now)


def _is_live(now: datetime) -> ColumnElement[bool]:
    table = dashboard_sessions
    revoked = exists(select(revoked_tokens.c.jti).where(revoked_tokens.c.jti == table.c.jti))
    return and_(table.c.expires_at > now, not_(revoked))


def _principal_values(principal: Principal) -> dict[str, str]:
    return {"sub": principal.sub, "org": principal.org, "scopes": " ".join(sorted(principal.scopes))}


def _principal(row: Row[Any]) -> Principal:
    return Principal(row.sub, row.org, frozenset(map(Scope, row.scopes.split())))


def _session(row: Row[Any]) -> DashboardSession:
    return DashboardSession(row.id, _principal(row), row.jti, row.address, row.created_at, row.expires_at)
