"""Pass any number of rows to a statement as one JSON parameter.

With one parameter per value the text of the statement would depend on the number of rows, so it would be compiled and
planned anew each time, and databases limit the number of parameters (SQLite 32,766, PostgreSQL 65,535). One statement
per row would cost a round trip each while the write lock is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Insert, String, Subquery, Table, bindparam, insert, select
from sqlalchemy.types import TypeEngine

from guestpass.domain.text import require_text
from guestpass.storage.dialect import JSONElements, JSONField
from guestpass.storage.tables import links

_ROWS: Final = "rows"
_COUNT: Final = "count_of_rows"


def rows_table(**fields: Column[Any] | TypeEngine[Any]) -> Subquery:
    """Return the rows of the parameter as a table with these fields and `position` (from 0).

    The type of a field is the given one, or that of the given column.
    """
    types = {name: field.type if isinstance(field, Column) else field for name, field in fields.items()}
    each = JSONElements(bindparam(_ROWS, type_=String())).table_valued("value", name="each")
    columns = {"position": BigInteger(), **types}.items()
    picked = (JSONField(each.c.value, place, type_).label(name) for place, (name, type_) in enumerate(columns))
    # The limit equals the number of rows. Without it PostgreSQL's planner assumes 100 rows for any array, and would
    # scan tables of some ten thousand rows instead of using their index.
    return select(*picked).limit(bindparam(_COUNT, type_=BigInteger())).subquery("batch")


def append_to(table: Table, *names: str) -> Insert:
    """Build an INSERT of rows with these columns, in order; rows whose link no longer exists are left out."""
    given = rows_table(**{name: table.c[name] for name in names})
    picked = select(*(given.c[name] for name in names)).join(links, links.c.id == given.c.link_id)
    return insert(table).from_select(names, picked.order_by(given.c.position))


def rows(values: Iterable[Sequence[object]]) -> dict[str, str | int]:
    """Return the parameters for these rows, whose values are in the order of the fields of `rows_table`.

    Values are str, int, float, bool, aware datetimes or None. Raises TypeError for others, and Invalid for text that a
    database can't store.
    """
    listed = [(position, *map(_kept, row)) for position, row in enumerate(values)]
    return {_ROWS: json.dumps(listed, default=_time, separators=(",", ":")), _COUNT: len(listed)}


def _kept(value: object) -> object:
    """Return the value; raises Invalid for text that can't be stored, which JSON's escapes would hide."""
    if isinstance(value, str):
        require_text(value)
    return value


def _time(value: object) -> str:
    """Format a time as SQLite stores it, see `UTCDateTime`."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is of no type that a batch can hold")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
