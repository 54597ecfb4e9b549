from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.cli.command import Guestpass


@pytest.fixture
def bare(tmp_path: Path) -> Guestpass:
    """The command on a machine where nothing was started yet."""
    return Guestpass(tmp_path / "data")


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as the command makes it; tests work on copies."""
    command = Guestpass(tmp_path_factory.mktemp("first-start") / "data")
    command.succeed("db", "upgrade")
    return command.data_dir


@pytest.fixture
def installed(bare: Guestpass, first_start: Path) -> Guestpass:
    """The command beside a new database."""
    shutil.copytree(first_start, bare.data_dir)
    return bare
