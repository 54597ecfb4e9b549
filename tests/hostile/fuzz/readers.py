"""Read bytes as others read them: h11, gunicorn and Werkzeug for requests; h11, http.client and llhttp for answers.

Each reader says which whole messages there are. What one of them refuses says nothing; what two read differently is a
hole through which a request can be smuggled.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar, cast

import h11
import httptools
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http.errors import NoMoreData, ParseException  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import WSGIRequestHandler
from werkzeug.wsgi import get_input_stream


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `length` is Content-Length as it was read, None without it.

    `body` is None where more of it must come; a request whose body is refused is none.
    """

    method: bytes
    target: bytes
    host: bytes
    length: int | None
    chunked: bool
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One final answer; `body` is None where it is not whole."""

    status: int
    body: bytes | None


M = TypeVar("M", Request, Answer)


@dataclass(slots=True)
class Reading(Generic[M]):
    """The messages on one connection, in order; with `refuses` nothing is known of what lies behind them."""

    messages: list[M]
    refuses: bool = False


RequestReader = Callable[[bytes], Reading[Request]]
AnswerReader = Callable[[bytes, Sequence[bytes], bool], Reading[Answer]]
"""From bytes, the methods of the requests that they answer, and whether the connection was closed behind them."""


# Requests


def by_h11(data: bytes) -> Reading[Request]:
    """As h11 reads a client's bytes."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    if data:  # no bytes would be the connection's end
        parser.receive_data(data)
    found: list[Request] = []
    head: h11.Request | None = None
    body = b""
    try:
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                found.append(_of_h11(head, body))
                if head.method == b"CONNECT":
                    return Reading(found, refuses=True)
                head = None
                parser.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
                parser.send(h11.EndOfMessage())
                if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
                    return Reading(found, refuses=True)
                parser.start_next_cycle()
            elif event is h11.NEED_DATA:
                return Reading([*found, _of_h11(head, None)] if head else found)
            else:
                return Reading(found, refuses=True)
    except h11.RemoteProtocolError:
        return Reading(found, refuses=True)


def _of_h11(head: h11.Request, body: bytes | None) -> Request:
    fields = dict(head.headers)
    length = fields.get(b"content-length")
    return Request(
        head.method,
        head.target,
        fields.get(b"host", b""),
        None if length is None else int(length),
        b"transfer-encoding" in fields,
        body,
    )


_GUNICORN: Final = Config()
_GUNICORN.set("http_parser", "python")


def by_gunicorn(data: bytes) -> Reading[Request]:
    """As gunicorn's own parser in Python reads them."""
    found: list[Request] = []
    closes = False
    try:
        for message in RequestParser(_GUNICORN, iter([data]), ("127.0.0.1", 1)):
            fields = {name: value.encode("latin-1") for name, value in message.headers}
            length = fields.get("CONTENT-LENGTH")
            body: bytes | None = None
            with suppress(NoMoreData):
                body = message.body.read()
            chunked = "TRANSFER-ENCODING" in fields
            if body is not None and not chunked and length is not None and len(body) < int(length):
                body = None
            found.append(
                Request(
                    message.method.encode(),
                    message.uri.encode("latin-1"),
                    fields.get("HOST", b""),
                    None if length is None else int(length),
                    chunked,
                    body,
                )
            )
            closes = message.should_close()
            if body is None:
                break
    except NoMoreData:
        return Reading(found)
    except (ParseException, ValueError):
        return Reading(found, refuses=True)
    return Reading(found, refuses=closes)


class _Stream(io.BytesIO):
    """Breaks off where a body ends too soon: at such an end Werkzeug's reader of chunks would go round for ever."""

    in_body = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.in_body and not data and size:
            raise ConnectionResetError
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        data = super().readline(size)
        if self.in_body and not data and size:
            raise ConnectionResetError
        return data


class _Handler(WSGIRequestHandler):
    """Werkzeug's handler for one request, on bytes; `environ` and `body` are what an application would be given."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        # The base class would serve in its constructor.
        self.rfile = cast("Any", stream)
        self.wfile = cast("Any", io.BytesIO())
        self.connection = self.request = cast("Any", object())
        self.client_address = ("127.0.0.1", 1)
        self.server = cast("Any", _WERKZEUG)
        self.close_connection = True
        self.command = ""
        self.body: bytes | None = None
        self.environ = {}

    def run_wsgi(self) -> None:
        self.environ = self.make_environ()
        self._stream.in_body = True
        try:
            self.body = get_input_stream(self.environ, safe_fallback=True).read()
        except (ClientDisconnected, ConnectionResetError):
            self.close_connection = True
        except (OSError, ValueError):
            self.environ = {}
        self._stream.in_body = False

    def log(self, type: str, message: str, *args: object) -> None:
        """Nobody reads it."""


_WERKZEUG: Final = SimpleNamespace(
    multithread=False,
    multiprocess=False,
    ssl_context=None,
    server_address=("127.0.0.1", 80),
    _server_version="x",
    passthrough_errors=True,
)


def by_werkzeug(data: bytes) -> Reading[Request]:
    """As Werkzeug's server reads them, which stands on http.server of the standard library."""
    found: list[Request] = []
    stream = _Stream(data)
    while True:
        handler = _Handler(stream)
        handler.protocol_version = "HTTP/1.1"
        handler.handle_one_request()
        if not handler.environ:
            return Reading(found, refuses=bool(handler.raw_requestline))
        environ = handler.environ
        length = environ.get("CONTENT_LENGTH")
        found.append(
            Request(
                environ["REQUEST_METHOD"].encode("latin-1"),
                # The handler makes of several slashes at the beginning one.
                handler.raw_requestline.split(b" ")[1],
                environ.get("HTTP_HOST", "").encode("latin-1"),
                int(length) if length is not None and length.isascii() and length.isdigit() else None,
                "HTTP_TRANSFER_ENCODING" in environ,
                handler.body,
            )
        )
        if handler.body is None:
            return Reading(found)
        if handler.close_connection:
            return Reading(found, refuses=True)


