"""The notification bus: numbered messages on channels, and the sockets that listen."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

# Odoo gives a client without a resume point what was sent within this many seconds.
_RECENT = 50.0
# The session measured began at this id.
_FIRST_ID = 136


class Listener(Protocol):
    """A socket on the bus."""

    db: str
    channels: frozenset[str]

    def deliver(self, notifications: list[dict[str, Any]]) -> None:
        """Send these."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""

    def describe(self) -> dict[str, Any]:
        """What a test may want to know about it."""


@dataclass(frozen=True)
class Notification:
    """One message; `channel` is None where it goes to everybody."""

    id: int
    db: str
    channel: str | None
    message: dict[str, Any]
    at: float

    @property
    def wire(self) -> dict[str, Any]:
        """As it stands in a frame."""
        return {"id": self.id, "message": self.message}


class Bus:
    """All notifications since the start."""

    def __init__(self) -> None:
        self._sent: list[Notification] = []
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()

    @property
    def last_id(self) -> int:
        """The id of the latest notification."""
        with self._lock:
            return self._sent[-1].id if self._sent else _FIRST_ID

    def send(self, db: str, channel: str | None, kind: str, payload: Any) -> int:
        """Number a message and deliver it to who listens; returns its id."""
        with self._lock:
            sent = Notification(self.last_id + 1, db, channel, {"type": kind, "payload": payload}, time.monotonic())
            self._sent.append(sent)
            for listener in self._listeners:
                if _hears(listener, sent):
                    listener.deliver([sent.wire])
            return sent.id

    def missed(self, db: str, channels: frozenset[str], last: int) -> list[dict[str, Any]]:
        """What was sent on these channels after `last`; of late, where there is no `last`."""
        with self._lock:
            if last > self.last_id:
                last = 0
            since = time.monotonic() - _RECENT
            return [
                each.wire
                for each in self._sent
                if each.db == db
                and (each.channel is None or each.channel in channels)
                and (each.id > last if last else each.at > since)
            ]

    def join(self, listener: Listener) -> None:
        """Add a socket."""
        with self._lock:
            self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Take a socket out."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    @property
    def listeners(self) -> list[Listener]:
        """The sockets that are open."""
        with self._lock:
            return list(self._listeners)


def _hears(listener: Listener, sent: Notification) -> bool:
    return listener.db == sent.db and (sent.channel is None or sent.channel in listener.channels)
