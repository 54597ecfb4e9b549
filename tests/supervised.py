"""``guestpass serve`` whose fork server is forked too, from what has all of the program loaded already."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from types import SimpleNamespace

from tests import alone

from guestpass import fork_server, forking, worker
from guestpass.cli.main import main as guestpass

_LARGEST_REQUEST = 1000


def main() -> int:
    """Supervise until SIGTERM or SIGINT; returns the exit status of what is forked, and exits with its own."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    # Before there are signal handlers, an event loop and listeners, which a new interpreter would not have either.
    if os.fork() == 0:
        ours.close()
        arguments = _fork_when_asked(theirs)
        theirs.close()
        return 0 if arguments is None else _serve(arguments)
    theirs.close()

    def start(command: Sequence[str], *, pass_fds: Sequence[int], **_others: object) -> SimpleNamespace:
        socket.send_fds(ours, ["\n".join(command).encode()], pass_fds)
        return SimpleNamespace(pid=int(ours.recv(16)))

    setattr(forking, "subprocess", SimpleNamespace(Popen=start))  # noqa: B010  # imported there, and no part of it
    sys.argv = ["guestpass", "serve"]
    return guestpass()


def _serve(arguments: Sequence[str]) -> int:
    """Be a fork server, and then a worker."""
    setattr(worker, "preload", alone.preloaded)  # noqa: B010  # as above
    sys.argv = ["guestpass.fork_server", *arguments]
    return fork_server.main()


def _fork_when_asked(requests: socket.socket) -> Sequence[str] | None:
    """Fork for each request: returns its options in the new process, which the supervisor adopts; None at the end."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _LARGEST_REQUEST, 1)
        if not request:
            return None
        read_end, write_end = os.pipe()
        between = os.fork()
        if between == 0:
            if pid := os.fork():
                # Here, for it must be in its group before anybody can signal that.
                os.setpgid(pid, pid)
                os.write(write_end, b"%d" % pid)
                os._exit(0)
            os.close(read_end)
            os.close(write_end)
            options = request.decode().partition("guestpass.fork_server\n")[2].split("\n")
            return [f"--line={descriptors[0]}", *(each for each in options if not each.startswith("--line="))]
        os.waitpid(between, 0)
        os.close(write_end)
        os.close(descriptors[0])
        requests.send(os.read(read_end, 16))
        os.close(read_end)
