"""Tryton, Debian's server and web client: document-relative URLs and JSON-RPC."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.applications.processes import running
from tests.markers import starts
from tests.ports import reserved_ports

# Debian's packages belong to Debian's own interpreter.
_PYTHON = "/usr/bin/python3"
_WEB_CLIENT = "/usr/share/tryton-sao/www"


@dataclass(frozen=True, slots=True)
class Tryton:
    """A running Tryton with the party module, and how to sign in."""

    url: str
    database: str
    user: str
    password: str


@starts("applications", "slow")
@contextmanager
def running_tryton(folder: Path) -> Iterator[Tryton]:
    """A Tryton server with a fresh SQLite database in `folder`."""
    password = "harbour-master-42"
    database = "guests"
    password_file = folder / "password"
    password_file.write_text(password)
    databases = folder / "databases"
    databases.mkdir()
    # Tryton takes only databases that exist as a file.
    (databases / f"{database}.sqlite").touch()
    with reserved_ports(1) as [port]:
        configuration = folder / "trytond.conf"
        configuration.write_text(
            f"[database]\nuri = sqlite://\npath = {databases}\n[web]\nlisten = 127.0.0.1:{port}\nroot = {_WEB_CLIENT}\n"
        )
        subprocess.run(
            [
                _PYTHON, "/usr/bin/trytond-admin", "-c", str(configuration), "-d", database, "--all", "-u", "party",
                "--activate-dependencies", "--email", "admin@example.com", "-l", "en",
            ],
            env={**os.environ, "TRYTONPASSFILE": str(password_file)},
            check=True,
            capture_output=True,
        )  # fmt: skip
        _finish_configuration(databases / f"{database}.sqlite")
        url = f"http://127.0.0.1:{port}"
        command = [_PYTHON, "/usr/bin/trytond", "-c", str(configuration), "-d", database]
        with running(command, ready=f"{url}/", log=folder / "trytond.log"):
            yield Tryton(url, database, "admin", password)


def _finish_configuration(database: Path) -> None:
    """Mark the first steps as done: their wizard would open over every sign-in, at a moment of its own."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE ir_module_config_wizard_item SET state = 'done'")
