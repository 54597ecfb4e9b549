"""Assets on disk: one file for each form, which begins with a block that says what it holds.

A file gets its name when it is complete, so one without that name is what a crash left over. Everything here blocks
and is called off the event loop.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import stat
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from guestpass.odoo.http.compression import Effort, Encoding, encoder

BLOCK: Final = 4096
"""Bytes before the body; also what file systems count in."""

PIECE: Final = 256 * 1024
_PART: Final = ".part"
_SUFFIX: Final = ".asset"
_MAGIC: Final = b"guestpass asset 1"
_KINDS: Final = {"environment": str, "revision": int, "path": str, "fill": str, "length": int, "crc": int}


@dataclass(frozen=True, slots=True)
class Label:
    """What a file says about itself.

    `environment`, `revision` and `path` are the asset's key, `fill` marks all forms that were made of one answer,
    `fields` are those of that answer that visitors get, `encoding` is None for the plain form, `length` and `crc` are
    those of the body in this form. `digest` is the plain form's SHA-256 in hexadecimal digits; empty for the others,
    and where a version wrote it that had no use for it.
    """

    environment: str
    revision: int
    path: bytes
    fill: str
    fields: tuple[tuple[bytes, bytes], ...]
    encoding: Encoding | None = None
    effort: Effort = Effort.BEST
    length: int = 0
    crc: int = 0
    digest: str = ""

    def encode(self) -> bytes:
        """The block; raises ValueError where it would not fit."""
        text = json.dumps(
            {
                "environment": self.environment,
                "revision": self.revision,
                "path": self.path.decode("latin-1"),
                "fill": self.fill,
                "fields": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in self.fields],
                "encoding": None if self.encoding is None else self.encoding.value.decode(),
                "effort": self.effort.value,
                "length": self.length,
                "crc": self.crc,
                "digest": self.digest,
            }
        ).encode()
        block = b"%b %08x\n%b\n" % (_MAGIC, zlib.crc32(text), text)
        if len(block) > BLOCK:
            raise ValueError(f"an asset's fields need more than {BLOCK} bytes")
        return block.ljust(BLOCK, b"\n")

    @classmethod
    def decode(cls, block: bytes) -> Label:
        """The reverse of `encode`; raises ValueError for what it did not make."""
        first, _, rest = block.partition(b"\n")
        text = rest.rstrip(b"\n")
        if len(block) != BLOCK or first != b"%b %08x" % (_MAGIC, zlib.crc32(text)):
            raise ValueError("not the first block of an asset")
        try:
            return cls._of(json.loads(text))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("a label of another kind") from error

    @classmethod
    def _of(cls, said: dict[str, Any]) -> Label:
        for name, kind in _KINDS.items():
            if type(said[name]) is not kind:
                raise TypeError(name)
        return cls(
            environment=said["environment"],
            revision=said["revision"],
            path=said["path"].encode("latin-1"),
            fill=said["fill"],
            fields=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in said["fields"]),
            encoding=None if said["encoding"] is None else Encoding(said["encoding"].encode()),
            effort=Effort(said["effort"]),
            length=said["length"],
            crc=said["crc"],
            digest=str(said.get("digest", "")),
        )


class Writer:
    """A file that is being written as `path`, which `new_part` or `part_of` named; `written` counts the body's bytes.

    Whoever waited for a call may be gone while it runs, so it can be abandoned from another thread at any time. Raises
    OSError where the disk does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._crc = 0
        self._digest = hashlib.sha256()
        self.written = 0
        os.lseek(self._descriptor, BLOCK, os.SEEK_SET)

    def write(self, data: bytes) -> None:
        """Append to the body; raises ValueError after `abandon`."""
        with self._lock:
            self._check()
            self._crc = zlib.crc32(data, self._crc)
            self._digest.update(data)
            self.written += len(data)
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def finish(self, label: Label) -> tuple[Label, Path]:
        """Label the body and give the file its name; raises ValueError for too long a label, or after `abandon`."""
        digest = self._digest.hexdigest() if label.encoding is None else ""
        label = replace(label, length=self.written, crc=self._crc, digest=digest)
        with self._lock:
            self._check()
            os.pwrite(self._descriptor, label.encode(), 0)
            self._close()
            path = self._path.with_suffix(_SUFFIX)
            self._path.rename(path)
        return label, path

    def abandon(self) -> None:
        """Leave nothing, unless it was finished."""
        with self._lock:
            self._close()
            self._path.unlink(missing_ok=True)

    def _check(self) -> None:
        if self._descriptor < 0:
            raise ValueError("the file was abandoned")

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def new_part(folder: Path) -> Path:
    """A name for a plain form while it is written."""
    return folder / f"{secrets.token_hex(12)}{_PART}"


