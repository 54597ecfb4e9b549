"""Which database a URL means, and what is said when it can't be used."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from guestpass.domain.errors import GuestpassError

_DRIVERS = ("sqlite", "sqlite+aiosqlite")


class DatabaseUnusable(GuestpassError):
    """The database can't be used as it is; the text names it and the remedy, and never holds a password."""


def database_path(url: str) -> Path:
    """The file of a URL such as ``sqlite:////var/lib/guestpass/guestpass.db``, as an absolute path.

    Raises DatabaseUnusable for anything but a SQLite file.
    """
    example = "use a SQLite file such as sqlite:////var/lib/guestpass/guestpass.db"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password in a place that only a correct URL would reveal.
        raise DatabaseUnusable(f"DATABASE_URL is not a database URL; {example}.") from None
    if parsed.drivername not in _DRIVERS:
        raise DatabaseUnusable(f"DATABASE_URL names a database of kind {parsed.drivername!r}; {example}.")
    if parsed.host or parsed.query:
        raise DatabaseUnusable(
            f"DATABASE_URL must hold nothing but sqlite:// and a path (an absolute one begins with a fourth slash); "
            f"{example}."
        )
    if parsed.database in (None, "", ":memory:"):
        raise DatabaseUnusable(f"DATABASE_URL names no file, and a database in memory can't be shared; {example}.")
    return Path(parsed.database).absolute()


def connection_url(path: Path, driver: str) -> URL:
    """The SQLAlchemy URL of a file that exists: opening a missing one is an error and never makes it."""
    return URL.create(driver, database=path.as_uri(), query={"mode": "rw", "uri": "true"})
