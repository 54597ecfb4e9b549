"""How statements for many rows are sent to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import psycopg
from psycopg.abc import Params, Query, QueryNoTemplate


class CursorWithoutPipeline(psycopg.AsyncCursor[Any]):
    """Waits for each answer before it says more.

    The driver sends many rows one behind the other. Where the network goes away in between, the server waits for the
    rest without any time limit, since it doesn't think itself idle, and the write lock waits with it.
    """

    async def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """Run the statement for each row; there are no rows to return."""
        del returning
        for params in params_seq:
            await self.execute(cast("QueryNoTemplate", query), params)
