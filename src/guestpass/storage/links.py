"""The repository of links and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import TokenRecord
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import Access, ShareLink, ShareType, Status
from guestpass.storage.tables import link_tokens, links

_IDS_PER_QUERY = 500  # SQLite and PostgreSQL both take far more parameters; so many keep a statement small.


class SQLLinks:
    """Links, and the tokens by which they are found."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, link: ShareLink, token_hash: bytes, sealed_token: bytes) -> None:
        """Insert a link with its first token."""
        await self._connection.execute(
            insert(links).values(
                id=link.id,
                org=link.environment.org,
                environment_id=link.environment.id,
                share_type=link.share_type.value,
                label=link.label,
                password_hash=link.password_hash,
                version=link.version,
                created_at=link.created_at,
                created_by=link.created_by,
                expires_at=link.expires_at,
                deactivated_at=link.deactivated_at,
                last_opened_at=link.last_opened_at,
                visits=link.visits,
                visitors=link.visitors,
                access=link.access.value,
                account=link.account,
            )
        )
        await self._connection.execute(
            insert(link_tokens).values(
                token_hash=token_hash, link_id=link.id, sealed=sealed_token, created_at=link.created_at
            )
        )

    async def get(self, id: str) -> ShareLink | None:
        """The link, or None."""
        row = (await self._connection.execute(select(links).where(links.c.id == id))).one_or_none()
        return None if row is None else _link(row)

    async def sealed_tokens(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The current sealed token of each link that exists."""
        found: dict[str, bytes] = {}
        for first in range(0, len(ids), _IDS_PER_QUERY):
            query = select(link_tokens.c.link_id, link_tokens.c.sealed).where(
                link_tokens.c.link_id.in_(ids[first : first + _IDS_PER_QUERY]), link_tokens.c.retired_at.is_(None)
            )
            found.update({row.link_id: row.sealed for row in await self._connection.execute(query)})
        return found

    async def by_environment(
        self, key: EnvironmentKey, *, now: datetime, status: Status | None = None
    ) -> list[ShareLink]:
        """The environment's links, newest first; with `status`, those in that state at `now`."""
        query = select(links).where(_belongs_to(key)).order_by(links.c.created_at.desc(), links.c.id.desc())
        if status is not None:
            query = query.where(has_status(status, now))
        return [_link(row) for row in await self._connection.execute(query)]

    async def ids_by_environment(self, key: EnvironmentKey) -> list[str]:
        """The ids of the environment's links."""
        return list((await self._connection.execute(select(links.c.id).where(_belongs_to(key)))).scalars())

    async def by_token_hash(self, token_hash: bytes) -> TokenRecord | None:
        """Which link a token leads to, or None."""
        query = select(link_tokens.c.link_id, link_tokens.c.retired_at).where(link_tokens.c.token_hash == token_hash)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else TokenRecord(row.link_id, row.retired_at)

    async def deactivate(self, id: str, at: datetime) -> bool:
        """One conditional statement; False when the link is gone or was deactivated before."""
        statement = update(links).where(links.c.id == id, links.c.deactivated_at.is_(None)).values(deactivated_at=at)
        return (await self._connection.execute(statement)).rowcount > 0

    async def remove(self, id: str) -> bool:
        """Delete with tokens, visitors and events; False when there was none."""
        return (await self._connection.execute(delete(links).where(links.c.id == id))).rowcount > 0


def _belongs_to(key: EnvironmentKey) -> ColumnElement[bool]:
    return and_(links.c.org == key.org, links.c.environment_id == key.id)


def has_status(status: Status, now: datetime) -> ColumnElement[bool]:
    """The same rule as ShareLink.status, in SQL."""
    match status:
        case Status.DEACTIVATED:
            return links.c.deactivated_at.is_not(None)
        case Status.EXPIRED:
            return and_(links.c.deactivated_at.is_(None), links.c.expires_at <= now)
        case Status.ACTIVE:
            return and_(links.c.deactivated_at.is_(None), links.c.expires_at > now)


def _link(row: Row[Any]) -> ShareLink:
    return ShareLink(
        id=row.id,
        environment=EnvironmentKey(row.org, row.environment_id),
        share_type=ShareType(row.share_type),
        label=row.label,
        password_hash=row.password_hash,
        version=row.version,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        deactivated_at=row.deactivated_at,
        last_opened_at=row.last_opened_at,
        visits=row.visits,
        visitors=row.visitors,
        access=Access(row.access),
        account=row.account,
    )