def part_of(source: Path, encoding: Encoding, effort: Effort) -> Path:
    """The name of a form of `source` while it is written."""
    return source.with_name(f"{source.stem}.{encoding.value.decode()}.{effort.value}{_PART}")


def open_file(path: Path) -> int:
    """A descriptor of a file for reading; raises ValueError for what is none, such as a link or a pipe, or OSError."""
    # To open a pipe would wait for somebody who writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("not a file")
    return descriptor


def read_label(path: Path) -> Label:
    """What a file holds; raises ValueError where it is no asset or not as long as it says, or OSError."""
    with os.fdopen(open_file(path), "rb") as file:
        label = Label.decode(file.read(BLOCK))
        if os.fstat(file.fileno()).st_size != BLOCK + label.length:
            raise ValueError("not as long as it says")
    return label


def scan(folder: Path) -> tuple[list[tuple[Label, Path]], int]:
    """All assets in the folder, those used longest ago first, and how many broken ones were removed.

    What was never finished is removed too, and not counted.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found: list[tuple[float, Label, Path]] = []
    broken = 0
    for path in folder.iterdir():
        if path.suffix == _PART:
            remove([path])
        elif path.suffix == _SUFFIX:
            try:
                label = read_label(path)
                found.append((path.stat().st_mtime, label, path))
            except (OSError, ValueError):
                broken += 1
                remove([path])
    found.sort(key=lambda entry: entry[0])
    return [(label, path) for _, label, path in found], broken


def pieces(path: Path) -> Iterator[bytes]:
    """A file's body; raises ValueError for what is no file, or OSError."""
    with os.fdopen(open_file(path), "rb") as file:
        file.seek(BLOCK)
        while piece := file.read(PIECE):
            yield piece


def is_intact(path: Path, label: Label) -> bool:
    """Whether the body is what was written; raises ValueError for what is no file, or OSError."""
    crc = length = 0
    for piece in pieces(path):
        crc = zlib.crc32(piece, crc)
        length += len(piece)
    return (crc, length) == (label.crc, label.length)


def compress(source: Path, encoding: Encoding, effort: Effort) -> tuple[Label, Path] | None:
    """Write a compressed form of a plain file beside it; None where it would not be smaller.

    Raises ValueError where the source is not what it was, or OSError.
    """
    plain = read_label(source)
    made = encoder(encoding, effort, length=plain.length)
    writer = Writer(part_of(source, encoding, effort))
    crc = 0
    try:
        for piece in pieces(source):
            crc = zlib.crc32(piece, crc)
            writer.write(made.feed(piece))
        if crc != plain.crc:
            raise ValueError("the body was changed on the disk")
        writer.write(made.finish())
        if writer.written >= plain.length:
            return None
        return writer.finish(replace(plain, encoding=encoding, effort=effort))
    finally:
        # Where the file got its name this changes nothing.
        writer.abandon()


def remove(paths: list[Path]) -> None:
    """Remove files, and folders in their place, as far as they are there and can be removed."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except IsADirectoryError:
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def mark_used(path: Path) -> None:
    """Note that a file is in use, for the order after a restart."""
    try:
        os.utime(path)
    except OSError:
        return
