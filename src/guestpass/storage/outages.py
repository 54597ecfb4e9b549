"""Classify database errors: unreachable, locked, full or read-only, as opposed to bugs of ours."""

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
"""psycopg raises InternalError for a server that takes no writes, such as a standby (SQLSTATE class 25)."""


def cause_of(error: BaseException) -> str:
    """Return the database's message in one line, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


_OF_SQLITE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_READONLY: "its disk can only be read",
    # SQLite has no error code of its own for a file system that has become read-only.
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
    """Whether the error rejects this write for good, so that a retry is useless.

    A missing table or permission doesn't: such writes are retried until the operator has repaired it.
    """
    if isinstance(error, DBAPIError):
        # Class 54: program limit exceeded, such as a value that is too large for an index.
        is_too_large = (getattr(error.orig, "sqlstate", None) or "").startswith("54")
        return is_too_large or isinstance(error, (DataError, IntegrityError))
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, StatementError)
    return not isinstance(error, (OSError, MemoryError, RuntimeError))


def is_damage(error: BaseException) -> bool:
    """Whether the error is SQLite's for a damaged file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def in_words(error: BaseException) -> str:
    """Describe an error for owners, without paths and network details; `cause_of` is for operators."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", 0)
    of_sqlite = _OF_SQLITE.get(code) or _OF_SQLITE.get(code & 0xFF)
    return of_sqlite or _OF_POSTGRES.get(getattr(cause, "sqlstate", None), "it does not answer")


def is_for_reading_only(error: BaseException) -> bool:
    """Whether SQLite has fallen back to opening the file read-only."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
