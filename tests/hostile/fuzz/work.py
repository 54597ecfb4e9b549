"""Count what a piece of work costs, the same on each machine: no time is taken, so a busy one measures nothing else.

Counted are the interpreter's instructions in our own modules, and of what C does at one's bidding the bytes that it is
called upon (``data.find(...)``: the length of `data`), or that are cut out of, or put together from, `Pieces`.
A pattern's backtracking is not seen, nor are instructions of what is compiled: there the bounds hold for copies alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, SupportsIndex

import guestpass

_OURS: Final = guestpass.__path__[0]
_BYTES_PER_OPERATION: Final = 32
"""How many bytes C copies or looks through in the time of an instruction, rather too few than too many."""


class Pieces(bytes):
    """Bytes that count what is copied of them, and whose pieces do so too."""

    copied = 0

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _counted(found) if isinstance(found, bytes) else found

    def __add__(self, other: Any) -> Pieces:
        return _counted(super().__add__(other))

    def __radd__(self, other: bytes | bytearray) -> Any:
        if isinstance(other, bytearray):
            # It grows in place, as it would without us.
            Pieces.copied += len(self)
            other += bytes(self)
            return other
        return _counted(bytes.__add__(other, self))

    # What begins somewhere looks at what lies behind that alone.

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        Pieces.copied += (len(self) if found < 0 else found) - start
        return found

    def rfind(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().rfind(sub, start, end)
        Pieces.copied += (len(self) if end is None else end) - max(found, start)
        return found

    def count(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        Pieces.copied += len(self) - start
        return super().count(sub, start, end)

    def split(self, sep: Any = None, maxsplit: SupportsIndex = -1) -> list[bytes]:
        Pieces.copied += len(self)
        return [Pieces(part) for part in super().split(sep, maxsplit)]


def _counted(data: bytes) -> Pieces:
    Pieces.copied += len(data)
    return Pieces(data)


def operations(work: Callable[[], object]) -> int:
    """How much the work did; what it raises is raised, and nothing else may be traced meanwhile."""
    instructions = 0
    looked_at = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal instructions
        if event == "call":
            if not frame.f_code.co_filename.startswith(_OURS):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            instructions += 1
        return trace

    def profile(_: FrameType, event: str, function: Any) -> None:
        nonlocal looked_at
        if event == "c_call":
            owner = getattr(function, "__self__", None)
            if isinstance(owner, bytes | bytearray | str) and not isinstance(owner, Pieces):
                looked_at += len(owner)

    Pieces.copied = 0
    traced, profiled = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(profiled)
        sys.settrace(traced)
    return instructions + (looked_at + Pieces.copied) // _BYTES_PER_OPERATION
