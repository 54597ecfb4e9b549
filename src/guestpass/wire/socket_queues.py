"""What the kernel knows of a socket: bytes that wait, and its end."""

from __future__ import annotations

import fcntl
import select
import socket
import termios
from typing import Final

UNREAD: Final = termios.FIONREAD
"""Bytes that have arrived and were not read yet."""
UNSENT: Final = 0x894B
"""SIOCOUTQNSD of Linux: bytes that have not been sent, not even once."""
UNCONFIRMED: Final = termios.TIOCOUTQ
"""SIOCOUTQ of Linux: bytes that the other side's kernel has not confirmed, sent or not."""
_NONE: Final = bytes(4)  # a C int of zero


def has_bytes(connection: socket.socket, queue: int) -> bool:
    """Whether a queue holds any; False for a socket that is closed."""
    try:
        return fcntl.ioctl(connection.fileno(), queue, _NONE) != _NONE
    except OSError:
        return False


def has_ended(connection: socket.socket) -> bool:
    """Whether the other side has closed or broken the connection, also where nobody has read as far as that yet.

    True as well where bytes wait, behind which an end can't be seen; False for a socket that is closed on this side.
    `has_bytes` sees no end at all, and costs less.
    """
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
    except (OSError, ValueError):
        return False
    return bool(poll.poll(0))
