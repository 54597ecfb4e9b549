"""Answers that nobody asked for, behind those that somebody did."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Asking, Passed, ResponseCase, ResponseFamily

_QUEUE: Final = (
    "answer splitting and response queue poisoning (PortSwigger; A. Klein, 2004): it must not become the answer to the "
    "next request on that connection"
)
_EVIL: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nSet-Cookie: evil=1\r\n\r\nsmuggled"
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
# What an event loop reads at once; its first answer ends where that does, so the second one waits in the kernel.
_READ: Final = 256_000
_FILLING: Final = b"x" * (_READ - len(b"HTTP/1.1 200 OK\r\nContent-Length: 255958\r\n\r\n"))
_FULL: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_FILLING), _FILLING)


def _behind(
    name: str, sent: bytes, *, status: int = 200, body: bytes = b"ok", asking: Asking = Asking.GET
) -> ResponseCase:
    return ResponseCase(name, sent, Passed(status, body, ((b"set-cookie", None),)), _QUEUE, asking, trails=True)


FAMILY: Final = ResponseFamily(
    "unasked",
    (
        _behind("a second answer", _ANSWER + _EVIL),
        _behind("a second answer behind chunks", _CHUNKED + _EVIL),
        _behind("ten more answers", _ANSWER + _EVIL * 10),
        _behind("a second answer behind an empty one", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + _EVIL, body=b""),
        _behind("a second answer behind a redirect", b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" + _EVIL, status=302, body=b""),
        _behind("an interim answer", _ANSWER + b"HTTP/1.1 100 Continue\r\n\r\n"),
        _behind("half an answer", _ANSWER + b"HTTP/1.1 200 OK\r\nContent-Length: 5"),
        _behind("one byte", _ANSWER + b"x"),
        _behind("an empty line", _ANSWER + b"\r\n"),
        _behind("a NUL", _ANSWER + b"\0"),
        _behind("an empty line behind chunks", _CHUNKED + b"\r\n"),
        _behind("a second last chunk", _CHUNKED + b"0\r\n\r\n"),
        _behind("the rest of a longer body", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"),
        _behind("a second answer behind all that is read at once", _FULL + _EVIL, body=_FILLING),
        _behind("a megabyte", _ANSWER + b"x" * 1_000_000),
        _behind("a second answer to HTTP/1.0", _ANSWER + _EVIL, asking=Asking.OLD),
    ),
)  # fmt: skip
