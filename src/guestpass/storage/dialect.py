"""SQL that differs between SQLite and PostgreSQL; to support another database, change it here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, literal_column

# PostgreSQL's INSERT … ON CONFLICT compiles for SQLite too.
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import Function
from sqlalchemy.types import TypeEngine

__all__ = ["CHANNEL", "POSTGRES", "SQLITE", "Dialect", "JSONElements", "JSONField", "insert"]

_WRITE_LOCK: Final = int.from_bytes(b"guestpas")
"""The key of PostgreSQL's advisory lock for writers; advisory locks are per database."""

CHANNEL: Final = "guestpass_changes"
"""PostgreSQL's notification channel for commits that changed something."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The statements that begin a read-only snapshot transaction and a writing one.

    A writing one takes the write lock at once: what it reads stays true until it writes, numbers of changes become
    visible in order, and writers can't deadlock on rows.
    """

    begin_reading: str
    begin_writing: str


SQLITE: Final = Dialect(begin_reading="BEGIN", begin_writing="BEGIN IMMEDIATE")
POSTGRES: Final = Dialect(
    begin_reading="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # READ COMMITTED: statements must see what was committed while waiting for the lock, which a snapshot would not.
    begin_writing=f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({_WRITE_LOCK})",
)


class JSONElements(Function[Any]):
    """Expand a JSON array into rows with one column, `value`."""

    inherit_cache = True

    def __init__(self, text: ColumnElement[str]) -> None:
        super().__init__("json_elements", text)


class JSONField(Function[Any]):
    """The element at an index (from 0) of a JSON array, converted to a column type.

    Times are UTC, in SQLite's text format.
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
    # SQLite yields text, numbers and booleans as its columns store them; a cast would turn a time into a number.
    return f"json_extract({array}, '$[{place}]')"


@compiles(JSONField, "postgresql")
def _field_in_postgres(field: JSONField, compiler: SQLCompiler, **options: object) -> str:
    array, place = (compiler.process(each, **options) for each in field.clauses)
    text, type_ = f"({array} ->> {place})", compiler.dialect.type_compiler_instance.process(field.type)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        # Independent of the session's time zone.
        return f"(CAST({text} AS TIMESTAMP WITHOUT TIME ZONE) AT TIME ZONE 'UTC')"
    return f"CAST({text} AS {type_})"
