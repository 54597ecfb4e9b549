"""A SQLite file that can't be opened for writing for a while."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.storage.samples import SetClock

from guestpass.storage import migrate
from guestpass.storage.database import Database
from guestpass.storage.instance import read_instance, write_instance

_NOBODY = 65534


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make the folder read-only during the block; root runs it as `nobody`, since modes don't hold root back."""
    modes = {path: path.stat().st_mode for path in (*folder.iterdir(), folder)}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.fixture
def folder() -> Iterator[Path]:
    # The folders of pytest are shut for others.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_a_file_that_was_opened_for_reading_alone_is_opened_anew_when_it_can_be_written_to(
    folder: Path, clock: SetClock
) -> None:
    url = f"sqlite:///{folder / 'guestpass.db'}"
    migrate.upgrade(url)
    database = Database(url, clock)
    try:
        # Somebody reads, so that the files beside the database are there.
        await read_instance(database)
        with read_only(folder):
            for _ in range(2):
                with pytest.raises(OperationalError):
                    await write_instance(database, {"fact": "1"})
                assert database.unwritable == "its disk can only be read"
            assert "fact" not in await read_instance(database)
        await write_instance(database, {"fact": "2"})
        assert (await read_instance(database))["fact"] == "2"
    finally:
        await database.close()
