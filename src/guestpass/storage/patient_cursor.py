"""Send large parameters to PostgreSQL without the write lock hanging if the network fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, cast

import psycopg
from psycopg.abc import Params, Query, QueryNoTemplate

_FITS_A_PACKET: Final = 1000
"""A parameter of so many characters fits a packet, with everything around it."""


class PatientCursor(psycopg.AsyncCursor[Any]):
    """Prepare the statement first when its parameters take more than one packet.

    If the network fails amid the parameters, the server waits for the rest. Once it has answered the preparation it
    counts as idle, so `idle_in_transaction_session_timeout` ends the wait. Amid one unanswered message it does not, and
    the write lock stays held.
    """

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """Run a statement."""
        values = params.values() if isinstance(params, Mapping) else params or ()
        if any(isinstance(value, str) and len(value) > _FITS_A_PACKET for value in values):
            prepare = True
        return await super().execute(cast("QueryNoTemplate", query), params, prepare=prepare, binary=binary)
