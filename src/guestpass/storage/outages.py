"""Which errors say that the database is not there, locked, full or read-only, and no mistake of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

OUTAGES: Final = (OperationalError, InterfaceError, InternalError, NoConnectionLeft)
"""InternalError is what PostgreSQL's drivers make of a server that takes no writes, such as a standby (class 25)."""


def cause_of(error: BaseException) -> str:
    """What the database said, in one line; without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


_OF_SQLITE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_READONLY: "its disk can only be read",
    # What the system answers to a write where a disk has become read-only is no error of its own to SQLite.
    sqlite3.SQLITE_IOERR: "its disk fails, or can only be read",
    sqlite3.SQLITE_CANTOPEN: "its file can't be opened",
    sqlite3.SQLITE_BUSY: "another program keeps it locked",
    sqlite3.SQLITE_READONLY_DBMOVED: "its file was replaced or removed",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is damaged",
}
_OF_POSTGRES: Final[Mapping[str | None, str]] = {
    "53100": "its disk is full",
    "25006": "it takes no changes",
}


def is_refusal(error: Exception) -> bool:
    """Whether it says that what was to be written can't be, and never will; another write may.

    A missing table or permission is none: what has to be written then waits for the operator.
    """
    if isinstance(error, DBAPIError):
        # Class 54 is a value that is too large for what PostgreSQL makes of it.
        is_too_large = (getattr(error.orig, "sqlstate", None) or "").startswith("54")
        return is_too_large or isinstance(error, (DataError, IntegrityError))
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, StatementError)
    return not isinstance(error, (OSError, MemoryError, RuntimeError))


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is damaged."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def in_words(error: BaseException) -> str:
    """What is wrong, for owners, who are told neither of paths nor of the network; cause_of is for the operator."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", 0)
    of_sqlite = _OF_SQLITE.get(code) or _OF_SQLITE.get(code & 0xFF)
    return of_sqlite or _OF_POSTGRES.get(getattr(cause, "sqlstate", None), "it does not answer")


def is_for_reading_only(error: BaseException) -> bool:
    """Whether SQLite could open the file for reading alone, which it does where it can't for writing."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
