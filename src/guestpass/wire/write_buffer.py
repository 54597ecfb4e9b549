"""What connections send, gathered over one turn of the event loop and handed to the kernel together.

Each turn serves whatever has arrived on any connection. Were each answer written as soon as it is ready, the process
that reads it would be woken, would find one answer, and would fall asleep again while the next one is made; on a
virtual machine to wake a core that sleeps costs as much as a third of a request (docs/decisions/0021).
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

MOST_WAITING: Final = 64
"""Connections that wait at most, so that in a long turn the first answer does not wait for hundreds of others."""
AT_ONCE: Final = 16 * 1024
"""Bytes from which on a piece is written at once: what it costs is the copying, and memory is better used once."""


class FlushQueue:
    """The connections that have something to send at the end of this turn. One for each event loop."""

    __slots__ = ("_flush", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[WriteBuffer] = []
        self._flush = self.flush  # made once, not in each turn

    def post(self, outgoing: WriteBuffer) -> None:
        """Flush it when this turn ends."""
        waiting = self._waiting
        if not waiting:
            self._loop.call_soon(self._flush)
        waiting.append(outgoing)
        if len(waiting) >= MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in the order in which it came."""
        waiting, self._waiting = self._waiting, []
        for outgoing in waiting:
            outgoing.flush()


class WriteBuffer:
    """The sending half of one connection; all that is sent over its transport goes through here, so order is kept."""

    __slots__ = ("_outbox", "_pieces", "_transport")

    def __init__(self, outbox: FlushQueue) -> None:
        self._outbox = outbox
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._pieces: list[bytes] = []

    def begin(self, transport: asyncio.Transport) -> None:
        """The connection is there; nothing may have been written before."""
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send bytes, when this turn ends at the latest."""
        pieces = self._pieces
        if len(data) >= AT_ONCE:
            if pieces:
                self.flush()
            self._transport.write(data)
        else:
            pieces.append(data)
            if len(pieces) == 1:
                self._outbox.post(self)

    def write_parts(self, head: bytes, data: bytes) -> None:
        """Send a head and what is there of its body, in one system call and without copying much of it."""
        pieces = self._pieces
        if len(data) >= AT_ONCE:
            self._transport.writelines((*pieces, head, data))
            pieces.clear()
            return
        whole = head + data
        if len(whole) >= AT_ONCE:
            self.write(whole)
        else:
            pieces.append(whole)
            if len(pieces) == 1:
                self._outbox.post(self)

    def flush(self) -> None:
        """Send now. What was written to a connection that is gone is forgotten."""
        pieces = self._pieces
        if not pieces:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        # uvloop raises where the transport is gone for good, and that would keep back what others have to send.
        if not self._transport.is_closing():
            self._transport.write(data)

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken."""
        return sum(map(len, self._pieces)) + self._transport.get_write_buffer_size()

    def end(self) -> None:
        """Close the sending half behind what is still to be sent, where the transport can."""
        self.flush()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """Close the connection behind what is still to be sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once; the kernel has been given what this turn had to send."""
        self.flush()
        self._transport.abort()
