"""The few statements that databases write differently: the only place to change for another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# PostgreSQL's is written as SQLite's is, where both have the clause ON CONFLICT, and compiles for either.
from sqlalchemy.dialects.postgresql import insert

__all__ = ["CHANNEL", "POSTGRES", "SQLITE", "Dialect", "insert"]

_WRITE_LOCK: Final = int.from_bytes(b"guestpas")
"""The number of PostgreSQL's advisory lock for who writes; advisory locks belong to one database of a server."""

CHANNEL: Final = "guestpass_changes"
"""Where PostgreSQL tells of commits that changed something."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a transaction begins that only reads and sees one state, and one that is alone in writing.

    That one takes the write lock at once. Who reads first and writes then can so rely on what was read, the numbers of
    changes become visible in order, and no two writers wait for each other's rows.
    """

    begin_reading: str
    begin_writing: str


SQLITE: Final = Dialect(begin_reading="BEGIN", begin_writing="BEGIN IMMEDIATE")
POSTGRES: Final = Dialect(
    begin_reading="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # Each statement must see what was committed before the lock was had, which one snapshot for all would not.
    begin_writing=f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({_WRITE_LOCK})",
)
