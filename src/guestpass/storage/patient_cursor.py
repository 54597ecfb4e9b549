"""How statements with many rows are sent to PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, cast

import psycopg
from psycopg.abc import Params, Query, QueryNoTemplate

_FITS_A_PACKET: Final = 1000
"""So many characters of a parameter do, with all that is around them."""


class PatientCursor(psycopg.AsyncCursor[Any]):
    """Waits for the answer to a statement's text before it sends parameters that take more than one packet.

    Where the network goes away in the midst of them, the server waits for the rest. While it waits for something new
    it thinks itself idle, and gives up soon (`idle_in_transaction_session_timeout`). Behind a text that it has not
    answered yet it does not, and the write lock waits with it.
    """

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """Run a statement."""
        values = params.values() if isinstance(params, Mapping) else params or ()
        if any(isinstance(value, str) and len(value) > _FITS_A_PACKET for value in values):
            prepare = True
        return await super().execute(cast("QueryNoTemplate", query), params, prepare=prepare, binary=binary)
