"""A real PostgreSQL server of our own: Debian's, in a folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql
from tests.markers import starts
from tests.ports import reserved_ports

READY_WITHIN: Final = 90.0
USER: Final = "guest pass"
PASSWORD: Final = "r0cks/and@sand:%41"
"""What stands in a URL needs percent-encoding, and what that decodes must not be decoded again."""


def _programs() -> Path:
    """The newest server's; Debian keeps them outside of every PATH."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max(found, key=lambda program: int(program.parts[4])).parent


def _own_user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses to be root."""
    return "nobody" if os.geteuid() == 0 else None


def as_own_user() -> list[str]:
    """What a command begins with that runs as the server's user."""
    user = _own_user()
    return [] if user is None else ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]


class Cluster:
    """One server on a loopback address and port of its own; it does not sync to disk, since nothing of it is kept."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        host: str = "127.0.0.1",
        run: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.host, self.port = host, port
        self._run_server = run
        self._settings = {
            "listen_addresses": host,
            "port": str(port),
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "log_min_messages": "warning",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def url(self, database: str, *, host: str | None = None, port: int | None = None) -> str:
        """What an operator sets DATABASE_URL to."""
        user, password = quote(USER, safe=""), quote(PASSWORD, safe="")
        return f"postgresql+psycopg://{user}:{password}@{host or self.host}:{port or self.port}/{database}"

    @starts("applications", "slow")
    def make(self) -> None:
        """Make the files, with a superuser who needs no password on the socket and our user who needs one."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self._run(
            "initdb", "--pgdata", str(self.data), "--username", USER, "--pwfile", str(secret), "--auth-local=trust",
            "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        )  # fmt: skip
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")

    def start(self, *, until_writable: bool = True) -> None:
        """Start it and wait until it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._run_server, *as_own_user(), _programs() / "postgres", "-D", self.data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN
        while True:
            assert self._process.poll() is None, f"PostgreSQL ended at once: {self.log[-4000:]}"
            try:
                with self.connect() as connection:
                    is_standby = connection.execute("SELECT pg_is_in_recovery()").fetchone()
                if is_standby == (False,) or not until_writable:
                    return
            except psycopg.OperationalError:
                pass
            assert time.monotonic() < deadline, f"PostgreSQL was not ready in time: {self.log[-4000:]}"
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is its fast shutdown, SIGQUIT is as bad as a crash."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection, each statement committed at once."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=USER, dbname=database, autocommit=True, connect_timeout=10
        )

    def execute(self, statement: LiteralString | sql.Composed, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement and return its rows."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql.SQL(statement) if isinstance(statement, str) else statement)
            return cursor.fetchall() if cursor.description is not None else []

    def create(self, database: str, *, template: str = "template0") -> None:
        """Make a database, empty or a copy of another one that nobody uses."""
        names = {"database": sql.Identifier(database), "template": sql.Identifier(template)}
        # Copying pages through the log, which is the default since 15, takes twice as long.
        how = sql.SQL(" STRATEGY file_copy" if int(_programs().parent.name) >= 15 else "")
        self.execute(sql.SQL("CREATE DATABASE {database} TEMPLATE {template}").format(**names) + how)

    def drop(self, database: str) -> None:
        """Remove a database and whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def copy_to(self, folder: Path, port: int) -> Cluster:
        """A standby that follows this one, not started yet."""
        standby = Cluster(folder, port, host=self.host)
        self._run("pg_basebackup", "-D", str(standby.data), "-h", str(self.folder), "-p", str(self.port), "-U", USER,
                  "--write-recovery-conf", "--checkpoint=fast", "--no-sync")  # fmt: skip
        return standby

    def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        assert self.execute("SELECT pg_promote(true, 60)") == [(True,)]

    def _run(self, program: str, *arguments: str) -> None:
        command = [*as_own_user(), str(_programs() / program), *arguments]
        done = subprocess.run(command, capture_output=True, cwd=self.folder, check=False)
        assert done.returncode == 0, f"{program} failed: {done.stderr.decode()}"


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that belongs to the server's user; pytest's own lie where only we may look."""
    folder = Path(tempfile.mkdtemp(prefix="guestpass-postgres-"))
    try:
        if (user := _own_user()) is not None:
            shutil.chown(folder, user, "nogroup")
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def running_cluster(**settings: str) -> Iterator[Cluster]:
    """A server that runs; `settings` are PostgreSQL's."""
    with own_folder() as folder, reserved_ports(1) as [port]:
        cluster = Cluster(folder, port, settings=settings)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
