"""Each worker keeps Odoo's assets in a folder of its own, which it claims for as long as it lives.

A cache that nobody else writes needs no agreement with anybody. What a worker left behind is taken over by the next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path


class AssetFolder:
    """A folder that is ours until we end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def empty(self) -> None:
        """Leave no assets behind."""
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def claim_folder(parent: Path, *, workers: int) -> Iterator[AssetFolder]:
    """Claim the first folder below `parent` that no living worker has; blocks a little, and raises OSError.

    Folders that nobody has are removed where there are more than there are workers.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.scandir(parent) as entries:
        strays = [Path(entry.path) for entry in entries if not entry.is_dir(follow_symlinks=False)]
    for stray in strays:
        # Most likely from the time when all assets lay in one folder.
        with suppress(OSError):
            stray.unlink()
    descriptor, path = _claim(parent)
    try:
        for surplus in _folders(parent)[workers:]:
            if (claimed := _lock(surplus)) is not None:
                shutil.rmtree(surplus, ignore_errors=True)
                os.close(claimed)
        yield AssetFolder(path)
    finally:
        os.close(descriptor)


def _claim(parent: Path) -> tuple[int, Path]:
    for path in _folders(parent):
        if (descriptor := _lock(path)) is not None:
            return descriptor, path
    for number in count():
        path = parent / str(number)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if (descriptor := _lock(path)) is not None:
            return descriptor, path
    raise AssertionError  # count() has no end


def _folders(parent: Path) -> list[Path]:
    return sorted((path for path in parent.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


def _lock(path: Path) -> int | None:
    """A descriptor that holds the folder, or None where another process has it or has just removed it.

    None too where it is no folder, or not ours to read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between the opening and the lock it may have been removed, and another made under its name.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
