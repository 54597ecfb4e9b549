"""Read a request's body as it arrives, and say how long its next piece may take."""

from __future__ import annotations

from typing import Final

from guestpass.wire.chunked import LAST_CHUNK, ChunkedDecoder, frame
from guestpass.wire.heads import RequestHead

SLOWEST_BODY: Final = 500
"""Bytes a second that a body must bring on average, once the client's patience has been used up."""


class RequestBody:
    """The body of one request; times are seconds of the loop's clock, and it `began` with the head.

    `position` is where `read` stopped, `size` counts the bytes of a chunked body and `units` the lines of its chunks.
    `is_held` says that the upstream takes no more of it at the moment. `stash` holds pieces that came before there was
    a connection.
    """

    __slots__ = (
        "_began",
        "_decoder",
        "_held_since",
        "_left",
        "_length",
        "is_done",
        "is_held",
        "position",
        "size",
        "stash",
        "units",
    )

    def __init__(self, head: RequestHead, began: float) -> None:
        self._began = began
        self._length = self._left = head.content_length or 0
        self._decoder = ChunkedDecoder() if head.chunked else None
        self._held_since = 0.0
        self.size = 0
        self.units = 0
        self.position = 0
        self.is_done = False
        self.is_held = False
        self.stash: list[bytes] = []

    def read(self, data: bytes, start: int) -> bytes:
        """Return the payload in `data` from `start` to `position`, as much as one step may; raises BrokenChunkError."""
        decoder = self._decoder
        if decoder is None:
            end = min(len(data), start + self._left)
            self._left -= end - start
            self.is_done = self._left == 0
            self.position = end
            return data[start:end]
        pieces = decoder.feed(data, start)
        self.is_done = decoder.done
        self.units = decoder.units
        self.position = decoder.position
        # In one piece: thousands of pieces of a byte each would take fifty times their room.
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.size += len(payload)
        return payload

    def framed(self, payload: bytes) -> bytes:
        """Return the payload as it goes to the upstream; empty where nothing is to be sent yet."""
        if self._decoder is None:
            return payload
        return frame(payload) + (LAST_CHUNK if self.is_done else b"")

    def seconds(self, patience: float, now: float) -> float:
        """Return how long the next piece may take: each wins some time, but the whole must not drip in forever."""
        received = self._length - self._left if self._decoder is None else self.size
        return min(patience, self._began + patience + received / SLOWEST_BODY - now)

    def hold(self, now: float) -> None:
        """The upstream takes no more: what passes from now on is not the client's time."""
        self.is_held = True
        self._held_since = now

    def release(self, now: float) -> None:
        """The upstream takes more."""
        self.is_held = False
        self._began += now - self._held_since
