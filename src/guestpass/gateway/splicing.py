"""Large bodies that the kernel passes from one socket to the other: by splice(2), without a copy in this process.

At 1.5 MB that takes less than half the time of reading and writing them (docs/decisions/0024).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from typing import Final, Protocol

SPLICED: Final = 256 * 1024
"""Bytes that must still be to come, so that what is saved exceeds what the setting-up costs."""
_PIPE: Final = 1024 * 1024
"""Bytes that a pipe holds: as many as wait in memory for a client, and what Linux grants without privileges."""
_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes after which other connections have their turn."""
_MOST_AT_WORK: Final = 256
_MOST_KEPT: Final = 16
_FLAGS: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Passing(Protocol):
    """Whose body is passed on."""

    def splice_moved(self, held: int) -> None:
        """The client took something; `held` bytes wait for it in the pipe."""
        ...

    def splice_blocked(self) -> None:
        """The client takes no more at the moment: wait for it, or take back what the pipe holds."""
        ...

    def splice_done(self) -> None:
        """The client has been given all."""
        ...

    def splice_broken(self) -> None:
        """One of the sides ended before that."""
        ...


class Splices:
    """The pipes of one worker: made when they are needed, kept for the next body when they are empty."""

    __slots__ = ("_at_work", "_kept", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._kept: list[tuple[int, int]] = []
        self._at_work = 0

    def new(self, source: int, sink: int, size: int, passing: Passing) -> Splice | None:
        """What passes on `size` bytes between two sockets' descriptors; None where there is no room for it.

        Nothing is moved before `pump` is called.
        """
        if self._at_work >= _MOST_AT_WORK:
            return None
        made: list[int] = []
        try:
            # The event loop lets nobody watch a transport's own descriptor.
            made.append(os.dup(source))
            made.append(os.dup(sink))
            pipe = self._kept.pop() if self._kept else _new_pipe()
        except OSError:
            for descriptor in made:
                os.close(descriptor)
            return None
        self._at_work += 1
        return Splice(self._loop, self, pipe, made[0], made[1], size, passing)

    def over(self, pipe: tuple[int, int], *, is_empty: bool) -> None:
        """A pipe is not used any more."""
        self._at_work -= 1
        if is_empty and len(self._kept) < _MOST_KEPT:
            self._kept.append(pipe)
        else:
            _close_pipe(pipe)

    def close(self) -> None:
        """Close the pipes that nobody uses."""
        while self._kept:
            _close_pipe(self._kept.pop())


class Splice:
    """One body on its way. `left` are the bytes that its source has yet to bring."""

    __slots__ = (
        "_held",
        "_is_over",
        "_loop",
        "_passing",
        "_pipe",
        "_sink",
        "_source",
        "_splices",
        "_watches_sink",
        "_watches_source",
        "left",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        splices: Splices,
        pipe: tuple[int, int],
        source: int,
        sink: int,
        size: int,
        passing: Passing,
    ) -> None:
        self._loop = loop
        self._splices = splices
        self._pipe = pipe
        self._source = source
        self._sink = sink
        self.left = size
        self._passing = passing
        self._held = 0
        self._watches_source = False
        self._watches_sink = False
        self._is_over = False

    def pump(self) -> None:
        """Move what can be moved now, and go on by itself when there is more to read or room to write."""
        taken = sent = 0
        try:
            while self.left or self._held:
                if not self._held:
                    if taken >= _AT_ONCE:
                        self._watch(source=True)
                        break
                    piece = os.splice(self._source, self._pipe[1], min(self.left, _PIPE), flags=_FLAGS)
                    if not piece:
                        self._passing.splice_broken()
                        return
                    self.left -= piece
                    self._held = piece
                    taken += piece
                passed = self._offer()
                self._held -= passed
                sent += passed
                if self._held:
                    self._watch(sink=True)
                    break
        except BlockingIOError:
            self._watch(source=True)
        except OSError:
            self._passing.splice_broken()
            return
        if not (self.left or self._held):
            self._passing.splice_done()
            return
        if sent:
            self._passing.splice_moved(self._held)
        if self._held:
            self._passing.splice_blocked()

    def _offer(self) -> int:
        """Bytes of the pipe that the client takes at once; raises OSError where it is gone."""
        try:
            return os.splice(self._pipe[0], self._sink, self._held, flags=_FLAGS)
        except BlockingIOError:
            return 0

    def take_back(self) -> bytes:
        """End this; returns what has been read and not sent. What is `left` has not been read."""
        pieces = []
        while self._held:
            piece = os.read(self._pipe[0], self._held)
            self._held -= len(piece)
            pieces.append(piece)
        self.end()
        return b"".join(pieces)

    def end(self) -> None:
        """Move nothing further."""
        if self._is_over:
            return
        self._is_over = True
        self._watch()
        os.close(self._source)
        os.close(self._sink)
        self._splices.over(self._pipe, is_empty=not self._held)

    def _watch(self, *, source: bool = False, sink: bool = False) -> None:
        if self._watches_source != source:
            self._watches_source = source
            if source:
                self._loop.add_reader(self._source, self.pump)
            else:
                self._loop.remove_reader(self._source)
        if self._watches_sink != sink:
            self._watches_sink = sink
            if sink:
                self._loop.add_writer(self._sink, self.pump)
            else:
                self._loop.remove_writer(self._sink)


def _new_pipe() -> tuple[int, int]:
    """The reading and the writing end of a new pipe; raises OSError."""
    pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # Past what Linux grants to one user (pipe-user-pages-soft) it stays as small as it is.
    with suppress(OSError):
        fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, _PIPE)
    return pipe


def _close_pipe(pipe: tuple[int, int]) -> None:
    for end in pipe:
        os.close(end)
