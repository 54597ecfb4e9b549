"""Follow the frames of a WebSocket (RFC 6455, section 5.2) while their bytes pass on untouched.

Where a frame ends and no message is under way, a frame of ours may be put in.
"""

from __future__ import annotations

from typing import Final, Protocol

from guestpass.wire.run_queue import UNITS_A_STEP

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
CONTROL: Final = frozenset({CLOSE, PING, PONG})
FINAL: Final = 0x80
MASKED: Final = 0x80
LONGEST_CONTROL: Final = 125
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008

_DATA: Final = frozenset({TEXT, BINARY})
_RESERVED: Final = 0x70


class FrameReader(Protocol):
    """Reads what the frames of one direction carry. Once it `has_stopped`, what follows is not read."""

    has_stopped: bool

    def begin(self, opcode: int, length: int) -> None:
        """A frame with a payload of so many bytes begins."""
        ...

    def take(self, data: bytes, start: int, end: int) -> None:
        """Take a piece of the frame's payload, masked as it came."""
        ...

    def end(self, opcode: int, mask: bytes, *, final: bool) -> int:
        """The frame is complete; returns what reading it cost, in frames."""
        ...


class Frames:
    """Follow one direction: `masked` says whether its frames must be masked (a client's are, a server's are not).

    With `extensions` the reserved bits may be set, since an extension that was negotiated may use them; where frames
    begin and end they don't change. A `reader` reads what the frames carry. `feed` stops at `position`: at the end of
    the data, or where it has followed enough frames for one step. `units` counts the frames, and what reading one costs
    besides.
    """

    __slots__ = (
        "_extensions",
        "_final",
        "_head",
        "_in_message",
        "_left",
        "_mask",
        "_masked",
        "_need",
        "_opcode",
        "_reader",
        "closing",
        "lost",
        "position",
        "units",
    )

    def __init__(self, *, masked: bool, extensions: bool = False, reader: FrameReader | None = None) -> None:
        self.closing = False  # a Close has begun: nothing may follow it
        self.lost = False  # the bytes are no frames: nothing that follows has a certain meaning
        self.position = 0
        self.units = 0
        self._masked = masked
        self._extensions = extensions
        self._reader = reader
        self._head = bytearray()  # of the frame that begins
        self._need = 2  # bytes that its head has, as far as is known
        self._left = 0  # bytes that its payload still has
        self._opcode = 0
        self._final = True
        self._mask = b""
        self._in_message = False  # a fragmented message has begun and not ended

    @property
    def at_boundary(self) -> bool:
        """Whether all messages are complete that have begun, and another one may begin."""
        return not (self.lost or self.closing or self._in_message or self._left or self._head)

    def feed(self, data: bytes, start: int = 0) -> list[int]:
        """Follow `data` from `start` to `position`.

        Returns the offsets in it, in order, behind which another message may begin.
        """
        boundaries: list[int] = []
        position, end = start, len(data)
        last = self.units + UNITS_A_STEP
        while position < end and not self.lost and self.units < last:
            if self._left:
                piece = min(self._left, end - position)
                if self._reader is not None:
                    self._reader.take(data, position, position + piece)
                self._left -= piece
                position += piece
            else:
                piece = min(self._need - len(self._head), end - position)
                self._head += data[position : position + piece]
                position += piece
                if len(self._head) < self._need or not self._read_head():
                    continue
            if not self._left:
                self.units += 1
                self._end_frame()
                if self.at_boundary:
                    boundaries.append(position)
        # Bytes that are no frames are not followed, and so there is nothing to go on with.
        self.position = len(data) if self.lost else position
        return boundaries

    def _read_head(self) -> bool:
        """Whether the head is complete; else `_need` has grown, or the bytes are `lost`."""
        head = self._head
        first, second = head[0], head[1]
        length = second & 0x7F
        if self._need == 2:
            self._need += (0, 2, 8)[max(0, length - 125)] + (4 if second & MASKED else 0)
            if not self._is_allowed(first, second):
                self.lost = True
                return False
            if self._need > 2:
                return False
        extended = {126: 2, 127: 8}.get(length, 0)
        if extended:
            length = int.from_bytes(head[2 : 2 + extended])
            if length >> 63:
                self.lost = True
                return False
        self._mask = bytes(head[2 + extended :])
        head.clear()
        self._need = 2
        self._begin_frame(first, length)
        return True

    def _is_allowed(self, first: int, second: int) -> bool:
        """Whether a frame may begin so: masked as it must be, and where its kind belongs."""
        opcode = first & 0x0F
        if self.closing or bool(second & MASKED) is not self._masked:
            return False
        if first & _RESERVED and not self._extensions:
            return False
        if opcode in CONTROL:
            return bool(first & FINAL) and (second & 0x7F) <= LONGEST_CONTROL
        return self._in_message if opcode == CONTINUATION else opcode in _DATA and not self._in_message

    def _begin_frame(self, first: int, length: int) -> None:
        self._opcode = first & 0x0F
        self._final = bool(first & FINAL)
        self._left = length
        if self._opcode == CLOSE:
            self.closing = True
        elif self._opcode not in CONTROL:
            self._in_message = True
        reader = self._reader
        if reader is not None:
            reader.begin(self._opcode, length)
            self.lost = reader.has_stopped

    def _end_frame(self) -> None:
        if self._opcode not in CONTROL and self._final:
            self._in_message = False
        reader = self._reader
        if reader is not None:
            self.units += reader.end(self._opcode, self._mask, final=self._final)
            self.lost = reader.has_stopped


def close_frame(code: int, reason: str = "") -> bytes:
    """A server's Close (RFC 6455, section 7.4); raises ValueError for a reason of more than 123 bytes."""
    payload = code.to_bytes(2) + reason.encode()
    if len(payload) > LONGEST_CONTROL:
        raise ValueError("the reason of a Close has at most 123 bytes")
    return frame_head(CLOSE, len(payload)) + payload


def frame_head(opcode: int, length: int, masked: int = 0) -> bytes:
    """The head of a whole message in one frame; for `masked` give MASKED, and append the mask."""
    if length <= LONGEST_CONTROL:
        return bytes((FINAL | opcode, masked | length))
    if length < 1 << 16:
        return bytes((FINAL | opcode, masked | 126)) + length.to_bytes(2)
    return bytes((FINAL | opcode, masked | 127)) + length.to_bytes(8)
