"""How long one goes on to read what nobody wants any more, before a connection is closed.

Closing a socket with unread bytes resets it, and a reset overtakes the response (RFC 9112, section 9.6). Whoever sends
a whole upload before they look for a response must not be reset meanwhile; nginx waits 5 and 30 seconds.
"""

from __future__ import annotations

from typing import Final

SILENT_SECONDS: Final = 2.0
"""After the client's last byte."""
_LONGEST: Final = 30.0
"""Seconds in all."""
_MOST_BYTES: Final = 64 * 1024 * 1024


class Lingering:
    """The end of one connection, from `now` on; with `seconds` all is over after so many, whether it arrived or not."""

    __slots__ = ("_received", "_until", "is_hurried")

    def __init__(self, now: float, seconds: float | None) -> None:
        self.is_hurried = seconds is not None
        self._until = now + (_LONGEST if seconds is None else seconds)
        self._received = 0

    def deadline(self, now: float) -> float:
        """When it is over, unless the client sends more."""
        return min(now + SILENT_SECONDS, self._until)

    def takes(self, size: int) -> bool:
        """Whether so many bytes more may arrive."""
        self._received += size
        return self._received <= _MOST_BYTES
