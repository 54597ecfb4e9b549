"""The repository of sign-outs that are still to be sent to Odoo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import OdooSignOut
from guestpass.domain.environment import EnvironmentKey, OdooAddress
from guestpass.storage.tables import odoo_sign_outs


class SQLOdooSignOuts:
    """One row per ended session that its Odoo has not been signed out of yet."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, at: OdooAddress, link_id: str, visitor: str, sealed: bytes, now: datetime) -> None:
        values = {
            "org": at.environment.org,
            "environment_id": at.environment.id,
            "url": at.url,
            "called": at.called,
            "tls_verify": at.tls_verify,
            "link_id": link_id,
            "visitor": visitor,
            "sealed": sealed,
            "ended_at": now,
            "due_at": now,
            "tries": 0,
        }
        await self._connection.execute(insert(odoo_sign_outs).values(values))

    async def due(self, now: datetime, *, limit: int) -> list[OdooAddress]:
        found: list[OdooAddress] = []
        # One query per condition: each has its own index.
        for is_due in _is_due(now):
            # The inner limit makes the planner use the index of times, not that of addresses with rows that aren't due.
            some = select(*_ADDRESS).where(is_due).order_by(_ROW.due_at).limit(_LOOKED_AT).subquery()
            query = select(some).distinct().limit(limit)
            found += [_address(row) for row in await self._connection.execute(query)]
        return list(dict.fromkeys(found))[:limit]

    async def claim(self, at: OdooAddress, *, now: datetime, until: datetime, limit: int) -> list[OdooSignOut]:
        """Claim up to `limit` due sign-outs of an Odoo until `until`, fewest failures first."""
        few = select(_ROW.id).where(_is(at), or_(*_is_due(now))).order_by(_ROW.tries, _ROW.id).limit(limit)
        statement = update(odoo_sign_outs).where(_ROW.id.in_(few)).values(due_at=until).returning(odoo_sign_outs)
        taken = [_sign_out(row) for row in await self._connection.execute(statement)]
        return sorted(taken, key=lambda each: (each.tries, each.number))

    async def remove(self, numbers: Sequence[int]) -> None:
        await self._connection.execute(delete(odoo_sign_outs).where(_ROW.id.in_(numbers)))

    async def most_tries(self, at: OdooAddress) -> int:
        query = select(func.coalesce(func.max(_ROW.tries), 0)).where(_is(at))
        return int((await self._connection.execute(query)).scalar_one())

    async def put_off(self, number: int, until: datetime, *, tries: int) -> None:
        await self._connection.execute(
            update(odoo_sign_outs).where(_ROW.id == number).values(due_at=until, tries=tries)
        )

    async def put_off_all(self, at: OdooAddress, until: datetime) -> None:
        await self._connection.execute(update(odoo_sign_outs).where(_is(at)).values(due_at=until))

    async def give_up(self, at: OdooAddress, *, before: datetime, keep: int) -> int:
        newest = select(_ROW.id).where(_is(at)).order_by(_ROW.id.desc()).limit(1).offset(keep - 1).scalar_subquery()
        useless = or_(_ROW.ended_at <= before, _ROW.id < newest)
        return (await self._connection.execute(delete(odoo_sign_outs).where(_is(at), useless))).rowcount


_LOOKED_AT: Final = 100_000
_ROW = odoo_sign_outs.c
_ADDRESS = (_ROW.org, _ROW.environment_id, _ROW.url, _ROW.called, _ROW.tls_verify)

# Rows are never postponed by more than an hour.
_NEVER_PUT_OFF: Final = timedelta(hours=2)


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Build both conditions of a due row: its time has come, or it was written while the clock was far ahead."""
    return _ROW.due_at <= now, _ROW.due_at > now + _NEVER_PUT_OFF


def _is(at: OdooAddress) -> ColumnElement[bool]:
    return and_(
        _ROW.org == at.environment.org,
        _ROW.environment_id == at.environment.id,
        _ROW.url == at.url,
        _ROW.called == at.called,
        _ROW.tls_verify == at.tls_verify,
    )


def _address(row: Row[*tuple[Any, ...]]) -> OdooAddress:
    return OdooAddress(EnvironmentKey(row.org, row.environment_id), row.url, row.called, row.tls_verify)


def _sign_out(row: Row[Any]) -> OdooSignOut:
    return OdooSignOut(row.id, _address(row), row.link_id, row.visitor, row.sealed, row.tries)
