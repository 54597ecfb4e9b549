"""Which errors say that the database is not there, locked, full or read-only, and no mistake of ours."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

OUTAGES: Final = (OperationalError, InterfaceError, InternalError, NoConnectionLeft)
"""InternalError is what PostgreSQL's drivers make of a server that takes no writes, such as a standby (class 25)."""


def cause_of(error: BaseException) -> str:
    """What the database said, in one line; without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__
