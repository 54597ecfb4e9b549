"""WebSockets of the bus: the handshake that Odoo insists on, its frames, its limits and its reasons to close."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from collections import deque
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.odoo import answers
from tests.doubles.odoo.cookies import session_cookie
from tests.doubles.odoo.store import Author
from tests.doubles.odoo.users import PUBLIC
from tests.doubles.odoo.visit import Visit
from tests.doubles.odoo.world import Seen
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NEEDED = ("Connection", "Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Upgrade", "Origin")
WORKER_VERSION = "18.0-1"
_LARGEST = 1024 * 1024
# Ten messages may come at once, then one each 0.2 seconds.
_BURST, _PAUSE = 10, 0.2
_OUTDATED, _TRY_LATER, _TOO_BIG, _EXPIRED, _TOO_OLD = 1000, 1013, 1009, 4001, 4002


def is_upgrade(visit: Visit) -> bool:
    """Whether the client asks for a WebSocket."""
    return (visit.header("Upgrade") or "").lower() == "websocket"


def serve_socket(visit: Visit, connection: socket.socket, seen: Seen) -> int:
    """Shake hands and hold the socket until it closes; returns the status of the handshake."""
    missing = [name for name in _NEEDED if not visit.header(name)]
    if missing:
        return _refuse(connection, 400, "Bad Request", f"Empty or missing header(s): {', '.join(missing)}")
    if visit.header("Sec-WebSocket-Version") != "13":
        return _refuse(connection, 500, "Internal Server Error", "Unsupported version")
    visit.open_session()
    if visit.db is None:
        return _refuse(connection, 404, "Not Found", "No database")
    rotates = visit.world.settings.rotate_on_upgrade and visit.session.uid is not None
    if rotates or visit.world.rotation_due(visit.session):
        visit.session = visit.world.rotate_softly(visit.session)
    visit.world.sessions.keep(visit.session)
    visit.session.dirty = False
    key = (visit.header("Sec-WebSocket-Key") or "").strip()
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept),
        ("Content-Type", answers.HTML),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET, POST"),
        ("Set-Cookie", session_cookie(visit.session.sid)),
        ("X-Content-Type-Options", "nosniff"),
        ("Date", formatdate(usegmt=True)),
    ]
    _send_head(connection, "101 Switching Protocols", fields)
    seen.status, seen.sent = 101, True
    BusSocket(visit, connection).run()
    return 101


def _refuse(connection: socket.socket, status: int, name: str, description: str) -> int:
    answer = answers.problem(status, name, description)
    fields = [*answer.fields, ("X-Content-Type-Options", "nosniff"), ("Connection", "close")]
    _send_head(connection, f"{status} {name}", fields, answer.body)
    return status


def _send_head(connection: socket.socket, status: str, fields: list[tuple[str, str]], body: bytes = b"") -> None:
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
    connection.sendall(head.encode() + body)


class BusSocket:
    """One open WebSocket."""

    def __init__(self, visit: Visit, connection: socket.socket) -> None:
        self.world = visit.world
        self.sid = visit.session.sid
        self.db = visit.database.name
        origin = visit.header("Origin") or ""
        own = urlsplit(origin).netloc == visit.host
        self.user = visit.user if own or not self.world.settings.check_origin else PUBLIC
        self.version = visit.query.get("version")
        self.channels: frozenset[str] = frozenset()
        self.received = 0
        self.closed: tuple[int, str] | None = None
        self._connection = connection
        self._wire = Connection(ConnectionType.SERVER)
        self._lock = threading.RLock()
        self._arrivals: deque[float] = deque(maxlen=_BURST)
        self._text: list[str] = []
        self._opened = time.monotonic()

    def describe(self) -> dict[str, Any]:
        """What a test may want to know about it."""
        return {
            "user": self.user.login,
            "db": self.db,
            "sid": self.sid,
            "channels": sorted(self.channels),
            "received": self.received,
            "version": self.version,
        }

    def run(self) -> None:
        """Hold the socket until one side has closed it."""
        self.world.bus.join(self)
        try:
            if self.version != WORKER_VERSION:
                self.close(_OUTDATED, "OUTDATED_VERSION")
            self._hold()
        except (OSError, RemoteProtocolError):
            pass
        finally:
            self.world.bus.leave(self)

    def _hold(self) -> None:
        last_heard = time.monotonic()
        pinged = False
        while self._wire.state is not ConnectionState.CLOSED:
            settings = self.world.settings
            now = time.monotonic()
            if now - self._opened > settings.keep_alive:
                self.close(_TOO_OLD, "")
            wait = max(0.01, last_heard + settings.ping_after - now)
            self._connection.settimeout(5.0 if self.closed or pinged else min(wait, 1.0))
            try:
                data = self._connection.recv(65536)
            except TimeoutError:
                if self.closed:
                    return
                if not pinged and time.monotonic() - last_heard >= settings.ping_after:
                    self._send(Ping(b""))
                    pinged = True
                continue
            if not data:
                return
            last_heard, pinged = time.monotonic(), False
            with self._lock:
                self._wire.receive_data(data)
                events = list(self._wire.events())
            for event in events:
                self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case Ping():
                self._send(event.response())
            case CloseConnection():
                if self._wire.state is ConnectionState.REMOTE_CLOSING:
                    self._send(event.response())
            case TextMessage(data=text):
                self._text.append(text)
                self._bound()
                if event.message_finished:
                    whole, self._text = "".join(self._text), []
                    self._message(whole)
            case BytesMessage():
                # A sign of life of newer clients, or nothing that a bus knows.
                self.received += event.message_finished
                self._bound()
            case _:
                pass

    def _bound(self) -> None:
        if sum(map(len, self._text)) > _LARGEST:
            self.close(_TOO_BIG, "")

    def _message(self, text: str) -> None:
        if self.closed:
            return
        now = time.monotonic()
        if len(self._arrivals) == _BURST and now - self._arrivals[0] < _BURST * _PAUSE:
            self.close(_TRY_LATER, "")
            return
        self._arrivals.append(now)
        self.received += 1
        session = self.world.sessions.current(self.sid)
        if session is None or (session.uid is not None and not self.world.valid(session)):
            self.close(_EXPIRED, "")
            return
        try:
            spoken = json.loads(text)
            name, data = spoken["event_name"], spoken.get("data") or {}
        except (ValueError, KeyError, TypeError):
            return
        if name == "subscribe":
            self._subscribe([str(each) for each in data.get("channels", [])], int(data.get("last", 0)))
        elif name == "update_presence" and self.user is not PUBLIC:
            self.world.present(self.world.databases[self.db], Author(self.user, "/websocket", "update_presence"))

    def _subscribe(self, channels: list[str], last: int) -> None:
        self.channels = frozenset(channels)
        missed = self.world.bus.missed(self.db, self.channels, last)
        if missed:
            self.deliver(missed)

    def deliver(self, notifications: list[dict[str, Any]]) -> None:
        """Send these: always as an array."""
        self._send(TextMessage(json.dumps(notifications)))

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        if self.closed is None:
            self.closed = (code, reason)
            self._send(CloseConnection(code, reason))

    def _send(self, event: Event) -> None:
        with self._lock:
            try:
                self._connection.sendall(self._wire.send(event))
            except (OSError, LocalProtocolError):
                self.closed = self.closed or (1006, "")
