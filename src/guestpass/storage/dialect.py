"""The few statements that databases write differently: the only place to change for another one."""

from __future__ import annotations

from sqlalchemy import Executable, column, select, table
from sqlalchemy.dialects.sqlite import insert

__all__ = ["BEGIN_READING", "BEGIN_WRITING", "highest_change_number", "insert"]

BEGIN_READING = "BEGIN"
BEGIN_WRITING = "BEGIN IMMEDIATE"
"""Takes the write lock at once: a transaction that reads before it writes could otherwise be refused half-way."""


def highest_change_number() -> Executable:
    """The highest number that the table `changes` ever gave out, also when its rows were pruned; no row for none."""
    sequences = table("sqlite_sequence", column("name"), column("seq"))
    return select(sequences.c.seq).where(sequences.c.name == "changes")
