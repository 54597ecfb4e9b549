"""The few statements that databases write differently: the only place to change for another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, literal_column

# PostgreSQL's is written as SQLite's is, where both have the clause ON CONFLICT, and compiles for either.
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import Function
from sqlalchemy.types import TypeEngine

__all__ = ["CHANNEL", "POSTGRES", "SQLITE", "Dialect", "JSONElements", "JSONField", "insert"]

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


class JSONElements(Function[Any]):
    """The elements of a JSON array, each a row with one column, `value`."""

    inherit_cache = True

    def __init__(self, text: ColumnElement[str]) -> None:
        super().__init__("json_elements", text)


class JSONField(Function[Any]):
    """The element at a place of a JSON array, counted from 0, as a column of a type has it.

    Times are in UTC, written as SQLite keeps them.
    """

    inherit_cache = True

    def __init__(self, array: ColumnElement[Any], place: int, type_: TypeEngine[Any]) -> None:
        super().__init__("json_field", array, literal_column(str(place)), type_=type_)


@compiles(JSONElements, "sqlite")
def _elements_in_sqlite(elements: JSONElements, compiler: SQLCompiler, **options: object) -> str:
    return f"json_each({compiler.process(elements.clauses, **options)})"


@compiles(JSONElements, "postgresql")
def _elements_in_postgres(elements: JSONElements, compiler: SQLCompiler, **options: object) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(elements.clauses, **options)} AS JSONB))"


@compiles(JSONField, "sqlite")
def _field_in_sqlite(field: JSONField, compiler: SQLCompiler, **options: object) -> str:
    array, place = (compiler.process(each, **options) for each in field.clauses)
    # Texts, numbers and booleans come out as columns have them; a cast would make a number of a time.
    return f"json_extract({array}, '$[{place}]')"


@compiles(JSONField, "postgresql")
def _field_in_postgres(field: JSONField, compiler: SQLCompiler, **options: object) -> str:
    array, place = (compiler.process(each, **options) for each in field.clauses)
    text, type_ = f"({array} ->> {place})", compiler.dialect.type_compiler_instance.process(field.type)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        # Whatever the session's time zone is.
        return f"(CAST({text} AS TIMESTAMP WITHOUT TIME ZONE) AT TIME ZONE 'UTC')"
    return f"CAST({text} AS {type_})"