REQUEST_READERS: Final[dict[str, RequestReader]] = {
    "h11": by_h11,
    "gunicorn": by_gunicorn,
    "Werkzeug": by_werkzeug,
}


# Answers


def answers_by_h11(data: bytes, methods: Sequence[bytes], closed: bool) -> Reading[Answer]:
    """As h11 reads a server's bytes."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    if data:  # no bytes would be the connection's end
        parser.receive_data(data)
    if closed:
        parser.receive_data(b"")
    found: list[Answer] = []
    for method in methods:
        parser.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"x")]))
        parser.send(h11.EndOfMessage())
        status, body = 0, b""
        try:
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif not isinstance(event, h11.InformationalResponse):
                    return Reading([*found, Answer(status, None)] if status else found)
        except h11.RemoteProtocolError:
            return Reading([*found, Answer(status, None)] if status else found, refuses=not closed)
        found.append(Answer(status, body))
        if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
            return Reading(found)
        parser.start_next_cycle()
    return Reading(found)


class _Connection:
    """What http.client takes for a socket: all its responses read on from the same bytes."""

    def __init__(self, data: bytes) -> None:
        self.stream = _Unclosed(data)

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return self.stream


class _Unclosed(io.BytesIO):
    def close(self) -> None:
        """The next answer is still to be read."""


def answers_by_http_client(data: bytes, methods: Sequence[bytes], closed: bool) -> Reading[Answer]:
    """As the standard library reads them, and with it urllib3 and requests."""
    connection = _Connection(data)
    found: list[Answer] = []
    for method in methods:
        try:
            status = 100
            # It skips no interim answer but 100.
            while 100 <= status < 200:
                response = http.client.HTTPResponse(cast("Any", connection), method=method.decode("latin-1"))
                response.begin()
                status = response.status
        except (http.client.HTTPException, ValueError):
            return Reading(found, refuses=bool(connection.stream.tell() < len(data)))
        try:
            body: bytes | None = response.read()
        except (http.client.HTTPException, ValueError):
            body = None
        if response.length is None and not response.chunked and body is not None and response.will_close and not closed:
            # It took the end of these bytes for the connection's.
            body = None
        found.append(Answer(status, body))
        if body is None or response.will_close:
            return Reading(found)
    return Reading(found)


class _Events:
    def __init__(self) -> None:
        self.body = b""
        self.complete = False
        self.statuses: list[int] = []
        self.found: list[Answer] = []
        self.status: Callable[[], int] = lambda: 0
        self.framed = False

    def on_message_begin(self) -> None:
        self.body, self.complete, self.framed = b"", False, False

    def on_header(self, name: bytes, _: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self.framed = True

    def on_headers_complete(self) -> None:
        self.statuses.append(self.status())

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True
        if self.statuses[-1] >= 200:
            self.found.append(Answer(self.statuses[-1], self.body))


def answers_by_llhttp(data: bytes, methods: Sequence[bytes], closed: bool) -> Reading[Answer]:
    """As llhttp, and with it Node.js and aiohttp, reads them; it can't be told of a HEAD."""
    if b"HEAD" in methods:
        methods = methods[: methods.index(b"HEAD")]
        closed = False
    if not methods:
        return Reading([])
    events = _Events()
    parser = httptools.HttpResponseParser(events)
    events.status = parser.get_status_code
    try:
        parser.feed_data(data)
    except httptools.HttpParserError:
        return Reading(events.found[: len(methods)], refuses=len(events.found) < len(methods))
    if events.statuses and events.statuses[-1] >= 200 and not events.complete:
        ends_so = closed and not events.framed
        events.found.append(Answer(events.statuses[-1], events.body if ends_so else None))
    return Reading(events.found[: len(methods)])


ANSWER_READERS: Final[dict[str, AnswerReader]] = {
    "h11": answers_by_h11,
    "http.client": answers_by_http_client,
    "llhttp": answers_by_llhttp,
}
