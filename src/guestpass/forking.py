"""How the supervisor asks for workers: what it says to the fork server (`fork_server.py`), and what it hears.

A request is one line of JSON that comes with three descriptors: the public and the admin listener, and the worker's end
of its line to the supervisor. The answer is one line: the worker's process id, or why there is no worker.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from guestpass.children import Child, Children

READY: Final = b"ready\n"
"""What a worker tells its supervisor when it serves."""

RETIRE: Final = b"retire\n"
"""What a supervisor tells a worker whose successor serves."""

LOADED: Final = b"loaded\n"
"""What the fork server says once it has loaded everything."""

_PROGRAM: Final = ("-P", "-m", "guestpass.fork_server")
_LONGEST_LINE: Final = 4096
_LOAD_SECONDS: Final = 120.0
_FORK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A worker that is wanted: its slot, how many share the machine, and a folder for its own socket."""

    slot: int
    workers: int
    folder: str


class NotStartedError(Exception):
    """A process did not start: the text says why, `status` is what it ended with (None where it never ran)."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class ForkServer:
    """A fork server that has loaded everything."""

    def __init__(self, process: Child, line: socket.socket) -> None:
        self.process = process
        self._line = line
        self._answers = True

    @property
    def is_usable(self) -> bool:
        """Whether it can still be asked for workers."""
        return self._answers and not self.process.has_ended

    @classmethod
    async def start(cls, children: Children, *, prepares: bool = False, once: bool = False) -> ForkServer:
        """Start one and wait until it has loaded everything; raises NotStartedError.

        It `prepares` the data directory and the database before, and says on standard error what is wrong with them.
        Where it is for `once`, it does not fork but becomes the first worker itself.
        """
        ours, theirs = socket.socketpair()
        options = [f"--line={theirs.fileno()}", *(["--prepare"] * prepares), *(["--once"] * once)]
        with theirs:
            # In a group of its own Ctrl-C doesn't reach it: it is the supervisor's part to say what ends when.
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; it must be known in the same turn
                (sys.executable, *_PROGRAM, *options),
                pass_fds=(theirs.fileno(),),
                process_group=0,
                env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
            )
        # Children waits for it; the object would warn of a process that nobody has waited for.
        process.returncode = 0
        server = cls(children.add(process.pid), ours)
        ours.setblocking(False)
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                loaded = await asyncio.get_running_loop().sock_recv(ours, len(LOADED)) == LOADED
        except TimeoutError:
            server.kill()
            loaded = False
        except asyncio.CancelledError:
            server.end()
            raise
        if not loaded:
            ours.close()
            status = await server.process.wait()
            raise NotStartedError(ending(status), status)
        ours.settimeout(_FORK_SECONDS)
        return server

    def fork(self, children: Children, order: Order, descriptors: Sequence[int]) -> Child:
        """Have a worker forked with these descriptors; raises NotStartedError.

        It blocks for some milliseconds, so that a worker is known in the same moment in which it exists.
        """
        try:
            socket.send_fds(self._line, [json.dumps(asdict(order)).encode()], list(descriptors))
            answer = self._line.recv(_LONGEST_LINE).decode().rstrip()
        except OSError:
            answer = ""
        if not answer:
            self._answers = False
            self.kill()
            raise NotStartedError("the fork server does not answer")
        if not answer.isdecimal():
            raise NotStartedError(answer)
        return children.add(int(answer))

    def end(self) -> None:
        """End it, and what it runs to prepare; workers go on."""
        self._line.close()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, since it hangs."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if not self.process.has_ended:
            os.killpg(self.process.pid, number)


def read_order(line: socket.socket) -> tuple[Order, list[int]] | None:
    """The next request with its descriptors; None once the supervisor is gone."""
    asked, descriptors, _, _ = socket.recv_fds(line, _LONGEST_LINE, 3)
    return (Order(**json.loads(asked)), descriptors) if asked else None


def ending(status: int) -> str:
    """What ended a process, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
