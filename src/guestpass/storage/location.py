"""Which database a URL means, and what is said when it can't be used."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL

from guestpass.domain.errors import GuestpassError

_DRIVERS = ("sqlite", "sqlite+aiosqlite")


class DatabaseUnusable(GuestpassError):
    """The database can't be used as it is; the text names it and the remedy, and never holds a password."""


def database_path(url: str) -> Path:
    """The file of a URL such as ``sqlite:////var/lib/guestpass/guestpass.db``, as an absolute path.

    What follows ``sqlite:///`` is the path as it is, without escapes. Raises DatabaseUnusable for
    anything but a SQLite file.
    """
    example = "use a SQLite file such as sqlite:////var/lib/guestpass/guestpass.db"
    driver, separator, rest = url.partition("://")
    if not separator or not driver.isascii() or not driver.replace("+", "").isalnum():
        # The text is not repeated, here and below: it may hold a password.
        raise DatabaseUnusable(f"DATABASE_URL is not a database URL; {example}.")
    if driver not in _DRIVERS:
        raise DatabaseUnusable(f"DATABASE_URL names a database of kind {driver!r}; {example}.")
    path = rest.removeprefix("/")
    if path in ("", ":memory:"):
        raise DatabaseUnusable(f"DATABASE_URL names no file, and a database in memory can't be shared; {example}.")
    if path == rest or "?" in path:
        raise DatabaseUnusable(
            f"DATABASE_URL must hold nothing but sqlite:/// and a path (an absolute one begins with a fourth slash); "
            f"{example}."
        )
    return Path(path).absolute()


def connection_url(path: Path, driver: str) -> URL:
    """The SQLAlchemy URL of a file that exists: opening a missing one is an error and never makes it."""
    return URL.create(driver, database=path.as_uri(), query={"mode": "rw", "uri": "true"})
