"""TCP keep-alive: detect peers that vanish without closing, such as a phone out of reach."""

from __future__ import annotations

import socket
from typing import Final

_PROBES: Final = (
    ("TCP_KEEPIDLE", 60),  # seconds of silence before the first
    ("TCP_KEEPINTVL", 15),  # seconds between two
    ("TCP_KEEPCNT", 4),  # so many without an answer are enough
)


def probe_when_silent(connection: socket.socket) -> None:
    """Enable TCP keep-alive probes (RFC 1122, section 4.2.3.6) of a silent peer.

    Who does not answer for two minutes is gone, and the connection ends with an error. What a listener is told holds
    for all that it accepts, on Linux. A system that has no such times asks when it thinks best.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
