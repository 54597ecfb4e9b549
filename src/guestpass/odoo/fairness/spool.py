"""Hold bytes for the slower side: a little in memory, the rest in an unlinked file, all within quotas.

An Odoo worker serves one request at a time, so it must wait neither for a visitor's upload nor for their download.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from guestpass.domain.networks import counted_as

IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 256 * 1024
_CONGESTED: Final = 4 * 1024 * 1024
Holder = tuple[str, str, str]
"""For whom bytes are held: the visitor in their pass, the id of the link they came through, and their address."""
_T = TypeVar("_T")
_R = TypeVar("_R")


class SpoolRoom:
    """The room that all spools share: `folder` is where the files are made.

    `total` and `per_visitor` are bytes; past `memory` of them everything that can goes into files. `failed` is told
    what the disk says when it takes no more.

    What one link, and what one address (in IPv6 a /64), holds is never more than what is still free: alone either has
    half, two have a third each, and there is always room for one more. Switches share their memory among ports so
    (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998).
    """

    def __init__(self, folder: Path, *, total: int, per_visitor: int, memory: int = 256 * 1024**2) -> None:
        self._folder = folder
        self._total = total
        self._per_visitor = per_visitor
        self.memory_left = memory
        self.failed: Callable[[OSError], None] = lambda _: None
        self._taken = 0
        self._of_visitor: dict[str, int] = {}
        self._of_link: dict[str, int] = {}
        self._of_address: dict[str, int] = {}
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="spool")

    def take(self, holder: Holder, size: int) -> bool:
        """Take `size` bytes of room; False where a quota would be passed."""
        if not size:
            return True
        visitor, link, address = holder
        address = counted_as(address)
        free = self._total - self._taken - size
        of_visitor = self._of_visitor.get(visitor, 0) + size
        of_link = self._of_link.get(link, 0) + size
        of_address = self._of_address.get(address, 0) + size
        if of_visitor > self._per_visitor or of_link > free or of_address > free:
            return False
        self._taken += size
        self._of_visitor[visitor] = of_visitor
        self._of_link[link] = of_link
        self._of_address[address] = of_address
        return True

    def give_back(self, holder: Holder, size: int) -> None:
        """Free room that was taken."""
        if not size:
            return
        visitor, link, address = holder
        self._taken -= size
        _give_back(self._of_visitor, visitor, size)
        _give_back(self._of_link, link, size)
        _give_back(self._of_address, counted_as(address), size)

    def open_file(self) -> int:
        """A descriptor of a new file of mode 0600 that has no name; blocks, and raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError:
            # Some file systems know no file without a name; there it has one for a moment.
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            Path(name).unlink()
            return descriptor

    def close(self) -> None:
        """Let the threads go."""
        self.threads.shutdown(wait=False, cancel_futures=True)


