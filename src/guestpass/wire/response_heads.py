"""Lines of the response heads that we write ourselves."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from guestpass.wire.heads import ResponseHead

STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode() if status in set(HTTPStatus) else b"")
    for status in range(100, 600)
}
"""The first line of a response by its status; the phrase is the standard one or empty, never the upstream's."""


def informational_head(head: ResponseHead) -> bytes:
    """A 1xx head for the visitor: only what RFC 8297 and the like use, never a cookie."""
    lines = [b"Link: %b\r\n" % value for lower, _, value in head.fields if lower == b"link"]
    return STATUS_LINES[head.status] + b"".join(lines) + b"\r\n"


def switching_head(lines: list[bytes]) -> bytes:
    """The 101 that turns a client's connection into a WebSocket, with these field lines."""
    return b"".join([STATUS_LINES[101], b"Upgrade: websocket\r\nConnection: Upgrade\r\n", *lines, b"\r\n"])


_date: tuple[int, bytes] = (0, b"")


def date_field() -> bytes:
    """The Date field (RFC 9110, section 6.6.1), written once a second."""
    global _date  # noqa: PLW0603 - one value for the whole process, like the clock that it shows
    now = int(time.time())
    if _date[0] != now:
        _date = (now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode())
    return _date[1]
