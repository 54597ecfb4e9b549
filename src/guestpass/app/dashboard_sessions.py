"""Sign owners in to the dashboard and out, by a one-time URL of the command line or a bearer token."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Final

from guestpass.app.ports import Clock, DashboardSession, Entropy, SessionTokens, Store
from guestpass.app.turns import OWNERS, owner
from guestpass.domain.access import Principal
from guestpass.domain.errors import NotFound

INVITATION_LIFETIME: Final = timedelta(minutes=5)
SESSION_LIFETIME: Final = timedelta(hours=12)


class DashboardSessionService:
    """The use cases around signing in. Tokens are handed out once and kept as hashes."""

    def __init__(self, store: Store, tokens: SessionTokens, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._entropy = entropy

    async def invite(self, principal: Principal) -> str:
        """A token that signs its holder in as the principal, once and within INVITATION_LIFETIME."""
        token, until = self._tokens.new(), self._clock.now() + INVITATION_LIFETIME
        async with self._store.writing(owner(principal)) as work:
            await work.dashboard_sessions.invite(self._tokens.hash(token), principal, until=until)
        return token

    async def is_invited(self, invitation: str) -> bool:
        """Whether the invitation would be accepted; asking does not use it up."""
        async with self._store.reading() as work:
            return await work.dashboard_sessions.is_invited(self._tokens.hash(invitation), now=self._clock.now())

    async def accept(self, invitation: str, address: str) -> str | None:
        """Use up an invitation and return the new session's token; None where it was used before or is over."""
        if not await self.is_invited(invitation):
            return None  # Whoever makes one up keeps nobody from writing.
        now = self._clock.now()
        async with self._store.writing(OWNERS) as work:
            principal = await work.dashboard_sessions.accept(self._tokens.hash(invitation), now=now)
            if principal is None:
                return None
            session = self._session(principal, None, address, now, now + SESSION_LIFETIME)
            token = self._tokens.new()
            await work.dashboard_sessions.add(session, self._tokens.hash(token))
        return token

    async def exchange(
        self, principal: Principal, *, jti: str | None, expires_at: datetime, address: str
    ) -> str | None:
        """Make a session from a bearer token that was checked; returns the session's token.

        It ends with the bearer token at the latest. None where that was revoked.
        """
        now = self._clock.now()
        session = self._session(principal, jti, address, now, min(now + SESSION_LIFETIME, expires_at))
        token = self._tokens.new()
        async with self._store.writing(owner(principal)) as work:
            if jti is not None and await work.revoked_tokens.contains(jti):
                return None
            await work.dashboard_sessions.add(session, self._tokens.hash(token))
        return token

    async def find(self, token: str) -> DashboardSession | None:
        """The session of a token; None where it is over, was ended, or its bearer token was revoked."""
        async with self._store.reading() as work:
            return await work.dashboard_sessions.find(self._tokens.hash(token), now=self._clock.now())

    async def list_all(self) -> list[DashboardSession]:
        """Every session there is, newest first; for the operator."""
        async with self._store.reading() as work:
            return await work.dashboard_sessions.all(now=self._clock.now())

    async def end(self, id: str) -> None:
        """End a session at once; raises NotFound when there is none."""
        async with self._store.writing(OWNERS) as work:
            if not await work.dashboard_sessions.remove(id):
                raise NotFound("dashboard session", id)

    def _session(
        self, principal: Principal, jti: str | None, address: str, now: datetime, expires_at: datetime
    ) -> DashboardSession:
        id = base64.b32encode(self._entropy.bytes(5)).decode().lower()
        return DashboardSession(id, principal, jti, address, now, expires_at)
