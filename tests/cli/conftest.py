from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import Guestpass
from tests.cli.in_process import Elsewhere
from tests.cli.server import Server, serving


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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with one environment, `harbour`, at which nothing listens."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        running.beside.succeed("env", "add", "Harbour", "http://127.0.0.1:1", "--kind", "web")
        yield running


@pytest.fixture(scope="session")
def variables(server: Server) -> dict[str, str]:
    """What anna's machine knows of that server."""
    return server.elsewhere("--sub", "anna")


@pytest.fixture
def elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> Elsewhere:
    """Anna's machine."""
    return Elsewhere(monkeypatch, capsys, variables)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Elsewhere:
    """A machine that knows no server."""
    return Elsewhere(monkeypatch, capsys)
