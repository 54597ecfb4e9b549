"""Processes that need not start an interpreter and import a program, which costs ten times what most commands do.

One process for each of pytest's imports the programs and then forks for each command. What a command is given and
what it leaves is its own, as ever: arguments, environment, directory, streams and exit status. Only what an interpreter
reads while it starts (``PYTHON...``, the locale, ``LD_...``) is not read again: use ``python -m guestpass`` for that.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

_LARGEST_REQUEST = 1_000_000
_DESCRIPTORS = 4
_STDERR = 2
# The programs that can be run, by the module whose ``main`` each is.
_PROGRAMS = {
    "guestpass": "guestpass.cli.main",
    "alone": "tests.alone",
    "supervised": "tests.supervised",
    "odoo": "tests.doubles.odoo.__main__",
    "racer": "tests.storage.racing",
    "committer": "tests.storage.other_process",
}
# What commands import when they need it, beside what is in `guestpass` itself.
_IMPORTED_LATE = ("alembic.command", "alembic.script", "brotli", "psycopg", "segno", "truststore")


@dataclass(frozen=True)
class Process:
    """A command that was started."""

    pid: int
    _answers: socket.socket

    @property
    def has_ended(self) -> bool:
        """Whether its exit status can be read without waiting."""
        return bool(select.select([self._answers], [], [], 0)[0])

    async def ending(self) -> None:
        """Return once it has ended."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._answers, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._answers)

    def wait(self, timeout: float) -> int:
        """The exit status of the command, less than 0 if a signal ended it; raises TimeoutError once it is killed."""
        with self._answers:
            self._answers.settimeout(timeout)
            try:
                return int(self._answers.recv(16))
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                raise


class Server:
    """A program that was started and serves, with what asyncio's processes have; one at a time may wait for it."""

    def __init__(self, process: Process) -> None:
        self.pid = process.pid
        self._process = process
        self._status: int | None = None

    @property
    def returncode(self) -> int | None:
        """Its exit status, less than 0 if a signal ended it; None while it runs."""
        if self._status is None and self._process.has_ended:
            self._status = self._process.wait(0)
        return self._status

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        while (status := self.returncode) is None:
            await self._process.ending()
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without a word to it."""
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdin: int,
    stdout: int,
    stderr: int,
    program: str = "guestpass",
) -> Process:
    """Start a program (a key of `_PROGRAMS`) with these arguments, and these descriptors for its streams."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    request = json.dumps(
        {"program": program, "arguments": arguments, "environ": dict(environ), "folder": str(Path.cwd())}
    )
    with theirs:
        socket.send_fds(_preloaded(), [request.encode()], [stdin, stdout, stderr, theirs.fileno()])
    return Process(int(ours.recv(16)), ours)


def start_server(program: str, environ: Mapping[str, str], log: int) -> Server:
    """Start a program without arguments that reads nothing and writes to the descriptor `log`."""
    with Path(os.devnull).open("rb") as nothing:
        return Server(start([], environ, nothing.fileno(), log, log, program))


@asynccontextmanager
async def talking_to(program: str, *arguments: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Start a program that answers lines with lines: its output and input. It ends once nothing more can come."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = start(arguments, os.environ, theirs.fileno(), theirs.fileno(), _STDERR, program)
    output, input = await asyncio.open_connection(sock=ours)
    try:
        yield output, input
    finally:
        input.close()
        assert await asyncio.to_thread(process.wait, 30) == 0


def run(
    arguments: Sequence[str], environ: Mapping[str, str], stdin: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run ``guestpass ARGUMENTS`` to its end, with an interpreter of its own where that is to have other modules."""
    if environ.get("PYTHONPATH"):
        return subprocess.run(
            [sys.executable, "-m", "guestpass", *arguments],
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        given.write(stdin.encode())
        given.seek(0)
        status = start(arguments, environ, given.fileno(), out.fileno(), errors.fileno()).wait(timeout)
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, status, out.read().decode(), errors.read().decode())


@cache
def _preloaded() -> socket.socket:
    """Where commands are asked for."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # What is typed at pytest's terminal is for pytest, which then ends its programs.
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _import_all() -> None:
    import guestpass

    for module in pkgutil.walk_packages(guestpass.__path__, "guestpass."):
        if "__main__" not in module.name and ".migrations." not in module.name:
            importlib.import_module(module.name)
    for name in (*_PROGRAMS.values(), *_IMPORTED_LATE):
        importlib.import_module(name)


def _fork_when_asked(requests: socket.socket) -> bytes | None:
    """Fork for each request: returns the request in the new process, and nothing once there will be no more."""
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not requests:
                pid, answers = key.data
                selector.unregister(key.fileobj)
                os.close(key.fd)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                # Whoever asked may have lost patience.
                with suppress(BrokenPipeError):
                    os.write(answers, str(status).encode())
                os.close(answers)
                continue
            request, descriptors, _, _ = socket.recv_fds(requests, _LARGEST_REQUEST, _DESCRIPTORS)
            if not request:
                return None
            pid = os.fork()
            if pid == 0:
                selector.close()
                requests.close()
                for target, descriptor in enumerate(descriptors[:3]):
                    os.dup2(descriptor, target)
                for descriptor in descriptors:
                    os.close(descriptor)
                return request
            *streams, answers = descriptors
            for descriptor in streams:
                os.close(descriptor)
            os.write(answers, str(pid).encode())
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, answers))


def _become(request: bytes) -> Callable[[], int | None]:
    """Make this process what an interpreter is that has just been started for the request; returns what it runs."""
    wanted = json.loads(request)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environ"])
    time.tzset()
    sys.argv = [wanted["program"], *wanted["arguments"]]
    coding = sys.stdout.encoding, sys.stdout.errors
    sys.stdin = os.fdopen(0, "r", -1, *coding, closefd=False)
    sys.stdout = os.fdopen(1, "w", -1, *coding, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, coding[0], "backslashreplace", closefd=False)
    main: Callable[[], int | None] = importlib.import_module(_PROGRAMS[wanted["program"]]).main
    return main


def _end(status: object) -> NoReturn:
    """End as an interpreter does, but for taking the imported apart, which is most of what there would be to do."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    # Whoever forgot to await or to close something is told of it.
    gc.collect()
    sys.stdout.flush()
    assert isinstance(status, int), status
    os._exit(status)


if __name__ == "__main__":
    _import_all()
    gc.collect()
    gc.freeze()
    if asked := _fork_when_asked(socket.socket(fileno=int(sys.argv[1]))):
        try:
            _end(_become(asked)())
        except SystemExit as end:
            _end(end.code)