class Spool:
    """Bytes in the order in which they came, taken out once, by one taker.

    `spawn` runs a coroutine; `relieved` is called when a spool has caught up with its file, congested or not. After an
    error of the disk `failed` is true and the content is lost.
    """

    def __init__(
        self,
        room: SpoolRoom,
        holder: Holder,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        relieved: Callable[[], None],
    ) -> None:
        self._room = room
        self._holder = holder
        self._spawn = spawn
        self._relieved = relieved
        self._front: deque[bytes] = deque()  # what is taken next, in memory
        self._front_size = 0
        self._file = -1  # after that, what the file holds between these two positions
        self._read_at = 0
        self._write_at = 0
        self._back: deque[bytes] = deque()  # after that, what the file has yet to take
        self._back_size = 0
        self._writing = False
        # Most bodies need no file, and an event is a lock and a queue.
        self._written: asyncio.Event | None = None
        self._using_file = 0
        self._accounted = 0
        self._closed = False
        self.pending = 0
        self.failed = False

    @property
    def address(self) -> str:
        """The address of whom it holds bytes for."""
        return self._holder[2]

    @property
    def is_congested(self) -> bool:
        """Whether bytes come faster than the disk takes them: hold the side that brings them."""
        return self._back_size > (_CONGESTED if self._room.memory_left > 0 else _PIECE)

    @property
    def is_in_memory(self) -> bool:
        """Whether everything can be taken without waiting."""
        return self._front_size == self.pending

    def put(self, data: bytes) -> bool:
        """Append bytes; False where a quota is passed: they are kept all the same, but no more should come."""
        fits = self._room.take(self._holder, len(data))
        if fits:
            self._accounted += len(data)
        only_memory = self.is_in_memory
        self.pending += len(data)
        if only_memory and self._front_size + len(data) <= IN_MEMORY and len(data) <= self._room.memory_left:
            self._front.append(data)
            self._front_size += len(data)
            self._room.memory_left -= len(data)
        else:
            self._back.append(data)
            self._back_size += len(data)
            self._room.memory_left -= len(data)
            if self._written is None:
                self._written = asyncio.Event()
            self._written.clear()
            if not self._writing:
                self._writing = True
                self._spawn(self._write())
        return fits

    def peek(self) -> bytes:
        """Everything, where `is_in_memory`, without taking it."""
        return b"".join(self._front)

    def take_all(self) -> bytes:
        """Everything, where `is_in_memory`."""
        data = b"".join(self._front)
        self._clear_front()
        self._took(len(data))
        return data

    async def take(self) -> bytes:
        """The next bytes, some 256 KiB at most; empty where there are none. Raises OSError."""
        while not self._front and self._read_at == self._write_at and self.pending:
            if self.failed:
                raise OSError("the spool's file could not be written")
            await self._next_write()
        if self._front:
            data = self._front.popleft()
            self._front_size -= len(data)
            self._room.memory_left += len(data)
        elif self.pending:
            size = min(_PIECE, self._write_at - self._read_at)
            data = await self._with_file(os.pread, size, self._read_at)
            if not data:
                raise OSError("the spool's file is shorter than what was written")
            self._read_at += len(data)
        else:
            return b""
        self._took(len(data))
        return data

    async def look_through(self) -> AsyncIterator[bytes]:
        """All bytes without taking them, while nothing is put or taken. Raises OSError, also where it is closed."""
        for piece in tuple(self._front):
            yield piece
        position, end = self._read_at, self._read_at + self.pending - self._front_size
        while position < end:
            while position == self._write_at and not (self.failed or self._closed):
                await self._next_write()
            if self.failed or self._closed:
                raise OSError("the spool's content is gone")
            data = await self._with_file(os.pread, min(_PIECE, self._write_at - position), position)
            if not data:
                raise OSError("the spool's file is shorter than what was written")
            position += len(data)
            yield data

    def replace(self, data: bytes) -> None:
        """Hold this instead of everything, which has been looked through."""
        self._clear_front()
        self._read_at = self._write_at
        self._took(self.pending)
        self.put(data)

    def close(self) -> None:
        """Drop what is left."""
        if not self._closed:
            self._closed = True
            self._clear_front()
            self._back.clear()
            self._room.memory_left += self._back_size
            self._back_size = 0
            self._room.give_back(self._holder, self._accounted)
            self._accounted = self.pending = 0
            self._tell_written()
            self._close_file()

    def _clear_front(self) -> None:
        self._front.clear()
        self._room.memory_left += self._front_size
        self._front_size = 0

    def _took(self, size: int) -> None:
        if self._closed:
            return
        self.pending -= size
        free = min(size, self._accounted)
        self._accounted -= free
        self._room.give_back(self._holder, free)

    async def _write(self) -> None:
        """Bring what waits into the file, batch by batch, until nothing waits."""
        try:
            if self._file < 0:
                loop = asyncio.get_running_loop()
                self._file = await loop.run_in_executor(self._room.threads, self._room.open_file)
            while self._back and not self._closed:
                batch = b"".join(self._back)
                self._back.clear()
                self._back_size = 0
                if self._written is not None:
                    self._written.clear()
                try:
                    await self._with_file(_write_whole, batch, self._write_at)
                finally:
                    self._room.memory_left += len(batch)
                self._write_at += len(batch)
                self._tell_written()
                # Whether it was congested can't be asked now: by what others took or gave back, the bound has moved.
                if not self.is_congested and not self._closed:
                    self._relieved()
        except OSError as error:
            self._room.failed(error)
            self.failed = True
            self._tell_written()
            if not self._closed:
                self._relieved()
        finally:
            self._writing = False
            if self._closed:
                self._close_file()

    async def _next_write(self) -> None:
        """Wait until more is in the file, writing has failed, or the spool is closed."""
        if self._written is not None:
            await self._written.wait()

    def _tell_written(self) -> None:
        if self._written is not None:
            self._written.set()

    async def _with_file(self, work: Callable[[int, _T, int], _R], what: _T, position: int) -> _R:
        # The descriptor must not be closed, and its number given to another file, while a thread uses it.
        self._using_file += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._room.threads, work, self._file, what, position)
        finally:
            self._using_file -= 1
            if self._closed:
                self._close_file()

    def _close_file(self) -> None:
        if self._file >= 0 and not self._using_file:
            os.close(self._file)
            self._file = -1


def _give_back(held: dict[str, int], who: str, size: int) -> None:
    """Lower a count; remove keys whose count is zero."""
    left = held.get(who, 0) - size
    if left > 0:
        held[who] = left
    else:
        held.pop(who, None)


def _write_whole(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written
