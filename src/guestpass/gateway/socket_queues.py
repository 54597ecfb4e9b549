"""What the kernel holds of a socket's bytes."""

from __future__ import annotations

import fcntl
import socket
import termios
from typing import Final

UNREAD: Final = termios.FIONREAD
"""Bytes that have arrived and were not read yet."""
UNSENT: Final = 0x894B
"""SIOCOUTQNSD of Linux: bytes that have not been sent, not even once."""
_NONE: Final = bytes(4)  # a C int of zero


def has_bytes(connection: socket.socket, queue: int) -> bool:
    """Whether a queue holds any; False for a socket that is closed."""
    try:
        return fcntl.ioctl(connection.fileno(), queue, _NONE) != _NONE
    except OSError:
        return False
