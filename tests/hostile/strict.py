"""Read HTTP/1.1 by rules of our own that forgive nothing: what the gateway writes must have one reading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.gateway.raw_client import Answer

_FIELD = re.compile(rb"([A-Za-z0-9-]+): ?([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
_REQUEST_LINE = re.compile(rb"([A-Z]+(?:-[A-Z]+)?) (/[\x21-\x7e]*) HTTP/1\.1")
_STATUS_LINE = re.compile(rb"(HTTP/1\.1) ([1-5][0-9][0-9]) ([\x20-\x7e]*)")
_SIZE = re.compile(rb"[0-9a-f]{1,8}")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,15}")
_END: Final = b"\r\n\r\n"


class FaultError(Exception):
    """Bytes that could be read in more than one way; the text says which."""


class Incomplete(Exception):
    """The bytes end before the message does."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request as the environment reads it: `fields` with lower-case names, in order."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    def all(self, name: bytes) -> list[bytes]:
        """The values of every field of that name."""
        return [value for known, value in self.fields if known == name]


def read_request(data: bytes) -> tuple[Message, int]:
    """The request at the beginning of `data`, and its length; raises Incomplete and FaultError."""
    line, fields, at = _head(data)
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise FaultError(f"a request line with another reading: {line!r}")
    names = [name for name, _ in fields]
    for name in (b"host", b"content-length", b"transfer-encoding", b"cookie", b"x-forwarded-for", b"x-forwarded-host"):
        if names.count(name) > 1:
            raise FaultError(f"{name!r} {names.count(name)} times")
    values = dict(fields)
    if b"host" not in values:
        raise FaultError("no Host")
    if b"guestpass" in values.get(b"cookie", b""):
        raise FaultError("a cookie of the gateway's own")
    for name in (b"te", b"trailer", b"keep-alive", b"proxy-connection", b"http2-settings"):
        if name in values:
            raise FaultError(f"{name!r} is for one hop")
    if (b"connection" in values) is not (values.get(b"upgrade") == b"websocket"):
        raise FaultError("a Connection field")
    body, at = _body(data, at, values)
    return Message(match[1], match[2], fields, body), at


def read_head(data: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], int]:
    """First line, fields and length of the head at the beginning of `data`."""
    return _head(data)


def read_answers(data: bytes, methods: list[bytes]) -> tuple[list[Answer], bytes]:
    """The final answers in `data` to requests with these methods, and what is left over; raises FaultError.

    What is left over is empty, or begins an answer that is not complete.
    """
    answers: list[Answer] = []
    while len(answers) < len(methods):
        try:
            answer, length = _read_answer(data, methods[len(answers)])
        except Incomplete:
            return answers, data
        data = data[length:]
        if answer.status >= 200:
            answers.append(answer)
    return answers, data


def _read_answer(data: bytes, method: bytes) -> tuple[Answer, int]:
    line, fields, at = _head(data)
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise FaultError(f"a status line with another reading: {line!r}")
    status = int(match[2])
    values = dict(fields)
    body = b""
    if status < 200 and (b"content-length" in values or b"transfer-encoding" in values):
        raise FaultError("an interim answer that tells of a body")
    if status >= 200 and method != b"HEAD" and status not in (204, 304):
        if b"content-length" not in values and b"transfer-encoding" not in values:
            if values.get(b"connection") != b"close":
                raise FaultError("an answer without an end on a connection that goes on")
            body, at = data[at:], len(data)
        else:
            body, at = _body(data, at, values)
    elif status == 204 and (b"content-length" in values or b"transfer-encoding" in values):
        raise FaultError("a 204 that tells of a body (RFC 9110, section 8.6)")
    return Answer(match[1], status, match[3], fields, body), at


def _head(data: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], int]:
    end = data.find(_END)
    if end < 0:
        raise Incomplete
    first, *lines = data[:end].split(b"\r\n")
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise FaultError(f"a field line with another reading: {line!r}")
        fields.append((match[1].lower(), match[2] or b""))
    framing = [name for name, _ in fields if name in (b"content-length", b"transfer-encoding")]
    if len(framing) > 1:
        raise FaultError(f"more than one framing: {fields!r}")
    return first, tuple(fields), end + len(_END)


def _body(data: bytes, at: int, values: dict[bytes, bytes]) -> tuple[bytes, int]:
    coding = values.get(b"transfer-encoding")
    if coding is None:
        length = values.get(b"content-length", b"0")
        if not _LENGTH.fullmatch(length):
            raise FaultError(f"a length with another reading: {length!r}")
        end = at + int(length)
        if len(data) < end:
            raise Incomplete
        return data[at:end], end
    if coding != b"chunked":
        raise FaultError(f"a transfer coding with another reading: {coding!r}")
    body = b""
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            raise Incomplete
        if not _SIZE.fullmatch(data[at:line_end]):
            raise FaultError(f"a chunk's size with another reading: {data[at:line_end]!r}")
        size = int(data[at:line_end], 16)
        at = line_end + 2 + size
        if len(data) < at + 2:
            raise Incomplete
        if data[at : at + 2] != b"\r\n":
            raise FaultError("a chunk that does not end in CRLF, or a trailer")
        body += data[line_end + 2 : at]
        at += 2
        if not size:
            return body, at
