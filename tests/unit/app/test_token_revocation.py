from __future__ import annotations

from datetime import timedelta

from tests.storage.samples import NOON, SetClock

from guestpass.app.token_revocation import TokenRevocation
from guestpass.storage.database import Database


async def test_a_withdrawn_token_stays_withdrawn_for_every_worker(database: Database, clock: SetClock) -> None:
    revocation = TokenRevocation(database, clock)
    assert not await revocation.is_revoked("one")
    await revocation.revoke("one", NOON + timedelta(hours=1))
    assert await TokenRevocation(database, clock).is_revoked("one")
    assert not await revocation.is_revoked("two")
