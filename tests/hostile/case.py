"""What a case of the corpus is made of: the bytes, why they are there, and the one thing that may come of them.

In all bytes ``MARK`` stands for a mark of the run's own, ``HOST`` for the gateway's authority, ``PASS`` for the
visitor's cookie and ``PORT`` for the gateway's port. Each request that a case sends, hidden ones included, has MARK in
it, so that whatever reaches the environment is known by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

WEB: Final = "web"
ODOO: Final = "odoo"
BOTH: Final = (WEB, ODOO)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The environment gets exactly this request, and the visitor its answer.

    `fields` are lower-case names with the value that must arrive, or None for a field that must not. `host` is the one
    that must arrive where it is not the usual; `is_last` says that the connection ends behind the answer.
    """

    target: bytes = b"/MARK"
    method: bytes = b"GET"
    body: bytes = b""
    fields: tuple[tuple[bytes, bytes | None], ...] = ()
    host: bytes | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway answers so and closes; nothing complete reaches the environment, and nothing behind it counts."""

    status: int = 400


@dataclass(frozen=True, slots=True)
class Answered:
    """The gateway itself answers so, and the connection goes on; `method` is what it answers."""

    status: int
    method: bytes = b"GET"


Outcome = Forwarded | Refused | Answered


@dataclass(frozen=True, slots=True)
class RequestCase:
    """Bytes of a visitor. `seen` is what comes of them, in order: of several where they are several requests."""

    name: str
    sent: bytes
    seen: tuple[Outcome, ...]
    why: str


@dataclass(frozen=True, slots=True)
class RequestFamily:
    """Cases that belong together; `kinds` are the kinds of environment that they are tried on."""

    name: str
    cases: tuple[RequestCase, ...]
    kinds: tuple[str, ...] = (WEB,)


def refused(name: str, sent: bytes, why: str, status: int = 400) -> RequestCase:
    """A request that must be refused."""
    return RequestCase(name, sent, (Refused(status),), why)


def forwarded(name: str, sent: bytes, why: str, *seen: Outcome) -> RequestCase:
    """A request that must arrive as what is `seen`, without it as a plain GET of ``/MARK``."""
    return RequestCase(name, sent, seen or (Forwarded(),), why)


def request(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A request with this first line and these field lines behind Host and the visitor's cookie."""
    return b"\r\n".join([line, b"Host: HOST", b"Cookie: PASS", *fields, b"", body])


def get(*fields: bytes, target: bytes = b"/MARK", body: bytes = b"") -> bytes:
    """A GET with these field lines."""
    return request(b"GET %b HTTP/1.1" % target, *fields, body=body)


def post(*fields: bytes, body: bytes = b"", target: bytes = b"/MARK") -> bytes:
    """A POST with these field lines; none for its length is added."""
    return request(b"POST %b HTTP/1.1" % target, *fields, body=body)


def chunked(body: bytes, *fields: bytes) -> bytes:
    """A POST with a chunked body, written out in `body`."""
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


SMUGGLED: Final = b"GET /smuggled-MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\r\n\r\n"
"""A whole request that hides in another one's body."""


class Asking(Enum):
    """How the visitor asks for what the hostile environment answers."""

    GET = "GET"
    HEAD = "HEAD"
    OLD = "GET with HTTP/1.0"
    UNFINISHED = "POST whose body is half there"
    WEBSOCKET = "WebSocket"


@dataclass(frozen=True, slots=True)
class Passed:
    """The visitor gets exactly this answer; `fields` as in `Forwarded`."""

    status: int = 200
    body: bytes = b""
    fields: tuple[tuple[bytes, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The visitor is told by the gateway that the environment did not answer as it should."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class CutOff:
    """The visitor's answer ends before it is complete, visibly so."""


@dataclass(frozen=True, slots=True)
class ResponseCase:
    """Bytes of a hostile environment, and what the visitor sees of them.

    `closes` says that it closes its connection when all is said, `is_kept` that this may serve another request.
    `trails` says that bytes follow the answer, so that the next request may only be sent when they are known to have
    arrived: before that nobody could tell them from its answer.
    """

    name: str
    sent: bytes
    seen: Passed | Failed | CutOff
    why: str
    asking: Asking = Asking.GET
    closes: bool = False
    is_kept: bool = False
    trails: bool = False


@dataclass(frozen=True, slots=True)
class ResponseFamily:
    """Cases that belong together; `kinds` are the kinds of environment that they are tried on."""

    name: str
    cases: tuple[ResponseCase, ...]
    kinds: tuple[str, ...] = BOTH
