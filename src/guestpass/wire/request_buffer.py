"""What has arrived on a client's connection and was not taken yet; finds where heads end in it."""

from __future__ import annotations

import re

from guestpass.wire.failures import Failure
from guestpass.wire.heads import MAX_HEAD, MAX_TARGET, RefusedHeadError

# A line end that is no CRLF can't become right by waiting, and neither can a byte that begins no method.
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_NO_METHOD = re.compile(rb"[^A-Za-z]")


class OversizedHeadError(RefusedHeadError):
    """A head is larger than any may be; `beginning` is what may be looked at of it."""

    def __init__(self, reason: Failure, beginning: bytes) -> None:
        super().__init__(reason, f"The request's head is larger than {MAX_HEAD} bytes.")
        self.beginning = beginning


class RequestBuffer:
    """Bytes that count from `start` on. `scanned` are those of an incomplete head in which none ends."""

    __slots__ = ("data", "scanned", "start")

    def __init__(self) -> None:
        self.data = b""
        self.start = 0
        self.scanned = 0

    def add(self, data: bytes) -> None:
        """Append what has arrived."""
        if self.data:
            self.data = self.data[self.start :] + data
            self.start = 0
        else:
            self.data = data

    def clear(self) -> None:
        """Drop everything."""
        self.data, self.start = b"", 0

    def next_head(self) -> bytes | None:
        """Take the first head out; None where it is not complete. Raises RefusedHeadError."""
        data, start = self.data, self.start
        if data.startswith(b"\r\n", start):
            # RFC 9112, section 2.2: one empty line before a request is forgiven.
            start += 2
        end = data.find(b"\r\n\r\n", start + max(0, self.scanned - 3))
        if end < 0:
            self._check_beginning(data, start)
            return None
        self.scanned = 0
        end += 4
        if end - start > MAX_HEAD:
            raise _oversized(data, start)
        if end < len(data):
            self.start = end
        else:
            self.data, self.start = b"", 0
        return data[start:end]

    def _check_beginning(self, data: bytes, start: int) -> None:
        """Raise RefusedHeadError for an incomplete head that can't become right."""
        size = len(data) - start
        is_method = not _NO_METHOD.match(data, start) or (size == 1 and data.endswith(b"\r"))
        if not is_method or _BARE_LINE_END.search(data, start + max(0, self.scanned - 1)):
            raise RefusedHeadError(Failure.BAD_REQUEST, "This is not an HTTP/1.1 request.")
        if size > MAX_HEAD:
            raise _oversized(data, start)
        self.scanned = size


def _oversized(data: bytes, start: int) -> OversizedHeadError:
    first_line = data.find(b"\r\n", start, start + MAX_TARGET + 1024)
    reason = Failure.TARGET_TOO_LONG if first_line < 0 else Failure.HEAD_TOO_LARGE
    return OversizedHeadError(reason, data[start : start + MAX_HEAD])
