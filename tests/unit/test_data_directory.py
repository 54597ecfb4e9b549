"""DATA_DIR and the keys in it, apart from the command that makes them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from guestpass.data_directory import DataDirectoryUnusable, make_secrets, read_secrets
from guestpass.settings import Settings


@pytest.fixture(autouse=True)
def _inviting_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var" / "data")
    make_secrets(settings)
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in settings.data_dir.iterdir()} == {
        "jwt_secret": 0o600,
        "secret_key": 0o600,
    }


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_secrets(Settings(data_dir=tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_secrets_that_are_set_come_before_those_that_are_kept(tmp_path: Path) -> None:
    make_secrets(Settings(data_dir=tmp_path))
    kept = read_secrets(Settings(data_dir=tmp_path))
    given = read_secrets(Settings(data_dir=tmp_path, jwt_secret=SecretStr("g" * 32)))
    assert given.jwt_secret == "g" * 32
    assert given.secret_key == kept.secret_key
    assert kept.secret_key not in repr(kept)


def test_a_directory_that_can_not_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirectoryUnusable, match=r"^GUESTPASS_DATA_DIR: .* can't be made"):
        make_secrets(Settings(data_dir=tmp_path / "file" / "data"))


def test_a_draft_of_a_key_is_never_left_behind(tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(OSError, match="directory"):
        make_secrets(Settings(data_dir=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jwt_secret", "secret_key"]
