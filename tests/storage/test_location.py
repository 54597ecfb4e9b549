from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.samples import SetClock

from guestpass.storage.database import Database
from guestpass.storage.location import DatabaseUnusable, database_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/guestpass/guestpass.db", "/var/lib/guestpass/guestpass.db"),
        ("sqlite+aiosqlite:////var/lib/guestpass/guestpass.db", "/var/lib/guestpass/guestpass.db"),
        ("sqlite:////srv/two words/ü%20#.db", "/srv/two words/ü%20#.db"),
    ],
)
def test_a_file_is_named_by_its_path(url: str, path: str) -> None:
    assert database_path(url) == Path(path)


def test_a_relative_path_begins_in_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert database_path("sqlite:///guestpass.db") == tmp_path / "guestpass.db"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://guest:s3cret@db/guestpass", "kind 'postgresql'"),
        ("postgresql+psycopg://guest:s3cret@db/guestpass", r"kind 'postgresql\+psycopg'"),
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
    assert "s3cret" not in str(caught.value)
