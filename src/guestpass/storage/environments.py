"""The repository of environments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import ChangeKind, RefusedCall
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.errors import AlreadyExists
from guestpass.domain.finding import Finding
from guestpass.storage.batch import rows, rows_table
from guestpass.storage.changes import SQLChangeLog
from guestpass.storage.dialect import insert
from guestpass.storage.tables import environment_findings, environments, http_only_cookies, refused_calls

COOKIE_NAMES_KEPT: Final = 64
"""At most so many names of HttpOnly cookies per environment: an application may generate names without end."""

REFUSED_CALLS_KEPT: Final = 500
"""At most so many refused methods per environment: the names come from visitors."""


class SQLEnvironments:
    """Environments with their findings, the names of their HttpOnly cookies, and refused calls of view-only links."""

    def __init__(self, connection: AsyncConnection, changes: SQLChangeLog) -> None:
        self._connection = connection
        self._changes = changes

    async def add(self, environment: Environment) -> None:
        values = {**environment.key._asdict(), **_values(environment, _COLUMNS)}
        statement = insert(environments).values(values).on_conflict_do_nothing().returning(environments.c.id)
        if (await self._connection.execute(statement)).one_or_none() is None:
            raise AlreadyExists("environment", environment.id)

    async def get(self, key: EnvironmentKey) -> Environment | None:
        """The environment, or None."""
        row = (await self._connection.execute(select(environments).where(_is(key)))).one_or_none()
        return None if row is None else environment_of(row)

    async def all(self, org: str) -> list[Environment]:
        query = select(environments).where(environments.c.org == org).order_by(environments.c.name, environments.c.id)
        return [environment_of(row) for row in await self._connection.execute(query)]

    async def page(self, org: str, *, after: tuple[str, str] | None, limit: int) -> list[Environment]:
        here = (environments.c.name, environments.c.id)
        query = select(environments).where(environments.c.org == org).order_by(*here).limit(limit)
        if after is not None:
            query = query.where(tuple_(*here) > tuple_(*after))
        return [environment_of(row) for row in await self._connection.execute(query)]

    async def count_of(self, org: str) -> int:
        query = select(func.count()).select_from(environments).where(environments.c.org == org)
        return (await self._connection.execute(query)).scalar_one()

    async def count(self, *, up_to: int) -> int:
        some = select(environments.c.id).limit(up_to).subquery()
        return (await self._connection.execute(select(func.count()).select_from(some))).scalar_one()

    async def update(self, environment: Environment) -> bool:
        statement = update(environments).where(_is(environment.key)).values(_values(environment, _CHANGED))
        return (await self._connection.execute(statement)).rowcount > 0

    async def remove(self, key: EnvironmentKey) -> bool:
        return (await self._connection.execute(delete(environments).where(_is(key)))).rowcount > 0

    async def findings(self, org: str, *, id: str | None = None) -> dict[EnvironmentKey, tuple[Finding, ...]]:
        table = environment_findings
        query = select(table).where(table.c.org == org).order_by(table.c.environment_id, table.c.position)
        if id is not None:
            query = query.where(table.c.environment_id == id)
        found: dict[EnvironmentKey, tuple[Finding, ...]] = {}
        for row in await self._connection.execute(query):
            key = EnvironmentKey(row.org, row.environment_id)
            found[key] = (*found.get(key, ()), Finding(row.code, row.detail, row.remedy))
        return found

    async def set_findings(self, key: EnvironmentKey, findings: Sequence[Finding]) -> None:
        """Replace the findings of an environment that exists. Times are not stored: findings with one are derived."""
        table = environment_findings
        of_it = and_(table.c.org == key.org, table.c.environment_id == key.id)
        await self._connection.execute(delete(table).where(of_it))
        for position, finding in enumerate(findings):
            values = {
                "org": key.org,
                "environment_id": key.id,
                "position": position,
                "code": finding.code,
                "detail": finding.detail,
                "remedy": finding.remedy,
            }
            await self._connection.execute(insert(table).values(values))

    async def add_finding(self, environment: Environment, finding: Finding) -> None:
        table, key = environment_findings, environment.key
        of_it = and_(table.c.org == key.org, table.c.environment_id == key.id)
        known = exists(select(table.c.code).where(of_it, table.c.code == finding.code))
        same = and_(
            _is(key),
            environments.c.created_at == environment.created_at,
            environments.c.revision == environment.revision,
        )
        row = select(
            literal(key.org),
            literal(key.id),
            select(func.coalesce(func.max(table.c.position) + 1, 0)).where(of_it).scalar_subquery(),
            literal(finding.code),
            literal(finding.detail),
            literal(finding.remedy),
        ).where(exists(select(environments.c.id).where(same)), not_(known))
        columns = ["org", "environment_id", "position", "code", "detail", "remedy"]
        await self._connection.execute(insert(table).from_select(columns, row).on_conflict_do_nothing())

    async def http_only_cookies(self, key: EnvironmentKey) -> frozenset[str]:
        query = select(http_only_cookies.c.name).where(_belongs_to(key))
        return frozenset((await self._connection.execute(query)).scalars())

    async def learn_http_only_cookies(self, key: EnvironmentKey, names: Iterable[str]) -> None:
        """Record names of HttpOnly cookies, and notify the workers if one is new.

        At most COOKIE_NAMES_KEPT for one environment; nothing happens when the environment is gone.
        """
        known = await self.http_only_cookies(key)
        learnt = 0
        for name in sorted(set(names) - known)[: COOKIE_NAMES_KEPT - len(known)]:
            # The statement itself checks the limit and that the environment exists, so concurrent writers are safe.
            room = select(func.count()).select_from(http_only_cookies).where(_belongs_to(key)).scalar_subquery()
            row = select(literal(key.org), literal(key.id), literal(name)).where(
                exists(select(environments.c.id).where(_is(key))), room < COOKIE_NAMES_KEPT
            )
            statement = insert(http_only_cookies).from_select(["org", "environment_id", "name"], row)
            statement = statement.on_conflict_do_nothing()
            learnt += len((await self._connection.execute(statement.returning(http_only_cookies.c.name))).all())
        if learnt:
            await self._changes.append(ChangeKind.ENVIRONMENT, str(key))

    async def refused_calls(self, key: EnvironmentKey) -> list[RefusedCall]:
        table = refused_calls
        query = (
            select(table)
            .where(table.c.org == key.org, table.c.environment_id == key.id)
            .order_by(table.c.refusals.desc(), table.c.model, table.c.method)
        )
        rows = await self._connection.execute(query)
        return [RefusedCall(row.model, row.method, row.refusals, row.last_at) for row in rows]

    async def add_refused_calls(self, calls: Mapping[EnvironmentKey, Iterable[RefusedCall]]) -> None:
        """Add counts of environments.

        At most REFUSED_CALLS_KEPT different methods for one environment; nothing happens for one that is gone.
        """
        counts: Counter[tuple[str, str, str, str]] = Counter()
        newest: dict[tuple[str, str, str, str], datetime] = {}
        for key, some in calls.items():
            for call in some:
                of_method = (key.org, key.id, call.model, call.method)
                counts[of_method] += call.count
                newest[of_method] = max(call.last_at, newest.get(of_method, call.last_at))
        if counts:
            # In a fixed order, so that two workers can't deadlock on row locks.
            told_rows = ((*of_method, count, newest[of_method]) for of_method, count in sorted(counts.items()))
            await self._connection.execute(_ADD_REFUSED_CALLS, rows(told_rows))


def _is(key: EnvironmentKey) -> ColumnElement[bool]:
    return and_(environments.c.org == key.org, environments.c.id == key.id)


def _belongs_to(key: EnvironmentKey) -> ColumnElement[bool]:
    return and_(http_only_cookies.c.org == key.org, http_only_cookies.c.environment_id == key.id)


# Attributes of an environment have the names of their columns; its key is two of them.
_COLUMNS: Final = tuple(each.name for each in fields(Environment) if each.name != "key")
_CHANGED: Final = tuple(name for name in _COLUMNS if name not in {"created_at", "created_by"})


def _values(environment: Environment, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(environment, name) for name in names}


def environment_of(row: Row[Any]) -> Environment:
    """Map a complete row to an Environment."""
    return Environment(key=EnvironmentKey(row.org, row.id), **{name: row._mapping[name] for name in _COLUMNS})


def _build_add_refused_calls() -> Executable:
    """Build the upsert of counts by method; the statement checks the limit and that the environment exists."""
    table, known, others = refused_calls, refused_calls.alias("known"), refused_calls.alias("others")
    call = rows_table(**{column.name: column for column in table.c})
    concerned = select(call.c.org, call.c.environment_id).distinct().subquery("concerned")
    its = (concerned.c.org, concerned.c.environment_id)
    taken = select(func.count()).where(others.c.org == its[0], others.c.environment_id == its[1]).scalar_subquery()
    rooms = (
        select(*its, (REFUSED_CALLS_KEPT - taken).label("room"))
        .join(environments, and_(environments.c.org == its[0], environments.c.id == its[1]))
        .subquery("rooms")
    )
    is_new = known.c.model.is_(None)
    place = func.row_number().over(partition_by=[call.c.org, call.c.environment_id, is_new], order_by=call.c.position)
    candidates = (
        select(call, case((is_new, place - rooms.c.room), else_=0).label("too_many"))
        .join(rooms, and_(*(rooms.c[name] == call.c[name] for name in ("org", "environment_id"))))
        .outerjoin(known, and_(*(known.c[column.name] == call.c[column.name] for column in table.primary_key)))
        .subquery("candidates")
    )
    values = select(*(candidates.c[column.name] for column in table.c)).where(candidates.c.too_many <= 0)
    statement = insert(table).from_select(list(table.c.keys()), values.order_by(candidates.c.position))
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={
            "refusals": table.c.refusals + new.refusals,
            "last_at": case((table.c.last_at < new.last_at, new.last_at), else_=table.c.last_at),
        },
    )


# Built once: building takes longer than executing.
_ADD_REFUSED_CALLS = _build_add_refused_calls()
