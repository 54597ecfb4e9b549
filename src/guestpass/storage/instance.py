"""Facts of the installation: the URLs people reach it by and which key it was created with.

`serve` writes it at each start; commands that run beside it read it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select

from guestpass.storage.database import Database
from guestpass.storage.dialect import insert
from guestpass.storage.migrate import WORKS_WITH
from guestpass.storage.tables import instance

_FACTS = select(instance).where(instance.c.key != WORKS_WITH)


async def read_instance(database: Database) -> dict[str, str]:
    """Return all facts by name."""
    async with database.reading() as work:
        return {row.key: row.value for row in await work.connection.execute(_FACTS)}


async def write_once(database: Database, key: str, value: str) -> dict[str, str]:
    """Set a fact unless it is set already; returns all facts after that."""
    async with database.writing() as work:
        await work.connection.execute(insert(instance).values(key=key, value=value).on_conflict_do_nothing())
        return {row.key: row.value for row in await work.connection.execute(_FACTS)}


async def write_instance(database: Database, facts: Mapping[str, str | None]) -> None:
    """Set these facts and leave the others; None deletes one."""
    async with database.writing() as work:
        for key, value in facts.items():
            if value is None:
                await work.connection.execute(delete(instance).where(instance.c.key == key))
                continue
            row = insert(instance).values(key=key, value=value)
            await work.connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
