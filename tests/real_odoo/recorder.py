"""What stands before a real Odoo in the tests: it writes down what arrives, and makes the trouble that they order.

It passes bytes on as they are. Each connection is for one request, or for one WebSocket: Odoo's workers want it so, and
its bus is told so.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.doubles.odoo.world import Journal, Seen, Troubles

_LONGEST_HEAD: Final = 256 * 1024
_KEPT: Final = 256 * 1024
_PIECE: Final = 65536


class _GoneError(Exception):
    """The other side has closed before all was there."""


class Recorder:
    """Two ports before the two of an Odoo. `left` is told of each request before it goes on, and of its answer."""

    def __init__(self, upstreams: dict[str, int], left: Callable[[Seen, bytes | None], None]) -> None:
        self.journal = Journal()
        self.troubles = Troubles()
        self.sockets: list[SocketSeen] = []
        self._upstreams = upstreams
        self._left = left
        self._listeners: dict[str, socket.socket] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.ports: dict[str, int] = dict.fromkeys(upstreams, 0)

    def open(self) -> None:
        """Listen, on the same ports as before."""
        for name, port in self.ports.items():
            listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
            self.ports[name] = listener.getsockname()[1]
            self._listeners[name] = listener
            threading.Thread(target=self._accept, args=(name, listener), daemon=True).start()

    def close(self) -> None:
        """Stop listening, and cut what is open."""
        self.troubles.release()
        for listener in self._listeners.values():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._listeners.clear()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self, name: str, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.journal.connected()
            threading.Thread(target=self._serve, args=(name, client), daemon=True).start()

    @contextlib.contextmanager
    def _kept(self, each: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(each)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(each)
            each.close()

    def _serve(self, name: str, client: socket.socket) -> None:
        with self._kept(client), contextlib.suppress(OSError, _GoneError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            head, rest = _head(client)
            line, *field_lines = head.decode("latin-1").split("\r\n")
            method, target, version = line.split(" ", 2)
            fields = [(key, value.strip()) for key, _, value in (each.partition(":") for each in field_lines)]
            values = {key.lower(): value for key, value in fields}
            seen = self.journal.note(
                port=name, worker=0, peer="127.0.0.1", method=method, target=target, version=version, fields=fields
            )
            body = _body(client, values, rest)
            seen.body, seen.body_bytes, seen.complete = body[:_KEPT].decode("latin-1"), len(body), True
            trouble = self.troubles.for_path(target.partition("?")[0])
            if trouble is not None and trouble.part == "head":
                trouble.wait()
            if trouble is not None and trouble.status is not None:
                answer = trouble.body.encode()
                told = f"HTTP/1.0 {trouble.status} X\r\nContent-Type: {trouble.content_type}\r\n"
                client.sendall(f"{told}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
                seen.status = trouble.status
                return
            self._left(seen, None)
            upgrades = values.get("upgrade", "").lower() == "websocket"
            with socket.create_connection(("127.0.0.1", self._upstreams[name]), 60) as upstream, self._kept(upstream):
                upstream.settimeout(None)
                if "transfer-encoding" in values:
                    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
                if name == "evented" and not upgrades:
                    kept = [each for each in field_lines if not each.lower().startswith("connection:")]
                    head = "\r\n".join([line, *kept, "Connection: close"]).encode("latin-1")
                upstream.sendall(head + b"\r\n\r\n" + body)
                if upgrades:
                    self._tunnel(client, upstream, seen)
                else:
                    self._answer(client, upstream, seen, trouble)

    def _answer(self, client: socket.socket, upstream: socket.socket, seen: Seen, trouble: Any) -> None:
        kept = b""
        sent = False
        while piece := upstream.recv(_PIECE):
            if not kept:
                seen.status = int(piece.split(b" ", 2)[1])
            if len(kept) < _KEPT:
                kept += piece
                self._left(seen, kept)
            if trouble is not None and not sent and (trouble.part == "body" or trouble.cut):
                client.sendall(piece[: len(piece) // 2])
                trouble.wait()
                if trouble.cut:
                    return
                piece = piece[len(piece) // 2 :]
            client.sendall(piece)
            sent = True
        seen.sent = True

    def _tunnel(self, client: socket.socket, upstream: socket.socket, seen: Seen) -> None:
        watched = SocketSeen(seen)
        self.sockets.append(watched)
        try:
            while True:
                for ready in select.select([client, upstream], [], [])[0]:
                    piece = ready.recv(_PIECE)
                    if not piece:
                        return
                    if ready is client:
                        watched.heard(piece)
                        upstream.sendall(piece)
                    else:
                        if seen.status is None:
                            seen.status = int(piece.split(b" ", 2)[1])
                            self._left(seen, piece)
                        client.sendall(piece)
        finally:
            self.sockets.remove(watched)


class SocketSeen:
    """A WebSocket: what its client has sent, frame by frame (RFC 6455, section 5.2)."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.texts: list[str] = []
        self._pending = b""
        self._parts = b""

    def heard(self, piece: bytes) -> None:
        """Take in what the client has sent."""
        self._pending += piece
        while len(self._pending) >= 2:
            data, at = self._pending, 2
            length = data[1] & 0x7F
            if length > 125:
                size = 2 if length == 126 else 8
                length = int.from_bytes(data[2 : 2 + size], "big")
                at += size
            mask = data[at : at + 4]
            at += 4
            if len(data) < at + length:
                return
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data[at : at + length]))
            self._pending = data[at + length :]
            if data[0] & 0x0F < 3:
                self._parts += payload
                if data[0] & 0x80:
                    self.texts.append(self._parts.decode("utf-8", "replace"))
                    self._parts = b""


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > _LONGEST_HEAD:
            raise _GoneError
        data += _more(client)
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _body(client: socket.socket, values: dict[str, str], data: bytes) -> bytes:
    if "chunked" in values.get("transfer-encoding", ""):
        return _chunks(client, data)
    length = int(values.get("content-length") or 0)
    pieces = [data]
    missing = length - len(data)
    while missing > 0:
        pieces.append(_more(client))
        missing -= len(pieces[-1])
    return b"".join(pieces)


def _chunks(client: socket.socket, data: bytes) -> bytes:
    """A chunked body (RFC 9112, section 7.1), without its framing."""
    body = b""
    while True:
        while b"\r\n" not in data:
            data += _more(client)
        line, _, data = data.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        while len(data) < size + 2:
            data += _more(client)
        if size == 0:
            return body
        body += data[:size]
        data = data[size + 2 :]


def _more(client: socket.socket) -> bytes:
    piece = client.recv(_PIECE)
    if not piece:
        raise _GoneError
    return piece
