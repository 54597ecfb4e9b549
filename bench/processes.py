"""Start servers on a given core, wait until they listen, and end them again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.machine import process_tree

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_PACKAGES = {
    "chromium": "chromium",
    "haproxy": "haproxy",
    "nginx": "nginx",
    "node": "nodejs",
    "npm": "npm",
    "taskset": "util-linux",
    "wrk": "wrk",
}
# Debian keeps nginx where only root's PATH looks.
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


class NotReady(Exception):
    """The benchmark can't begin or go on; the text says why and what to do."""


def find_program(name: str) -> str:
    """The path of a program; raises NotReady that names the package to install."""
    found = look_for(name)
    if found is None:
        raise NotReady(f"{name} is not installed. On Debian or Ubuntu: apt-get install {package_of(name)}")
    return found


def look_for(name: str) -> str | None:
    """The path of a program, where it is installed."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


def package_of(name: str) -> str:
    """The Debian package that brings a program."""
    return _PACKAGES[name]


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that nothing listens on at this moment."""
    held = []
    try:
        for _ in range(count):
            probe = socket.socket()
            held.append(probe)
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in held]
    finally:
        for probe in held:
            probe.close()


def pinned(cores: Sequence[int], command: Sequence[str]) -> list[str]:
    """The command, bound to these cores together with everything that it starts."""
    return [find_program("taskset"), "--cpu-list", ",".join(map(str, cores)), *command]


class Server:
    """A running server and its log; a context manager that ends it."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self._name = name
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environ)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> list[int]:
        """The server's processes."""
        return process_tree(self._process.pid)

    def wait_until_listening(self, address: tuple[str, int] | Path) -> None:
        """Return when connections are accepted; raises NotReady with the end of the log."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise NotReady(f"{self._name} ended at once: {self._log.read_text()[-2000:]}")
            try:
                _connect(address)
            except OSError:
                if time.monotonic() > deadline:
                    raise NotReady(f"{self._name} does not listen: {self._log.read_text()[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Ask the server to end, and end it if it does not."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)


def _connect(address: tuple[str, int] | Path) -> None:
    if isinstance(address, Path):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(str(address))
    else:
        socket.create_connection(address, timeout=1.0).close()
