from __future__ import annotations

from datetime import datetime, timedelta

from tests.storage.samples import NOON

from guestpass.storage.database import Database

HOUR = timedelta(hours=1)


async def revoke(database: Database, jti: str, revoked_at: datetime, expires_at: datetime) -> None:
    async with database.writing() as work:
        await work.revoked_tokens.add(jti, revoked_at=revoked_at, expires_at=expires_at)


async def revoked(database: Database, jti: str) -> bool:
    async with database.reading() as work:
        return await work.revoked_tokens.contains(jti)


async def test_a_withdrawn_token_is_known_by_its_id(database: Database) -> None:
    assert not await revoked(database, "one")
    await revoke(database, "one", NOON, NOON + HOUR)
    assert await revoked(database, "one")
    assert not await revoked(database, "two")


async def test_withdrawing_twice_is_no_error(database: Database) -> None:
    await revoke(database, "one", NOON, NOON + HOUR)
    await revoke(database, "one", NOON + HOUR / 2, NOON + HOUR)
    assert await revoked(database, "one")
