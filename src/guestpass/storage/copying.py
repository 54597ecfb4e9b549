"""Copy an installation's database into another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Table, delete, func, insert, select, tuple_

from guestpass.storage.connecting import reading, writing
from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, SQLiteFile, locate
from guestpass.storage.migrate import WORKS_WITH, current_revision, head_revision, require_current, upgrade
from guestpass.storage.tables import instance, metadata

BATCH: Final = 500
"""Rows per statement."""


def copy(source_url: str, target_url: str, *, copied: Callable[[str, int], None] = lambda _table, _rows: None) -> None:
    """Copy every row of every table into an empty database, in one transaction, and compare them one by one.

    The source is read in one snapshot and stays as it is; what is written to it meanwhile is not copied. The target is
    brought to this program's revision first. `copied` is told of each table and its number of rows. Raises
    DatabaseUnusable for a source that is missing or of another revision, for a target that holds anything, and where
    the target does not hold what the source does, and then keeps nothing.
    """
    source, target = locate(source_url), locate(target_url)
    require_current(source_url)
    if current_revision(source_url) != head_revision():
        raise DatabaseUnusable(f"The database {source} was made by a newer Guestpass; copy it with that version.")
    if isinstance(target, SQLiteFile) and target.path.exists():
        raise DatabaseUnusable(f"There is a file {target} already; name one that doesn't exist.")
    upgrade(target_url)
    with reading(source) as here, writing(target) as there:
        there.execute(delete(instance).where(instance.c.key == WORKS_WITH))
        for table in metadata.sorted_tables:
            if there.execute(select(1).select_from(table).limit(1)).first() is not None:
                raise DatabaseUnusable(f"{target} is not empty: its table {table.name} has rows; make another one.")
        for table in metadata.sorted_tables:
            copied(table.name, _copy_table(table, here, there))
        for table in metadata.sorted_tables:
            _compare_table(table, here, there, target)


def _copy_table(table: Table, here: Connection, there: Connection) -> int:
    """Insert all rows and advance the table's sequence behind them; returns the number of rows."""
    number = 0
    for rows in here.execute(select(table).execution_options(yield_per=BATCH)).partitions():
        there.execute(insert(table), [dict(row._mapping) for row in rows])
        number += len(rows)
    numbered = table.autoincrement_column
    if number and numbered is not None and there.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, numbered.name)
        there.execute(select(func.setval(sequence, select(func.max(numbered)).scalar_subquery())))
    return number


def _compare_table(table: Table, here: Connection, there: Connection, target: SQLiteFile | PostgresDatabase) -> None:
    """Compare every row; raises DatabaseUnusable for one that is missing, extra or different."""
    key = tuple(table.primary_key.columns)
    number = 0
    for rows in here.execute(select(table).execution_options(yield_per=BATCH)).partitions():
        number += len(rows)
        # Rows are looked up by key, not read in parallel: the two databases collate text differently.
        wanted = [tuple(row._mapping[column] for column in key) for row in rows]
        found = there.execute(select(table).where(tuple_(*key).in_(wanted)))
        if set(map(tuple, found)) != set(map(tuple, rows)):
            raise DatabaseUnusable(f"{target} does not give back what was copied into its table {table.name}.")
    if there.execute(select(func.count()).select_from(table)).scalar_one() != number:
        raise DatabaseUnusable(f"{target} got rows from somebody else in its table {table.name}; make another.")
