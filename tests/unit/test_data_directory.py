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


@pytest.mark.parametrize(("jwt_secret", "secret_key"), [(None, None), (SecretStr("g" * 32), None)])
def test_no_secret_is_made_or_looked_for_where_other_machines_use_the_same_database(
    tmp_path: Path, jwt_secret: SecretStr | None, secret_key: SecretStr | None
) -> None:
    make_secrets(Settings(data_dir=tmp_path))
    shared = Settings(
        data_dir=tmp_path / "shared",
        database_url="postgresql+psycopg://guest@db/share",
        jwt_secret=jwt_secret,
        secret_key=secret_key,
    )
    for use in (make_secrets, read_secrets):
        with pytest.raises(DataDirectoryUnusable, match=r"^GUESTPASS_JWT_SECRET and GUESTPASS_SECRET_KEY must be set"):
            use(shared)
    assert not shared.data_dir.exists()
    # Nor is one that an installation of this machine alone has left there.
    left = shared.model_copy(update={"data_dir": tmp_path})
    with pytest.raises(DataDirectoryUnusable, match="openssl rand"):
        read_secrets(left)


def test_secrets_that_are_set_serve_where_other_machines_use_the_same_database(tmp_path: Path) -> None:
    shared = Settings(
        data_dir=tmp_path / "own",
        database_url="postgresql+psycopg://guest@db/share",
        jwt_secret=SecretStr("j" * 32),
        secret_key=SecretStr("s" * 32),
    )
    make_secrets(shared)
    secrets = read_secrets(shared)
    assert (secrets.jwt_secret, secrets.secret_key) == ("j" * 32, "s" * 32)
    assert list(shared.data_dir.iterdir()) == []


def test_a_directory_that_can_not_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirectoryUnusable, match=r"^GUESTPASS_DATA_DIR: .* can't be made"):
        make_secrets(Settings(data_dir=tmp_path / "file" / "data"))


def test_a_draft_of_a_key_is_never_left_behind(tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(OSError, match="directory"):
        make_secrets(Settings(data_dir=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jwt_secret", "secret_key"]
