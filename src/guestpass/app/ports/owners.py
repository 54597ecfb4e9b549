"""Owners' sessions and bearer tokens: where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guestpass.domain.access import Principal


@dataclass(frozen=True, slots=True)
class DashboardSession:
    """Somebody who is signed in to the dashboard; `id` is no secret.

    `jti` is the bearer token's that it was made from, None for one that was opened on the command line. `address` is
    where it was signed in from.
    """

    id: str
    principal: Principal
    jti: str | None
    address: str
    created_at: datetime
    expires_at: datetime


class DashboardSessions(Protocol):
    """Where one-time invitations to the dashboard and its sessions are kept."""

    async def invite(self, token_hash: bytes, principal: Principal, *, until: datetime) -> None:
        """Keep an invitation."""
        ...

    async def is_invited(self, token_hash: bytes, *, now: datetime) -> bool:
        """Whether there is such an invitation that is not over; takes nothing."""
        ...

    async def accept(self, token_hash: bytes, *, now: datetime) -> Principal | None:
        """Take an invitation; one conditional statement, so that only one caller gets it."""
        ...

    async def add(self, session: DashboardSession, token_hash: bytes) -> None:
        """Keep a session."""
        ...

    async def find(self, token_hash: bytes, *, now: datetime) -> DashboardSession | None:
        """The session, unless it is over or its bearer token was revoked."""
        ...

    async def all(self, *, now: datetime) -> list[DashboardSession]:
        """Every session that `find` would find, newest first."""
        ...

    async def remove(self, id: str) -> bool:
        """End a session; False when there was none."""
        ...


class RevokedTokens(Protocol):
    """Bearer tokens that were revoked before they expire."""

    async def add(self, jti: str, *, revoked_at: datetime, expires_at: datetime) -> None:
        """Revoke a token; idempotent."""
        ...

    async def contains(self, jti: str) -> bool: ...
