"""Check this machine: settings, files, keys, the database and free disk space."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from guestpass.cli.diagnosis.check import Check, ok, problem, warning
from guestpass.data_directory import DataDirectoryUnusable, read_secrets
from guestpass.settings import SECRETS, Settings, SettingsError, load, variable
from guestpass.storage.location import DatabaseUnusable, locate
from guestpass.storage.migrate import require_current
from guestpass.storage.open_files import require_own_log
from guestpass.system import as_user, user_name

_SCARCE: Final = 1024**3
_USED_UP: Final = 64 * 1024**2
"""Free bytes on the disk: below _SCARCE uploads fail soon, below _USED_UP the database does."""
_CORRECT: Final = "Correct it in the file that is named, else in the variable of this name."


def check_settings() -> tuple[Settings | None, list[Check]]:
    """Load the settings, None if they are invalid, and report each error."""
    try:
        loaded = load()
    except SettingsError as error:
        return None, [problem("settings", text, _CORRECT) for text in error.problems]
    where = f"read from {loaded.file}" if loaded.file is not None else "from variables and defaults"
    return loaded.settings, [ok("settings", f"All can be used; {where}.")]


def check_files(settings: Settings) -> Iterator[Check]:
    """Check that DATA_DIR exists, its owner, and the modes of its files."""
    directory = settings.data_dir
    try:
        status = directory.stat()
    except OSError as error:
        yield problem(
            "data directory",
            f"{directory} can't be looked into: {error.strerror}.",
            f"Set {variable('data_dir')} to the server's, and run this as the user that the server runs as; "
            "`guestpass serve` makes a new one.",
        )
        return
    if status.st_uid != os.geteuid():
        owner = user_name(status.st_uid)
        yield problem(
            "data directory",
            f"{directory} belongs to the user {owner}, and this is {user_name(os.geteuid())}.",
            f"Run this as that user: {as_user(owner)}.",
        )
        return
    others = [path for path in (directory, *sorted(directory.iterdir())) if not path.is_symlink() and _others_may(path)]
    for path in others:
        yield warning(
            "data directory",
            f"{path} has mode {stat.S_IMODE(path.stat().st_mode):04o}, so that others may look into it.",
            f"chmod {'700' if path.is_dir() else '600'} {path}",
        )
    if not others:
        yield ok("data directory", f"{directory} belongs to {user_name(status.st_uid)}, and to nobody else.")


def check_keys(settings: Settings) -> Check:
    """Check that both keys exist and can be read."""
    try:
        read_secrets(settings)
    except DataDirectoryUnusable as error:
        return problem("keys", str(error), "Put the keys back from your copy, or name them in the settings.")
    given = [variable(name) for name in SECRETS if getattr(settings, name) is not None]
    where = f"{', '.join(given)} set" if given else f"kept in {settings.data_dir}"
    return ok("keys", f"Both are there, {where}. Keep a copy apart from the database's.")


def check_database(settings: Settings) -> Check:
    """Check that the database exists, has this version's schema, and is undamaged."""
    try:
        require_own_log(locate(settings.database_url))
        require_current(settings.database_url)
    except DatabaseUnusable as error:
        return problem("database", str(error), "Restore a copy if it is damaged; docs/operate/running.md says how.")
    except OSError as error:
        return problem("database", f"It can't be read: {error}.", "Run this as the user that the server runs as.")
    if not settings.database_url.startswith("sqlite"):
        return ok("database", "It answers, and is of this version.")
    if (damage := _damage(settings.database_file)) is not None:
        return problem(
            "database",
            f"{settings.database_file} is damaged: {damage}.",
            "Stop the server, keep the file, and restore a copy; docs/operate/running.md says how.",
        )
    return ok("database", f"{settings.database_file} is sound, and of this version.")


def check_disk(settings: Settings) -> Check:
    """Check the free disk space for database, uploads and assets."""
    try:
        free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        return problem("disk", f"It can't be asked for its room: {error.strerror}.", "Look at DATA_DIR.")
    room = f"{free / 1024**3:.1f} GiB are free where {settings.data_dir} is"
    if free < _USED_UP:
        return problem("disk", f"Only {room}: nothing more can be written.", "Make room, or move DATA_DIR.")
    if free < _SCARCE:
        return warning("disk", f"Only {room}.", "Make room, or lower SPOOL_LIMIT and ASSET_CACHE_SIZE.")
    return ok("disk", f"{room}.")


def _others_may(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _damage(file: Path) -> str | None:
    """Run SQLite's integrity check on a file; returns what is damaged, or None."""
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            [(answer,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        return str(error)
    return None if answer == "ok" else str(answer)
