"""Take the id of a visitor's session out of what Odoo answers: a page can be made to print it.

The bytes are replaced by as many others, so no length changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_STABLE: Final = 42
"""So much of an id Odoo 19 keeps when it moves a session, and knows it by."""
_SHORTEST: Final = 20


class SessionMask:
    """What goes through `feed` comes out without these ids, wherever it is cut into pieces."""

    __slots__ = ("_held", "_parts")

    def __init__(self, ids: Iterable[bytes]) -> None:
        self._parts: list[bytes] = []
        for id in ids:
            self._parts += (id,) if len(id) < _STABLE + _SHORTEST else (id[:_STABLE], id[_STABLE:])
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may go on: all but an end with which an id could begin."""
        if self._held:
            data, self._held = self._held + data, b""
        data = self.without(data)
        end = len(data)
        begin = min((_beginning(data, part) for part in self._parts), default=end)
        if begin < end:
            data, self._held = data[:begin], data[begin:]
        return data

    def finish(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b""
        return held

    def without(self, data: bytes) -> bytes:
        """The same for what comes at once."""
        for part in self._parts:
            if part in data:
                data = data.replace(part, b"x" * len(part))
        return data


def _beginning(data: bytes, part: bytes) -> int:
    """Where the end of the data begins that is a beginning of `part`; the length of the data for none."""
    at = data.find(part[:1], max(0, len(data) - len(part) + 1))
    while at >= 0:
        if part.startswith(data[at:]):
            return at
        at = data.find(part[:1], at + 1)
    return len(data)
