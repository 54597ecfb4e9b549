"""The repository of unreachable environments."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, exists, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import Unreachable
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.storage.dialect import insert
from guestpass.storage.environments import environment_of
from guestpass.storage.tables import environments
from guestpass.storage.tables import unreachable_environments as unreachable


class SQLReachabilities:
    """One row per unreachable environment, inserted when that begins and deleted when it ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def candidates(self, *, after: EnvironmentKey | None, limit: int) -> list[Environment]:
        key = (environments.c.org, environments.c.id)
        last = (after.org, after.id) if after is not None else ("", "")
        query = select(environments).where(tuple_(*key) > tuple_(*last)).order_by(*key).limit(limit)
        return [environment_of(row) for row in await self._connection.execute(query)]

    async def of_org(self, org: str) -> dict[str, Unreachable]:
        rows = await self._connection.execute(select(unreachable).where(unreachable.c.org == org))
        return {row.environment_id: Unreachable(row.since, row.why) for row in rows}

    async def get(self, key: EnvironmentKey) -> Unreachable | None:
        """Return the record of an environment, or None."""
        row = (await self._connection.execute(select(unreachable).where(_is(key)))).one_or_none()
        return None if row is None else Unreachable(row.since, row.why)

    async def lose(self, key: EnvironmentKey, unreachable_now: Unreachable) -> bool:
        """Record that it can't be reached; False if that was recorded already, or the environment is gone."""
        there = exists(select(environments.c.id).where(environments.c.org == key.org, environments.c.id == key.id))
        table = unreachable.c
        row = select(
            literal(key.org),
            literal(key.id),
            literal(unreachable_now.since, table.since.type),
            literal(unreachable_now.why),
        ).where(there)
        statement = insert(unreachable).from_select(["org", "environment_id", "since", "why"], row)
        added = await self._connection.execute(statement.on_conflict_do_nothing().returning(table.environment_id))
        return added.one_or_none() is not None

    async def regain(self, key: EnvironmentKey) -> bool:
        return (await self._connection.execute(delete(unreachable).where(_is(key)))).rowcount > 0


def _is(key: EnvironmentKey) -> ColumnElement[bool]:
    return and_(unreachable.c.org == key.org, unreachable.c.environment_id == key.id)
