"""Werkzeug's HTTP server as Odoo runs it: prefork workers that serve one connection at a time, or threads.

Both stand on `http.server`, as Werkzeug does, so request lines, limits and errors are read as there.
"""

from __future__ import annotations

import contextlib
import http
import select
import socket
import sys
import threading
import traceback
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.doubles.odoo import answers, application
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.visit import Visit
from tests.doubles.odoo.websocket import is_upgrade, serve_socket
from tests.doubles.odoo.world import Seen, Trouble, Worker, World

# What Werkzeug hands to the socket at a time when it sends a file.
_PIECE = 8192
_KEPT_BODY = 65536


class Disconnected(Exception):
    """The client stopped sending in the middle of its body."""


class Exchange(BaseHTTPRequestHandler):
    """One connection and its one request, in the manner of Werkzeug 2.2.2."""

    server_version = "Werkzeug/2.2.2"
    sys_version = "Python/3.11.7"
    port = "http"
    closes = True
    threaded = False
    world: World
    worker: Worker

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __getattr__(self, name: str) -> Any:
        # Any method is the application's to judge.
        if name.startswith("do_"):
            return self.exchange
        raise AttributeError(name)

    def exchange(self) -> None:
        """Read the body, ask the application, send the answer."""
        seen = self.world.journal.note(
            port=self.port,
            worker=self.worker.number,
            peer=self.client_address[0],
            method=self.command,
            target=self.path,
            version=self.request_version,
            fields=list(self.headers.items()),
        )
        trouble: Trouble | None = None
        try:
            if int(self.headers.get("Content-Length") or 0) > application.UPLOAD_LIMIT:
                answer = answers.problem(413, "Request Entity Too Large", "The data value transmitted is too large.")
            else:
                visit = self.visit(self.body(seen))
                trouble = self.world.troubles.for_path(visit.path)
                if trouble is not None and trouble.part == "head":
                    trouble.wait()
                if self.upgraded(visit, seen):
                    return
                answer = ordered(trouble) or self.answer(visit)
        except Disconnected:
            answer = answers.problem(400, "Bad Request", "ClientDisconnected")
        except Exception:  # noqa: BLE001  # whatever a handler raises is Odoo's 500, and is in our log
            traceback.print_exc()
            answer = answers.problem(500, "Internal Server Error", "The server encountered an internal error.")
        seen.status = answer.status
        try:
            self.transmit(answer, trouble)
            seen.sent = True
        except OSError:
            self.close_connection = True

    def visit(self, body: bytes) -> Visit:
        """The request in the application's eyes."""
        return Visit(
            self.world,
            self.worker,
            method=self.command,
            target=self.path,
            fields=list(self.headers.items()),
            body=body,
            peer=self.client_address[0],
        )

    def answer(self, visit: Visit) -> Answer:
        """What this port answers."""
        if visit.path.rstrip("/") == "/websocket":
            return answers.problem(
                500,
                "Internal Server Error",
                "Couldn't bind the websocket. Is the connection opened on the evented port (8072)?",
            )
        return application.respond(visit)

    def upgraded(self, visit: Visit, seen: Seen) -> bool:
        """Become a WebSocket where this port can; says whether it did."""
        known = self.world.settings.major >= 16 and visit.path.rstrip("/") == "/websocket"
        if not self.threaded or not known or not is_upgrade(visit):
            return False
        self.close_connection = True
        seen.status = serve_socket(visit, self.connection, seen)
        return True

    def body(self, seen: Seen) -> bytes:
        """The request's body; raises Disconnected where it doesn't come."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        read = bytearray()
        try:
            if (self.headers.get("Transfer-Encoding") or "").strip().lower() == "chunked":
                while size := int(self.rfile.readline(1026).partition(b";")[0].strip() or b"-1", 16):
                    if size < 0:
                        raise Disconnected
                    self._take(read, size, seen)
                    self.rfile.readline(1026)
                while self.rfile.readline(65537) not in {b"\r\n", b"\n", b""}:
                    pass
            else:
                self._take(read, int(self.headers.get("Content-Length") or 0), seen)
        except (OSError, ValueError):
            raise Disconnected from None
        seen.complete = True
        return bytes(read)

    def _take(self, read: bytearray, size: int, seen: Seen) -> None:
        wanted = len(read) + size
        while len(read) < wanted:
            piece = self.rfile.read1(min(65536, wanted - len(read)))
            if not piece:
                raise Disconnected
            read += piece
            seen.body_bytes = len(read)
            if len(read) <= _KEPT_BODY:
                seen.body = read.decode("latin-1")

    def transmit(self, answer: Answer, trouble: Trouble | None = None) -> None:
        """Head and body, as this server frames them."""
        chunked = answer.close_delimited and self.protocol_version == "HTTP/1.1"
        fields = self.opening_fields() + answer.fields
        if chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        if self.closes:
            fields.append(("Connection", "close"))
            self.close_connection = True
        fields += self.closing_fields()
        reason = http.HTTPStatus(answer.status).phrase
        head = f"{self.protocol_version} {answer.status} {reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        self.wfile.write(head.encode("latin-1"))
        if self.command == "HEAD" or answer.status in {204, 304}:
            return
        body = answer.body
        if trouble is not None and (trouble.part == "body" or trouble.cut):
            half = len(body) // 2
            self._write(body[:half], answer, chunked=chunked)
            trouble.wait()
            if trouble.cut:
                self.close_connection = True
                return
            body = body[half:]
        self._write(body, answer, chunked=chunked)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, body: bytes, answer: Answer, *, chunked: bool) -> None:
        if chunked:
            if body:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        elif answer.streamed:
            view = memoryview(body)
            for start in range(0, len(body), _PIECE):
                self.wfile.write(view[start : start + _PIECE])
        elif body:
            self.wfile.write(body)

    def opening_fields(self) -> list[tuple[str, str]]:
        """What `http.server` says before the application's fields."""
        return [("Server", self.version_string()), ("Date", formatdate(usegmt=True))]

    def closing_fields(self) -> list[tuple[str, str]]:
        """What the server says after them."""
        return []

    def log_message(self, format: str, *args: Any) -> None:
        """Errors of the protocol go to the log, requests to the journal."""
        if "code" in format:
            sys.stderr.write(f"{self.port}: {format % args}\n")


