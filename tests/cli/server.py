"""A real server for commands: beside it, and asked from somewhere else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from tests import preloaded
from tests.cli.command import Guestpass
from tests.markers import starts
from tests.ports import reserve_ports

START_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """A running server; `beside` runs commands on its data directory."""

    beside: Guestpass
    public_url: str
    admin_url: str

    def token(self, *options: str) -> str:
        """A new bearer token."""
        return self.beside.succeed("token", *options).out.strip()

    def elsewhere(self, *options: str) -> dict[str, str]:
        """The variables of a machine that knows the server's address and has a token."""
        return {"GUESTPASS_URL": self.admin_url, "GUESTPASS_TOKEN": self.token(*options)}


@starts("slow")
@contextmanager
def serving(folder: Path, **variables: str) -> Iterator[Server]:
    """Run `guestpass serve` until the block ends, with these variables besides."""
    public, admin = reserve_ports(2)
    command = Guestpass(
        folder / "data",
        {
            "GUESTPASS_LISTEN": f"127.0.0.1:{public}",
            "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "GUESTPASS_WORKERS": "1",
            **variables,
        },
    )
    with (folder / "log").open("wb") as log, Path(os.devnull).open("rb") as nothing:
        process = preloaded.start(
            [], command.environ(), nothing.fileno(), log.fileno(), log.fileno(), program="supervised"
        )
    server = Server(command, f"http://127.0.0.1:{public}", f"http://localhost:{admin}")
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(server):
            assert not process.has_ended, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(60)


def _is_ready(server: Server) -> bool:
    try:
        return httpx2.get(f"{server.admin_url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False
