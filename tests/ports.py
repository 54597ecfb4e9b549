"""TCP ports that a server under test is told to listen on, where it can't choose one and say which.

A port that was only looked for is anybody's until its server binds it, and again whenever the server is down: another
process of pytest's, or any connection that leaves this machine. So a port is held by a socket that is bound and doesn't
listen. Linux gives it to nobody who asks for any port, whether by bind or by connect, and lets a server that asks for
this one and sets SO_REUSEADDR (all here do) listen on it, as often as it starts. While none does, connections are
refused.

Guestpass itself could not be left to choose: its settings have the port in the public URL, its workers bind it one by
one, and tests start it again where it was.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_FOR_EVER = ExitStack()


def _hold(stack: ExitStack, count: int, host: str) -> list[int]:
    ports = []
    for _ in range(count):
        holder = stack.enter_context(socket.socket())
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, 0))
        ports.append(holder.getsockname()[1])
    return ports


@contextmanager
def reserved_ports(count: int, host: str = "127.0.0.1") -> Iterator[list[int]]:
    """`count` ports that nobody else is given while the block runs."""
    with ExitStack() as stack:
        yield _hold(stack, count, host)


def reserve_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` ports that nobody else is given until this process ends; for the few that are not many tests'."""
    return _hold(_FOR_EVER, count, host)
