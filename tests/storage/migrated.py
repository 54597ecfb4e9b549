"""New SQLite databases, made by copying one: to migrate each anew takes longer than most tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from guestpass.storage import migrate


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "guestpass.db"
        migrate.upgrade(f"sqlite:///{file}")
        return file.read_bytes()


def new_database(directory: Path) -> str:
    """The URL of a new, migrated database in a directory, as the program itself would have made it there."""
    file = directory / "guestpass.db"
    file.touch(0o600, exist_ok=False)
    file.write_bytes(_migrated())
    return f"sqlite:///{file}"
