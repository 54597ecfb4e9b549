"""Count the bytes that a visitor receives: the measured requests once more, on sockets that count."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]
import zstandard
from tests.doubles.odoo.measured import Measured

from bench.processes import NotReady
from bench.web_client.step import BUNDLES, STEP, body_of, is_navigation
from bench.web_client.ways import Way

_SECONDS = 30.0
_BEST_SECONDS = 600.0
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


class _CountingSocket(socket.socket):
    """Tells how many bytes came in each time that some did."""

    def __init__(self, came: Callable[[int], None]) -> None:
        super().__init__()
        self._came = came

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - no type until 3.12
        count = super().recv_into(buffer, nbytes, flags)
        self._came(count)
        return count


class _Connection(http.client.HTTPConnection):
    """Opened anew where the server closes; `received` are the bytes of all answers, heads included."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port, timeout=_SECONDS)
        self.received = 0

    def connect(self) -> None:
        self.sock = _CountingSocket(self._count)
        self.sock.settimeout(_SECONDS)
        self.sock.connect((self.host, self.port))

    def _count(self, count: int) -> None:
        self.received += count


class Answer(NamedTuple):
    """An answer and its decoded body; `coding` is empty where it had none."""

    status: int
    coding: str
    body: bytes


class Visitor:
    """A browser with an empty cache and one connection, which offers every coding that Chromium offers."""

    def __init__(self, way: Way) -> None:
        self._way = way
        parts = urlsplit(way.origin)
        self._connection = _Connection(parts.hostname or "", parts.port or 80)
        self._cookies: dict[str, str] = {}

    @property
    def received(self) -> int:
        """Bytes that came so far."""
        return self._connection.received

    def ask(self, method: str, target: str, *, navigates: bool = False, body: bytes = b"", kind: str = "") -> Answer:
        """One request, whose redirect is not followed; raises NotReady where the connection fails."""
        fields = {
            "Accept-Encoding": "gzip, deflate, br, zstd",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate" if navigates else "cors",
            "Sec-Fetch-Dest": "document" if navigates else "empty",
        }
        if self._cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if method == "POST":
            fields |= {"Content-Type": kind, "Origin": self._way.origin}
        try:
            self._connection.request(method, target, body or None, fields)
            answer = self._connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReady(f"{method} {self._way.origin}{target} failed: {error!r}") from error
        for value in answer.headers.get_all("Set-Cookie", []):
            for name, cookie in SimpleCookie(value).items():
                self._cookies[name] = cookie.coded_value
        coding = answer.headers.get("Content-Encoding", "")
        return Answer(answer.status, coding, DECODERS[coding](received))

    def find_login_form(self) -> str:
        """Come in by the entrance, up to the login form; returns the form's token."""
        self.ask("GET", self._way.entrance.removeprefix(self._way.origin), navigates=True)
        page = self.ask("GET", "/web/login", navigates=True).body
        found = re.search(rb'name="csrf_token" value="([0-9a-f]+o)"', page)
        if found is None:
            raise NotReady(f"{self._way.origin}/web/login shows no login form: {page[:500]!r}")
        return found[1].decode()

    def perform(self, exchange: Measured, token: str) -> Answer:
        """One request of the step; raises NotReady where its answer is not the one that was measured."""
        body, kind = body_of(exchange, token)
        answer = self.ask(exchange.method, exchange.path, navigates=is_navigation(exchange), body=body, kind=kind)
        if (answer.status, len(answer.body)) != (exchange.status, exchange.size):
            raise NotReady(
                f"{self._way.origin}{exchange.path} answered {answer.status} with {len(answer.body)} bytes"
                f" instead of {exchange.status} with {exchange.size}"
            )
        return answer

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def count_bytes(way: Way) -> int:
    """What a new visitor receives in the step, heads included; raises NotReady where an answer is wrong."""
    visitor = Visitor(way)
    try:
        token = visitor.find_login_form()
        before = visitor.received
        for exchange in STEP:
            visitor.perform(exchange, token)
        return visitor.received - before
    finally:
        visitor.close()


def wait_for_best_forms(way: Way) -> None:
    """Return when whoever comes now gets each bundle in its best form, which is brotli's; raises NotReady."""
    visitor = Visitor(way)
    try:
        visitor.find_login_form()
        deadline = time.monotonic() + _BEST_SECONDS
        for path in BUNDLES:
            while visitor.ask("GET", path).coding != "br":
                if time.monotonic() > deadline:
                    raise NotReady(f"{path} did not come in its best form within {_BEST_SECONDS:.0f} s")
                time.sleep(0.5)
    finally:
        visitor.close()
