"""Any number of rows as one parameter of one statement.

With a parameter for each value a statement has another text for each number of rows, so that it is built, compiled
and planned anew each time; and databases take so many parameters and no more (SQLite 32,766, PostgreSQL 65,535). A
statement that is sent for each row waits for the network as often as there are rows, with the write lock in its hand.
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


def told(**fields: Column[Any] | TypeEngine[Any]) -> Subquery:
    """The rows that a statement is given, as a table of these fields and of `position`, which counts from 0.

    A field has the type that is named, or that of the column that is.
    """
    types = {name: field.type if isinstance(field, Column) else field for name, field in fields.items()}
    each = JSONElements(bindparam(_ROWS, type_=String())).table_valued("value", name="each")
    columns = {"position": BigInteger(), **types}.items()
    picked = (JSONField(each.c.value, place, type_).label(name) for place, (name, type_) in enumerate(columns))
    # The limit leaves nothing out. PostgreSQL expects a hundred rows of any array, for which it would read a table of
    # some ten thousand as a whole, and understands by the limit how few they are.
    return select(*picked).limit(bindparam(_COUNT, type_=BigInteger())).subquery("told")


def append_to(table: Table, *names: str) -> Insert:
    """Add rows with these fields of the table, in their order, and leave out those whose link is gone."""
    given = told(**{name: table.c[name] for name in names})
    picked = select(*(given.c[name] for name in names)).join(links, links.c.id == given.c.link_id)
    return insert(table).from_select(names, picked.order_by(given.c.position))


def rows(values: Iterable[Sequence[object]]) -> dict[str, str | int]:
    """The parameters that are these rows: each has the values of the fields of `told`, in their order.

    Values are texts, numbers, booleans, times with a zone, and None; raises TypeError for others, and Invalid as
    `Database` does.
    """
    listed = [(position, *map(_kept, row)) for position, row in enumerate(values)]
    return {_ROWS: json.dumps(listed, default=_time, separators=(",", ":")), _COUNT: len(listed)}


def _kept(value: object) -> object:
    """The value, whose text is looked at here: in JSON nothing shows any more what can't be kept."""
    if isinstance(value, str):
        require_text(value)
    return value


def _time(value: object) -> str:
    """A time as SQLite keeps it, see `UTCDateTime`."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is nothing that a statement can be told")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
