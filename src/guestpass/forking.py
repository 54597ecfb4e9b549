"""How the supervisor asks for workers: what it says to the fork server (`fork_server.py`), and what it hears.

The fork server begins with a line of JSON: the plan, or why there is none. It goes on once it is told to, and says when
it has loaded everything. From then on a request is one line of JSON, with three descriptors: the public and the admin
listener, and the worker's end of its line to the supervisor. The answer is one line: the worker's process id, or why
there is no worker.
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
from typing import Final, Literal

from guestpass.children import Child, Children
from guestpass.listeners import Listen

READY: Final = b"ready\n"
"""What a worker tells its supervisor when it serves."""

RETIRE: Final = b"retire\n"
"""What a supervisor tells a worker whose successor serves."""

GO_ON: Final = b"go on\n"
"""What the supervisor says once it knows the plan and has the listeners."""

LOADED: Final = b"loaded\n"
"""What the fork server says once it has loaded everything."""

_PROGRAM: Final = ("-P", "-m", "guestpass.fork_server")
_LONGEST_LINE: Final = 65536
_LOAD_SECONDS: Final = 120.0
_FORK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a supervisor needs of the settings; `drain` in seconds."""

    listen: Listen
    admin_listen: Listen
    workers: int
    drain: float
    public_url: str
    admin_url: str
    link_domain: str | None
    log_format: Literal["console", "json"]

    def line(self) -> bytes:
        """How a fork server says it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Plan:
        """Read such a line; raises Refused where it says why there is no plan."""
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return cls(**{**answer, "listen": Listen(**answer["listen"]), "admin_listen": Listen(**answer["admin_listen"])})


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


class Refused(Exception):
    """The settings of the moment can't be used; the text says which and why."""


class ForkServer:
    """A fork server, and what it has read in the settings."""

    def __init__(self, process: Child, line: socket.socket) -> None:
        self.process = process
        self.plan: Plan
        self._line = line
        self._answers = True

    @property
    def is_usable(self) -> bool:
        """Whether it can still be asked for workers."""
        return self._answers and not self.process.has_ended

    @classmethod
    async def start(cls, children: Children, *options: str) -> ForkServer:
        """Start one with these options, which `fork_server.py` explains, and wait for its plan.

        Raises NotStartedError, and Refused with the option ``--refuse``.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            # In a group of its own Ctrl-C doesn't reach it: it is the supervisor's part to say what ends when.
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; it must be known in the same turn
                (sys.executable, *_PROGRAM, f"--line={theirs.fileno()}", *options),
                pass_fds=(theirs.fileno(),),
                process_group=0,
                env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
            )
        # Children waits for it; the object would warn of a process that nobody has waited for.
        process.returncode = 0
        server = cls(children.add(process.pid), ours)
        ours.setblocking(False)
        try:
            server.plan = Plan.read(await server._read_line())
        except Refused:
            server.end()
            raise
        return server

    async def load(self) -> None:
        """Let it prepare what it is to prepare, and load everything; raises NotStartedError."""
        self._line.sendall(GO_ON)
        await self._read_line()
        self._line.settimeout(_FORK_SECONDS)

    async def _read_line(self) -> bytes:
        """The next line; it is ended where none comes, and then NotStartedError is raised."""
        line = b""
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                while not line.endswith(b"\n"):
                    piece = await asyncio.get_running_loop().sock_recv(self._line, _LONGEST_LINE)
                    if not piece:
                        break
                    line += piece
        except TimeoutError:
            self.kill()
        except asyncio.CancelledError:
            self.end()
            raise
        if not line.endswith(b"\n"):
            self._line.close()
            status = await self.process.wait()
            raise NotStartedError(ending(status), status)
        return line

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
        if int(answer) == self.process.pid:
            self._line.close()
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


def refusal(error: Exception) -> bytes:
    """How a fork server says that there is no plan, and why."""
    return json.dumps({"refused": str(error)}).encode() + b"\n"


def read_order(line: socket.socket) -> tuple[Order, list[int]] | None:
    """The next request with its descriptors; None once the supervisor is gone."""
    request, descriptors, _, _ = socket.recv_fds(line, _LONGEST_LINE, 3)
    return (Order(**json.loads(request)), descriptors) if request else None


def ending(status: int) -> str:
    """What ended a process, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
