"""Parse DATABASE_URL, and the error for a database that can't be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from guestpass.domain.errors import GuestpassError

_SQLITE_DRIVERS: Final = ("sqlite", "sqlite+aiosqlite")
_POSTGRES_DRIVERS: Final = ("postgresql", "postgresql+psycopg")
_EXAMPLE: Final = (
    "use a SQLite file such as sqlite:////var/lib/guestpass/guestpass.db, or a PostgreSQL database such as "
    "postgresql+psycopg://guestpass:PASSWORD@db.example.com/guestpass"
)
_CONNECTION_PARAMETERS: Final = {
    "application_name": "guestpass",
    # A machine that is cut off must notice it even if packets are dropped silently.
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
"""Defaults of libpq's parameters, which the URL can override; in seconds, tcp_user_timeout in milliseconds."""


class DatabaseUnusable(GuestpassError):
    """The database can't be used as it is; the text names it and the remedy, and never holds a password."""


@dataclass(frozen=True, slots=True)
class SQLiteFile:
    """A file of this machine."""

    path: Path

    def __str__(self) -> str:
        """For people."""
        return str(self.path)

    def url(self, driver: str) -> URL:
        """Return the SQLAlchemy URL, with which opening a missing file is an error instead of creating it."""
        return URL.create(driver, database=self.path.as_uri(), query={"mode": "rw", "uri": "true"})


@dataclass(frozen=True, slots=True, repr=False)
class PostgresDatabase:
    """A database of a PostgreSQL server."""

    url: URL

    def __str__(self) -> str:
        """For people: without password and parameters."""
        return self.url.set(query={}).render_as_string(hide_password=True).replace(":***@", "@")

    @property
    def connection_parameters(self) -> dict[str, str]:
        """The parameters that are added to those of the URL."""
        return {name: value for name, value in _CONNECTION_PARAMETERS.items() if name not in self.url.query}


def locate(url: str) -> SQLiteFile | PostgresDatabase:
    """Parse a database URL; raises DatabaseUnusable for an invalid one.

    What follows ``sqlite:///`` is the path as it is, without escapes, and becomes an absolute one. What follows
    ``postgresql+psycopg://`` is as SQLAlchemy has it: percent-encoded, with libpq's parameters as a query.
    """
    driver, separator, rest = url.partition("://")
    if not separator or not driver.isascii() or not driver.replace("+", "").isalnum():
        # Errors here and below don't repeat the text: it may contain a password.
        raise DatabaseUnusable(f"DATABASE_URL is not a database URL; {_EXAMPLE}.")
    if driver in _SQLITE_DRIVERS:
        return SQLiteFile(_sqlite_path(rest))
    if driver in _POSTGRES_DRIVERS:
        return PostgresDatabase(_postgres_url(url))
    raise DatabaseUnusable(f"DATABASE_URL names a database of kind {driver!r}; {_EXAMPLE}.")


def _sqlite_path(rest: str) -> Path:
    path = rest.removeprefix("/")
    if path in ("", ":memory:"):
        raise DatabaseUnusable(f"DATABASE_URL names no file, and a database in memory can't be shared; {_EXAMPLE}.")
    if path == rest or "?" in path:
        raise DatabaseUnusable(
            f"DATABASE_URL must hold nothing but sqlite:/// and a path (an absolute one begins with a fourth slash); "
            f"{_EXAMPLE}."
        )
    return Path(path).absolute()


def _postgres_url(text: str) -> URL:
    # An unescaped one of these in a password would end it, and the rest would be parsed as the host.
    if text.count("@") > 1:
        raise DatabaseUnusable(
            f"DATABASE_URL holds more than one @: write %40 for one that belongs to a password; {_EXAMPLE}."
        )
    try:
        url = make_url(text).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        url = None
    if url is None or "@" in (url.database or ""):
        raise DatabaseUnusable(
            f"DATABASE_URL can't be read: percent-encode what is special in a password (%2F for a slash); {_EXAMPLE}."
        ) from None
    if not url.database or "/" in url.database:
        raise DatabaseUnusable(f"DATABASE_URL must end in the name of a database; {_EXAMPLE}.")
    if "password" in url.query:
        raise DatabaseUnusable(f"DATABASE_URL must hold the password before the @, not as a parameter; {_EXAMPLE}.")
    return url
