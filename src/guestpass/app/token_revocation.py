"""Withdraw bearer tokens before their time, and tell whether one was withdrawn."""

from __future__ import annotations

from datetime import datetime

from guestpass.app.ports import Clock, Store
from guestpass.app.turns import OWNERS


class TokenRevocation:
    """Bearer tokens are stateless; the few that were withdrawn are kept by their `jti` until they expire."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def revoke(self, jti: str, expires_at: datetime) -> None:
        """Withdraw a token from now on, for every worker."""
        async with self._store.writing(OWNERS) as work:
            await work.revoked_tokens.add(jti, revoked_at=self._clock.now(), expires_at=expires_at)

    async def is_revoked(self, jti: str) -> bool:
        """Whether the token was withdrawn; asked for each API call, which is no hot path."""
        async with self._store.reading() as work:
            return await work.revoked_tokens.contains(jti)
