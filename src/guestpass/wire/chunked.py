"""Chunked bodies (RFC 9112, section 7.1): decoded strictly and framed anew, so extensions and trailers end here."""

from __future__ import annotations

import re
from typing import Final

from guestpass.wire.run_queue import UNITS_A_STEP

LAST_CHUNK: Final = b"0\r\n\r\n"
MAX_LINE: Final = 4096
MAX_TRAILERS: Final = 16 * 1024

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_SIZE_LINE = re.compile(rb"0*([0-9A-Fa-f]{1,15})((?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)")
_TRAILER_LINE = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")
# A trailer that a recipient might merge into the head (RFC 9110, section 6.5.1) is refused, not merely dropped.
_FORBIDDEN_TRAILERS: Final = frozenset({b"content-length", b"transfer-encoding", b"host"})


class BrokenChunkError(Exception):
    """The chunked body breaks the grammar; nothing behind this point has a certain meaning."""


class ChunkedDecoder:
    """Turns a chunked body into its payload, whatever pieces it comes in.

    `feed` returns the payload found and stops at `position`: at the end of the data, behind a body that is `done` (its
    last chunk and its trailers are complete), or where it has read enough lines for one step. `units` counts the lines.
    """

    __slots__ = ("_left", "_line", "_state", "_trailers", "done", "position", "units")

    _SIZE: Final = 0
    _DATA: Final = 1
    _DATA_END: Final = 2
    _TRAILER: Final = 3

    def __init__(self) -> None:
        self._state = self._SIZE
        self._left = 0
        self._line = b""
        self._trailers = 0
        self.done = False
        self.position = 0
        self.units = 0

    def feed(self, data: bytes, start: int = 0) -> list[bytes]:
        """The payload pieces in `data` from `start` to `position`; raises BrokenChunkError."""
        pieces: list[bytes] = []
        position, end = start, len(data)
        last = self.units + 2 * UNITS_A_STEP  # A chunk has two lines.
        while position < end and not self.done and self.units < last:
            if self._state == self._DATA:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                pieces.append(piece)
                if not self._left:
                    self._state = self._DATA_END
                continue
            newline = data.find(b"\n", position)
            if newline < 0:
                self._hold(data[position:])
                position = end
                break
            self._hold(data[position : newline + 1])
            line, self._line = self._line, b""
            position = newline + 1
            self.units += 1
            if not line.endswith(b"\r\n"):
                raise BrokenChunkError("a line of the chunked body does not end in CRLF")
            self._take(line[:-2])
        self.position = position
        return pieces

    def _hold(self, part: bytes) -> None:
        self._line += part
        limit = 2 if self._state == self._DATA_END else MAX_LINE
        if len(self._line) > limit:
            raise BrokenChunkError("a chunk is longer than it said, or its size line is endless")

    def _take(self, line: bytes) -> None:
        if self._state == self._SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise BrokenChunkError("a chunk's size line breaks the grammar")
            self._left = int(match[1], 16)
            self._state = self._DATA if self._left else self._TRAILER
        elif self._state == self._DATA_END:
            if line:
                raise BrokenChunkError("a chunk is longer than it said")
            self._state = self._SIZE
        elif line:
            self._trailers += len(line) + 2
            if self._trailers > MAX_TRAILERS:
                raise BrokenChunkError(f"more than {MAX_TRAILERS} bytes of trailers")
            if not _TRAILER_LINE.fullmatch(line) or line.partition(b":")[0].lower() in _FORBIDDEN_TRAILERS:
                raise BrokenChunkError("a trailer breaks the grammar or names a field that frames messages")
        else:
            self.done = True


def frame(payload: bytes) -> bytes:
    """The payload as one chunk; empty for no bytes, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
