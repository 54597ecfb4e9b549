"""Tell Odoo that sessions of ours are over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from guestpass.app.ports import OdooDoor, OdooSession, Sealer
from guestpass.domain.environment import Environment

PATIENCE_SECONDS: Final = 15.0
"""How long an owner waits at most while an Odoo is told of all sessions at once."""
_AT_ONCE: Final = 4
_log = structlog.get_logger(__name__)


def session_context(link_id: str, visitor: str) -> str:
    """What a session's sealed id is bound to: another visitor's row can't be opened in its place."""
    return f"odoo-session:{link_id}:{visitor}"


class SignOuts:
    """Ends sessions at Odoo whose rows were deleted."""

    def __init__(self, sealer: Sealer, door: OdooDoor) -> None:
        self._sealer = sealer
        self._door = door

    def session_id(self, row: OdooSession) -> str | None:
        """The id that the row holds; None where no sign-in has been completed, or another SECRET_KEY sealed it."""
        if row.sealed is None:
            return None
        try:
            return self._sealer.open(row.sealed, session_context(row.link_id, row.visitor))
        except ValueError:
            return None

    async def tell(self, environment: Environment, row: OdooSession) -> None:
        """End one session; returns when Odoo has answered, or does not answer."""
        if (id := self.session_id(row)) is not None:
            await self._door.sign_out(environment, id)

    async def tell_of_all(self, environment: Environment, rows: Sequence[OdooSession]) -> None:
        """End the sessions of an environment that is removed, for PATIENCE_SECONDS at most.

        Nobody can tell Odoo later: what is not told by then ends when Odoo itself forgets it.
        """
        places = asyncio.Semaphore(_AT_ONCE)

        async def tell(row: OdooSession) -> None:
            async with places:
                await self.tell(environment, row)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
                for row in rows:
                    tasks.create_task(tell(row))
        except TimeoutError:
            _log.warning("odoo_sessions_not_ended", environment=str(environment.key), remedy="restart that Odoo")
