"""The protocol between the supervisor and the fork server (`fork_server.py`), and the supervisor's end of it.

The fork server sends a line of JSON: the plan, or why there is none. It waits for GO_ON and sends LOADED when all is
loaded, or why it can't be. It may be of a newer version than the supervisor, and may end at any moment. From then on a
request is one line of JSON with three descriptors: the public and the admin listener, and the worker's end of its line
to the supervisor. The response is one line: the worker's process id, or an error.
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
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final, Literal

from guestpass.children import Child, Children
from guestpass.listeners import Listen

READY: Final = b"ready\n"
"""Sent by a worker when it serves."""

RETIRE: Final = b"retire\n"
"""Sent to a worker when its successor serves."""

GO_ON: Final = b"go on\n"
"""Sent to the fork server when the listeners are open."""

LOADED: Final = b"loaded\n"
"""Sent by the fork server when everything is loaded."""

_PROGRAM: Final = ("-P", "-m", "guestpass.fork_server")
_LONGEST_LINE: Final = 65536
_LOAD_SECONDS: Final = 120.0
_END_SECONDS: Final = 5.0
_FORK_SECONDS: Final = 10.0
_NEEDS_RESTART: Final = "The installed version is another one and needs a restart: systemctl restart guestpass."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings that a supervisor needs; `drain` in seconds."""

    listen: Listen
    admin_listen: Listen
    workers: int
    drain: float
    public_url: str
    admin_url: str
    link_domain: str | None
    log_format: Literal["console", "json"]

    def line(self) -> bytes:
        """Encode it as a line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Plan:
        """Decode such a line; raises Refused where it is a `refusal`, or the plan of another version."""
        try:
            fields = json.loads(line)
            for name in ("listen", "admin_listen"):
                fields[name] = Listen(**fields[name])
            return cls(**{**fields, "drain": float(fields["drain"])})
        except (KeyError, TypeError, ValueError):
            raise _read_refusal(line) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkRequest:
    """A request for a worker: its slot, the number of workers, and the folder for its application's socket."""

    slot: int
    workers: int
    folder: str

    def data(self) -> bytes:
        """Encode it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, data: bytes) -> ForkRequest:
        """Decode it; raises Refused where it is another version's."""
        try:
            return cls(**json.loads(data))
        except (TypeError, ValueError):
            raise Refused(_NEEDS_RESTART) from None


class NotStartedError(Exception):
    """A process did not start: the text is the cause, `status` the exit status (None where it never ran)."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Refused(NotStartedError):
    """The present settings or the installed version can't be used; the text is the cause with its remedy."""


class ForkServer:
    """The supervisor's handle of a fork server, with the plan that it read."""

    def __init__(self, process: Child, line: socket.socket) -> None:
        self.process = process
        self.plan: Plan
        self._line = line
        self._received = b""
        self._answers = True

    @property
    def is_usable(self) -> bool:
        """Whether it can still fork workers."""
        return self._answers and not self.process.has_ended

    @classmethod
    async def start(cls, children: Children, *options: str) -> ForkServer:
        """Start one with these options, which `fork_server.py` explains, and wait for its plan.

        Raises NotStartedError.
        """
        ours, theirs = socket_pair()
        with theirs:
            try:
                # In its own process group, so that Ctrl-C reaches only the supervisor, which ends the others in order.
                process = subprocess.Popen(  # noqa: S603, ASYNC220 - our program; it must be known in the same turn
                    (sys.executable, *_PROGRAM, f"--line={theirs.fileno()}", *options),
                    pass_fds=(theirs.fileno(),),
                    process_group=0,
                    env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
                )
            except OSError as error:
                ours.close()
                raise NotStartedError(f"no program can be started: {error}") from error
        # Children waits for it; without this, Popen would warn that nobody did.
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
        """Let it prepare and load; raises NotStartedError."""
        # Where that fails, the process has ended, and reading its answer tells how.
        with suppress(OSError):
            self._line.sendall(GO_ON)
        answer = await self._read_line()
        if answer != LOADED:
            self.end()
            raise _read_refusal(answer)
        self._line.settimeout(_FORK_SECONDS)

    async def _read_line(self) -> bytes:
        """Receive a line; where none comes, end the process and raise NotStartedError."""
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                while b"\n" not in self._received:
                    piece = await asyncio.get_running_loop().sock_recv(self._line, _LONGEST_LINE)
                    if not piece:
                        break
                    self._received += piece
        except ConnectionResetError:
            # It has ended without reading GO_ON.
            pass
        except TimeoutError:
            self.kill()
        except asyncio.CancelledError:
            self.end()
            raise
        line, end, self._received = self._received.partition(b"\n")
        if not end:
            self._line.close()
            status = await self._await_end()
            raise NotStartedError(ending(status), status)
        return line + end

    async def _await_end(self) -> int:
        """Wait for the exit status of a process that sends no more; kill it where it goes on."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                return await self.process.wait()
        except TimeoutError:
            self.kill()
            return await self.process.wait()

    def fork(self, children: Children, request: ForkRequest, descriptors: Sequence[int]) -> Child:
        """Fork a worker with these descriptors; raises NotStartedError, Refused by a version that needs a restart.

        Blocks for some milliseconds, so that the worker is registered before its end could be noticed.
        """
        try:
            socket.send_fds(self._line, [request.data()], list(descriptors))
            answer = self._line.recv(_LONGEST_LINE)
        except OSError:
            answer = b""
        if not answer:
            self._answers = False
            self.kill()
            raise NotStartedError("the fork server does not answer")
        if answer.startswith(b"{"):
            raise _read_refusal(answer)
        if not answer.rstrip().isdigit():
            raise NotStartedError(answer.decode(errors="replace").rstrip())
        if int(answer) == self.process.pid:
            self._line.close()
        return children.add(int(answer))

    def end(self) -> None:
        """Send SIGTERM to it and its preparing child; workers go on."""
        self._line.close()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, where it hangs."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if not self.process.has_ended:
            os.killpg(self.process.pid, number)


def refusal(error: Exception) -> bytes:
    """Encode why there is no plan or no worker, as a line of JSON."""
    return json.dumps({"refused": str(error)}).encode() + b"\n"


def _read_refusal(line: bytes) -> Refused:
    """Decode a `refusal`; any other line is one of another version."""
    with suppress(KeyError, TypeError, ValueError):
        cause = json.loads(line)["refused"]
        if isinstance(cause, str):
            return Refused(cause)
    return Refused(_NEEDS_RESTART)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Create two connected sockets; raises NotStartedError."""
    try:
        return socket.socketpair()
    except OSError as error:
        raise NotStartedError(f"no connection to it can be made: {error}") from error


def receive_request(line: socket.socket) -> tuple[bytes, list[int]] | None:
    """The next request, for `ForkRequest.read`, with its descriptors; None once the supervisor is gone."""
    data, descriptors, _, _ = socket.recv_fds(line, _LONGEST_LINE, 3)
    return (data, descriptors) if data else None


def ending(status: int) -> str:
    """Describe how a process ended: its exit status or signal."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
