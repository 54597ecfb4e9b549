from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from tests.storage.samples import NOON

from guestpass.app.ports import DashboardSession
from guestpass.domain.access import Principal, Scope
from guestpass.storage.database import Database

HOUR = timedelta(hours=1)
EVA = Principal("eva", "acme", frozenset({Scope.SHARES_READ, Scope.ENVIRONMENTS_READ}))
SESSION = DashboardSession("aaaaaaaa", EVA, "a-jti", "192.0.2.7", NOON, NOON + HOUR)


def hashed(letter: str) -> bytes:
    return letter.encode() * 32


async def invite(database: Database, token_hash: bytes, now: datetime = NOON) -> None:
    async with database.writing() as work:
        await work.dashboard_sessions.invite(token_hash, EVA, until=now + HOUR)


async def accept(database: Database, token_hash: bytes, now: datetime = NOON) -> Principal | None:
    async with database.writing() as work:
        return await work.dashboard_sessions.accept(token_hash, now=now)


async def add(database: Database, session: DashboardSession, token_hash: bytes) -> None:
    async with database.writing() as work:
        await work.dashboard_sessions.add(session, token_hash)


async def find(database: Database, token_hash: bytes, now: datetime = NOON) -> DashboardSession | None:
    async with database.reading() as work:
        return await work.dashboard_sessions.find(token_hash, now=now)


async def test_an_invitation_is_taken_by_one_of_all_who_try(open_database: Callable[[], Database]) -> None:
    databases = [open_database() for _ in range(4)]
    await invite(databases[0], hashed("a"))
    taken = await asyncio.gather(*(accept(database, hashed("a")) for database in databases for _ in range(3)))
    assert sorted(taken, key=str) == sorted([EVA, *[None] * 11], key=str)


async def test_an_invitation_is_over_at_its_time_and_looking_takes_nothing(database: Database) -> None:
    await invite(database, hashed("a"))
    for now, expected in ((NOON, True), (NOON + HOUR - timedelta(microseconds=1), True), (NOON + HOUR, False)):
        async with database.reading() as work:
            assert await work.dashboard_sessions.is_invited(hashed("a"), now=now) is expected
    assert await accept(database, hashed("b")) is None
    assert await accept(database, hashed("a"), NOON + HOUR) is None
    assert await accept(database, hashed("a")) == EVA


async def test_a_session_is_found_until_it_is_over(database: Database) -> None:
    await add(database, SESSION, hashed("a"))
    assert await find(database, hashed("a")) == SESSION
    assert await find(database, hashed("b")) is None
    assert await find(database, hashed("a"), NOON + HOUR) is None


async def test_a_revoked_bearer_ends_the_sessions_that_were_made_from_it(database: Database) -> None:
    await add(database, SESSION, hashed("a"))
    other = replace(SESSION, id="bbbbbbbb", jti="another")
    own = replace(SESSION, id="cccccccc", jti=None)
    await add(database, other, hashed("b"))
    await add(database, own, hashed("c"))
    async with database.writing() as work:
        await work.revoked_tokens.add("a-jti", revoked_at=NOON, expires_at=NOON + HOUR)
    assert await find(database, hashed("a")) is None
    async with database.reading() as work:
        assert await work.dashboard_sessions.all(now=NOON) == [other, own]


async def test_a_session_is_ended_once(database: Database) -> None:
    await add(database, SESSION, hashed("a"))
    later = replace(SESSION, id="bbbbbbbb", created_at=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    await add(database, later, hashed("b"))
    async with database.writing() as work:
        assert await work.dashboard_sessions.remove("bbbbbbbb") is True
    assert await find(database, hashed("b"), NOON + HOUR) is None
