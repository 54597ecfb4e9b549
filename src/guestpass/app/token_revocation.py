"""Revoke bearer tokens before they expire."""

from __future__ import annotations

from datetime import datetime

from guestpass.app.ports import Clock, Store
from guestpass.app.turns import OWNERS


class TokenRevocation:
    """Store the `jti` of revoked bearer tokens until they expire."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def revoke(self, jti: str, expires_at: datetime) -> None:
        """Revoke a token for every worker."""
        async with self._store.writing(OWNERS) as work:
            await work.revoked_tokens.add(jti, revoked_at=self._clock.now(), expires_at=expires_at)

    async def is_revoked(self, jti: str) -> bool:
        """Return whether the token is revoked; reads the database, once for each API call."""
        async with self._store.reading() as work:
            return await work.revoked_tokens.contains(jti)