def ordered(trouble: Trouble | None) -> Answer | None:
    """The answer that a test ordered in place of Odoo's."""
    if trouble is None or trouble.status is None:
        return None
    body = trouble.body.encode()
    return Answer(trouble.status, [("Content-Type", trouble.content_type), ("Content-Length", str(len(body)))], body)


class Front:
    """The HTTP port: workers that take turns at accepting, or a thread for each connection."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stopping = threading.Event()
        self._listener = listening(world.settings.port)
        self._threads: list[threading.Thread] = []
        count = world.settings.workers or 1
        for number in range(1, count + 1):
            worker = Worker(number)
            thread = threading.Thread(target=self._work, args=(worker,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self, worker: Worker) -> None:
        threaded = self.world.settings.threaded
        while not self._stopping.is_set():
            connection, peer = accept(self._listener)
            if connection is None:
                continue
            self.world.journal.connected()
            if threaded:
                threading.Thread(target=self._serve, args=(worker, connection, peer), daemon=True).start()
            else:
                self._serve(worker, connection, peer)

    def _serve(self, worker: Worker, connection: socket.socket, peer: Any) -> None:
        threaded = self.world.settings.threaded

        class Bound(Exchange):
            pass

        Bound.world, Bound.worker, Bound.threaded = self.world, worker, threaded
        Bound.protocol_version = "HTTP/1.1" if threaded else "HTTP/1.0"
        connection.settimeout(None if threaded else self.world.settings.read_timeout)
        serve_connection(Bound, connection, peer)

    def stop(self) -> None:
        """Stop accepting, and wait for the workers' present requests."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
        self._listener.close()


def serve_connection(handler: type[Exchange], connection: socket.socket, peer: Any) -> None:
    """Run the handler over a connection and close it as `socketserver` does."""
    try:
        handler(connection, peer, None)  # type: ignore[arg-type]
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        connection.close()


def listening(port: int) -> socket.socket:
    """A listening socket on the loopback interface."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    listener.setblocking(False)
    return listener


def accept(listener: socket.socket) -> tuple[socket.socket | None, Any]:
    """The next connection, or None where there was none for a moment or another worker took it."""
    readable, _, _ = select.select([listener], [], [], 0.1)
    if not readable:
        return None, None
    try:
        connection, peer = listener.accept()
    except BlockingIOError:
        return None, None
    connection.setblocking(True)
    return connection, peer
