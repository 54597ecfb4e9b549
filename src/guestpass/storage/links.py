"""The repository of links and their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import LinkFilter, LinkSort, SortKey, TokenRecord
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import ShareLink, Status, searchable
from guestpass.storage.batch import rows, rows_table
from guestpass.storage.tables import environments, link_tokens, links

IDS_PER_QUERY = 500  # Below the limits of both SQLite and PostgreSQL; keeps statements small.


class SQLLinks:
    """Links and their tokens."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, link: ShareLink, token_hash: bytes, sealed_token: bytes) -> None:
        """Insert a link with its first token."""
        await self._connection.execute(
            insert(links).values(
                org=link.environment.org, environment_id=link.environment.id, **_values(link, _COLUMNS)
            )
        )
        await self._connection.execute(
            insert(link_tokens).values(
                token_hash=token_hash, link_id=link.id, sealed=sealed_token, created_at=link.created_at
            )
        )

    async def update(self, link: ShareLink) -> bool:
        statement = update(links).where(links.c.id == link.id).values(**_values(link, _CHANGED))
        return (await self._connection.execute(statement)).rowcount > 0

    async def replace_token(self, id: str, token_hash: bytes, sealed_token: bytes, at: datetime) -> None:
        await self._connection.execute(
            update(link_tokens)
            .where(link_tokens.c.link_id == id, link_tokens.c.retired_at.is_(None))
            .values(retired_at=at)
        )
        await self._connection.execute(
            insert(link_tokens).values(token_hash=token_hash, link_id=id, sealed=sealed_token, created_at=at)
        )

    async def get(self, id: str) -> ShareLink | None:
        """The link, or None."""
        row = (await self._connection.execute(select(links).where(links.c.id == id))).one_or_none()
        return None if row is None else _link(row)

    async def sealed_tokens(self, ids: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for first in range(0, len(ids), IDS_PER_QUERY):
            query = select(link_tokens.c.link_id, link_tokens.c.sealed).where(
                link_tokens.c.link_id.in_(ids[first : first + IDS_PER_QUERY]), link_tokens.c.retired_at.is_(None)
            )
            found.update({row.link_id: row.sealed for row in await self._connection.execute(query)})
        return found

    async def by_environment(
        self, key: EnvironmentKey, *, now: datetime, status: Status | None = None
    ) -> list[ShareLink]:
        query = select(links).where(_belongs_to(key)).order_by(links.c.created_at.desc(), links.c.id.desc())
        if status is not None:
            query = query.where(has_status(status, now))
        return [_link(row) for row in await self._connection.execute(query)]

    async def find(
        self,
        wanted: LinkFilter,
        *,
        sort: LinkSort,
        descending: bool,
        after: SortKey | None,
        limit: int,
    ) -> list[ShareLink]:
        column = _SORTED_BY[sort]
        query = (await self._matching(select(links), wanted)).limit(limit)
        if after is not None:
            query = query.where(_behind(column, after, descending=descending))
        order, tie = (column.desc(), links.c.id.desc()) if descending else (column.asc(), links.c.id.asc())
        # NULLS LAST for nullable columns only: with it PostgreSQL doesn't scan the index backwards.
        query = query.order_by(order.nulls_last() if column.nullable else order, tie)
        return [_link(row) for row in await self._connection.execute(query)]

    async def count(self, wanted: LinkFilter) -> int:
        query = await self._matching(select(func.count()).select_from(links), wanted)
        number: int = (await self._connection.execute(query)).scalar_one()
        return number

    async def count_active(self, org: str, now: datetime) -> dict[str, int]:
        query = (
            select(links.c.environment_id, func.count().label("links"))
            .where(links.c.org == org, has_status(Status.ACTIVE, now))
            .group_by(links.c.environment_id)
        )
        return {row.environment_id: row.links for row in await self._connection.execute(query)}

    async def by_token_hash(self, token_hash: bytes) -> TokenRecord | None:
        """Return the link of a token's hash, or None."""
        query = select(link_tokens.c.link_id, link_tokens.c.retired_at).where(link_tokens.c.token_hash == token_hash)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else TokenRecord(row.link_id, row.retired_at)

    async def deactivate(self, id: str, at: datetime) -> bool:
        statement = update(links).where(links.c.id == id, links.c.deactivated_at.is_(None)).values(deactivated_at=at)
        return (await self._connection.execute(statement)).rowcount > 0

    async def deactivate_many(self, org: str, ids: Sequence[str], at: datetime) -> tuple[set[str], set[str]]:
        given = rows((id,) for id in ids)
        values = {**given, "of_org": org, "now": at}
        known = set((await self._connection.execute(_KNOWN, {**given, "of_org": org})).scalars())
        changed = set((await self._connection.execute(_DEACTIVATE, values)).scalars())
        return known, known - changed

    async def remove(self, id: str) -> bool:
        return (await self._connection.execute(delete(links).where(links.c.id == id))).rowcount > 0

    async def _matching(self, query: Select[Any], wanted: LinkFilter) -> Select[Any]:
        query = query.where(links.c.org == wanted.org)
        if wanted.environment_id is not None:
            query = query.where(links.c.environment_id == wanted.environment_id)
        if wanted.status is not None:
            query = query.where(has_status(wanted.status, wanted.now))
        if wanted.share_type is not None:
            query = query.where(links.c.share_type == wanted.share_type)
        if wanted.created_by is not None:
            query = query.where(links.c.created_by == wanted.created_by)
        if wanted.expires_before is not None:
            query = query.where(has_status(Status.ACTIVE, wanted.now), links.c.expires_at < wanted.expires_before)
        if words := searchable(wanted.text or "").split():
            named = await self._names_of_environments(wanted.org)
            for word in words:
                ids = [id for id, name in named.items() if word in name]
                query = query.where(
                    or_(links.c.searched.contains(word, autoescape=True), links.c.environment_id.in_(ids))
                )
        return query

    async def _names_of_environments(self, org: str) -> dict[str, str]:
        """Return searchable names by id; an organisation has few environments."""
        query = select(environments.c.id, environments.c.name).where(environments.c.org == org)
        return {id: searchable(name) for id, name in await self._connection.execute(query)}


_SORTED_BY = {
    LinkSort.CREATED: links.c.created_at,
    LinkSort.EXPIRES: links.c.expires_at,
    LinkSort.LAST_OPENED: links.c.last_opened_at,
    LinkSort.LABEL: links.c.label_key,
    LinkSort.VISITS: links.c.visits,
}


def _behind(column: ColumnElement[Any], after: SortKey, *, descending: bool) -> ColumnElement[bool]:
    value, id = after
    if value is None:
        return and_(column.is_(None), links.c.id < id if descending else links.c.id > id)
    here, there = tuple_(column, links.c.id), tuple_(value, id)
    behind = here < there if descending else here > there
    return or_(behind, column.is_(None)) if column is links.c.last_opened_at else behind


# Attributes of a link have the names of their columns; its environment is two of them.
_COLUMNS: Final = tuple(each.name for each in fields(ShareLink) if each.name != "environment")
_FIXED: Final = {"id", "created_at", "created_by", "last_opened_at", "visits", "visitors"}
"""Columns that owners don't change; the last three are updated by visits."""
_CHANGED: Final = tuple(name for name in _COLUMNS if name not in _FIXED)


def _values(link: ShareLink, names: Iterable[str]) -> dict[str, Any]:
    """Return a link's column values, including the columns to sort and search by."""
    values = {name: getattr(link, name) for name in names}
    return values | {"label_key": link.label_key, "searched": link.searched}


def _belongs_to(key: EnvironmentKey) -> ColumnElement[bool]:
    return and_(links.c.org == key.org, links.c.environment_id == key.id)


def has_status(status: Status, now: datetime) -> ColumnElement[bool]:
    """The rule of ShareLink.status as SQL."""
    match status:
        case Status.DEACTIVATED:
            return links.c.deactivated_at.is_not(None)
        case Status.EXPIRED:
            return and_(links.c.deactivated_at.is_(None), links.c.expires_at <= now)
        case Status.ACTIVE:
            return and_(links.c.deactivated_at.is_(None), links.c.expires_at > now)


def _link(row: Row[Any]) -> ShareLink:
    values = {name: row._mapping[name] for name in _COLUMNS}
    return ShareLink(environment=EnvironmentKey(row.org, row.environment_id), **values)


_GIVEN = rows_table(id=links.c.id)
_OF_ORG = bindparam("of_org", type_=links.c.org.type)
_KNOWN = select(links.c.id).join(_GIVEN, _GIVEN.c.id == links.c.id).where(links.c.org == _OF_ORG)
_DEACTIVATE = (
    update(links)
    .where(links.c.id == _GIVEN.c.id, links.c.org == _OF_ORG, links.c.deactivated_at.is_(None))
    .values(deactivated_at=bindparam("now", type_=links.c.deactivated_at.type))
    .returning(links.c.id)
)
