"""Detect that the files of a SQLite database were replaced while they are open."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path
from typing import Final

from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, SQLiteFile

COMPANIONS: Final = ("-wal", "-shm")


class OpenFiles:
    """The database's files, identified by device and inode.

    Another file at the path is another database. SQLite would use it for new connections and the old one for open ones,
    and would apply the WAL of one to the other.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Path, tuple[int, int]] = {}
        self.remember("")

    def remember(self, *ends: str) -> None:
        """Record the present files as the right ones, where none are recorded; "" stands for the database itself."""
        for end in ends:
            path = self._path.with_name(f"{self._path.name}{end}")
            if path not in self._known and (found := _identity(path)) is not None:
                self._known[path] = found

    def lost(self) -> str | None:
        """Return which file was removed or replaced, worded for the operator; None if all are unchanged."""
        for path, known in self._known.copy().items():  # A copy: the feed's thread may add to it meanwhile.
            if (found := _identity(path)) != known:
                return f"{path} was {'removed' if found is None else 'replaced'} while it was in use"
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 -- a hot path
    except OSError:
        return None
    return status.st_dev, status.st_ino


def require_own_log(location: SQLiteFile | PostgresDatabase) -> None:
    """Raise DatabaseUnusable if the WAL beside a SQLite file belongs to another file that a process has open.

    SQLite would apply that WAL to this file, and delete it at the end. Call it before this process opens the database:
    closing a file releases all POSIX locks that the process holds on it.
    """
    if isinstance(location, SQLiteFile) and sys.platform == "linux":
        path = location.path
        # Each SQLite connection in WAL mode holds both locks.
        if _is_locked(path.with_name(f"{path.name}-shm"), *_INDEX_LOCK) and not _is_locked(path, *_SHARED_LOCK):
            raise DatabaseUnusable(
                f"The database {path} is another file than the one that a running server has open, and the log beside "
                f"it is that one's: to use it would damage it. Stop the server, remove {path.name}-wal and "
                f"{path.name}-shm, and start it."
            )


# SQLite's lock ranges (os_unix.c): offset and length in bytes.
_SHARED_LOCK: Final = (0x40000002, 510)
_INDEX_LOCK: Final = (128, 1)


def _is_locked(path: Path, first: int, count: int) -> bool:
    """Whether another process holds a lock in the range."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, first, count, 0)
        found: int = struct.unpack_from("h", fcntl.fcntl(file, fcntl.F_GETLK, wanted))[0]
    finally:
        os.close(file)
    return found != fcntl.F_UNLCK
