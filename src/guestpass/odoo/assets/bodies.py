"""Hand out assets' bodies: small ones from memory, the others from the disk, always off the event loop."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Final

from guestpass.odoo.assets.files import BLOCK, PIECE, Label, is_intact, open_file
from guestpass.odoo.http.compression import Effort, Encoding

LARGEST_IN_MEMORY: Final = 2 * 1024 * 1024


class GoneError(Exception):
    """A form's file is not there any more, or not what was written."""


class StoredForm:
    """One stored form of an asset; `encoding` is None for the plain one.

    `is_proved` says that this process knows the file's bytes to be what was written: it wrote them itself, or has
    compared them.
    """

    __slots__ = ("effort", "encoding", "is_proved", "label", "length", "name", "path")

    def __init__(self, label: Label, path: Path, *, is_proved: bool) -> None:
        self.label = label
        self.path = path
        self.name = str(path)  # which has its hash ready
        self.encoding: Encoding | None = label.encoding
        self.effort: Effort = label.effort
        self.length = label.length
        self.is_proved = is_proved

    @property
    def room(self) -> int:
        """Bytes that the file takes on the disk."""
        return BLOCK + (self.length + BLOCK - 1) // BLOCK * BLOCK


class Reader:
    """Reads forms, and keeps those in memory that were asked for last; `limit` is bytes.

    `lost` is called with a form whose file turns out to be gone or broken.
    """

    def __init__(self, threads: Executor, lost: Callable[[StoredForm], None], *, limit: int) -> None:
        self._threads = threads
        self._lost = lost
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def in_memory(self, form: StoredForm) -> bytes | None:
        """The form's whole body, where it is at hand."""
        data = self._kept.get(form.name)
        if data is not None:
            self._kept.move_to_end(form.name)
        return data

    def forget(self, form: StoredForm) -> None:
        """The form is no longer served."""
        data = self._kept.pop(form.name, None)
        self._size -= 0 if data is None else len(data)

    async def load(self, form: StoredForm) -> int | bytes:
        """The form's body where it is small, else a descriptor of its file; raises GoneError."""
        data = self.in_memory(form)
        if data is not None:
            return data
        job = self._threads.submit(_load, form)
        try:
            found = await asyncio.wrap_future(job)
        except (OSError, ValueError) as error:
            self._lost(form)
            raise GoneError(str(error)) from None
        except asyncio.CancelledError:
            job.add_done_callback(_close_result)
            raise
        form.is_proved = True
        if isinstance(found, bytes):
            self._keep(form, found)
        return found

    def read(self, descriptor: int, position: int, count: int) -> Future[bytes]:
        """Read from an open file, in a thread; ends with ValueError or OSError where that fails."""
        return self._threads.submit(_read, descriptor, position, count)

    def _keep(self, form: StoredForm, data: bytes) -> None:
        self.forget(form)
        self._kept[form.name] = data
        self._size += len(data)
        while self._size > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped)


def _load(form: StoredForm) -> int | bytes:
    if not form.is_proved and not is_intact(form.path, form.label):
        raise ValueError("the body was changed on the disk")
    descriptor = open_file(form.path)
    try:
        if os.fstat(descriptor).st_size != BLOCK + form.length:
            raise ValueError("the file is not as long as it was")
        if form.length > LARGEST_IN_MEMORY:
            kept, descriptor = descriptor, -1
            return kept
        return _read(descriptor, BLOCK, form.length)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _close_result(job: Future[int | bytes]) -> None:
    """The visitor for whom a file was being opened has left."""
    if not job.cancelled() and job.exception() is None and isinstance(descriptor := job.result(), int):
        os.close(descriptor)


def _read(descriptor: int, position: int, count: int) -> bytes:
    data = os.pread(descriptor, count, position)
    while len(data) < count:
        more = os.pread(descriptor, count - len(data), position + len(data))
        if not more:
            raise ValueError("the file became shorter")
        data += more
    return data


class Body:
    """A stretch on its way to one visitor: `open` it before the head is sent, then `read`, and `close` it.

    It is one of a form, or of `data` in its place.
    It is independent of all others and of the cache: what was opened stays readable when the asset is replaced.
    """

    __slots__ = ("_descriptor", "_form", "_job", "_left", "_memory", "_position", "_reader", "length")

    def __init__(self, reader: Reader, form: StoredForm, first: int, length: int, data: bytes | None = None) -> None:
        self._reader = reader
        self._form = form
        self._position = first
        self._left = length
        self.length = length
        self._descriptor = -1
        self._job: Future[bytes] | None = None
        data = reader.in_memory(form) if data is None else data
        self._memory = None if data is None else memoryview(data)[first : first + length]

    @property
    def memory(self) -> memoryview | None:
        """All of it, where it is in memory: then nothing needs to be opened, read or closed."""
        return self._memory

    async def open(self) -> None:
        """Make sure that it can be read; raises GoneError."""
        if self._memory is not None or self._descriptor >= 0:
            return
        found = await self._reader.load(self._form)
        if isinstance(found, bytes):
            self._memory = memoryview(found)[self._position : self._position + self._left]
        else:
            self._descriptor = found

    async def read(self) -> bytes:
        """The next piece, of 256 KiB at most; empty at the end. Raises GoneError where the disk fails."""
        count = min(self._left, PIECE)
        if not count:
            return b""
        if self._memory is not None:
            start = self.length - self._left
            piece = bytes(self._memory[start : start + count])
        else:
            try:
                self._job = self._reader.read(self._descriptor, BLOCK + self._position, count)
                piece = await asyncio.wrap_future(self._job)
            except (OSError, ValueError) as error:
                raise GoneError(str(error)) from None
        self._position += count
        self._left -= count
        return piece

    def close(self) -> None:
        """Let go of the file, also while a piece is being read; may be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if self._job is None or self._job.done():
            os.close(descriptor)
        else:
            # Its number could be another file's by the time at which the thread reads.
            self._job.add_done_callback(lambda _: os.close(descriptor))
