from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.samples import SetClock

from guestpass.storage.database import Database
from guestpass.storage.location import DatabaseUnusable, PostgresDatabase, SQLiteFile, locate


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/guestpass/guestpass.db", "/var/lib/guestpass/guestpass.db"),
        ("sqlite+aiosqlite:////var/lib/guestpass/guestpass.db", "/var/lib/guestpass/guestpass.db"),
        ("sqlite:////srv/two words/ü%20#.db", "/srv/two words/ü%20#.db"),
    ],
)
def test_a_file_is_named_by_its_path(url: str, path: str) -> None:
    assert locate(url) == SQLiteFile(Path(path))


def test_a_relative_path_begins_in_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("sqlite:///guestpass.db") == SQLiteFile(tmp_path / "guestpass.db")


@pytest.mark.parametrize(
    ("url", "user", "password", "host", "port", "database"),
    [
        ("postgresql://guest:s3cret@db.example.com/share", "guest", "s3cret", "db.example.com", None, "share"),
        ("postgresql+psycopg://guest:p%40ss%2Fw%25@[fd00::7]:6432/a%20b", "guest", "p@ss/w%", "fd00::7", 6432, "a b"),
        ("postgresql+psycopg:///share?host=/run/postgresql&sslmode=disable", None, None, None, None, "share"),
    ],
)
def test_a_server_is_named_by_its_parts(
    url: str, user: str | None, password: str | None, host: str | None, port: int | None, database: str
) -> None:
    location = locate(url)
    assert isinstance(location, PostgresDatabase)
    found = location.url
    assert (found.username, found.password, found.host, found.port) == (user, password, host, port)
    assert (found.drivername, found.database) == ("postgresql+psycopg", database)


def test_a_server_is_shown_without_its_password() -> None:
    location = locate("postgresql+psycopg://guest:s3cret@db.example.com/share?sslpassword=s3cret")
    assert str(location) == "postgresql+psycopg://guest@db.example.com/share"
    assert "s3cret" not in repr(location)


def test_what_the_url_says_of_a_connection_comes_before_our_own_choice() -> None:
    location = locate("postgresql+psycopg://guest@db.example.com/share?connect_timeout=30&application_name=mine")
    assert isinstance(location, PostgresDatabase)
    assert {"connect_timeout", "application_name"}.isdisjoint(location.connection_parameters)
    assert "keepalives_idle" in location.connection_parameters


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+asyncpg://guest:s3cret@db/guestpass", r"kind 'postgresql\+asyncpg'"),
        ("postgres://guest:s3cret@db/guestpass", "kind 'postgres'"),
        ("postgresql://guest:my@s3cret@db/guestpass", "write %40"),
        ("postgresql://guest:my#s3cret@db:port/guestpass", "percent-encode"),
        ("postgresql://guest:s3cret@db", "name of a database"),
        ("postgresql://guest:s3cret@db/", "name of a database"),
        ("postgresql://guest@db/guestpass?password=s3cret", "before the @"),
        ("mysql://guest:s3cret@db/guestpass", "kind 'mysql'"),
        ("guest:s3cret@db/guestpass", "not a database URL"),
        ("/var/lib/guestpass.db?s3cret", "not a database URL"),
        ("", "not a database URL"),
        ("sqlite://", "no file"),
        ("sqlite:///:memory:", "no file"),
        ("sqlite://var/lib/guestpass.db", "fourth slash"),
        ("sqlite:////var/lib/guestpass.db?mode=ro&key=s3cret", "nothing but"),
    ],
)
def test_anything_else_is_refused_with_the_remedy_and_without_its_password(url: str, said: str) -> None:
    with pytest.raises(DatabaseUnusable, match=said) as caught:
        Database(url, SetClock())
    assert str(caught.value).startswith("DATABASE_URL ")
    assert "sqlite:////var/lib/guestpass/guestpass.db" in str(caught.value)
    assert "postgresql+psycopg://" in str(caught.value)
    assert "s3cret" not in str(caught.value)
