"""A client that hides nothing: bytes out, and the answer as it stood on the wire."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENCE = 20.0


@dataclass(frozen=True)
class Raw:
    """An answer; `ended` says whether the server closed the connection after it."""

    version: str
    status: int
    fields: list[tuple[str, str]]
    body: bytes
    ended: bool

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """The only value of a field."""
        (value,) = self.all(name)
        return value

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def session_id(self) -> str:
        """The session that the answer sets."""
        found = [value for value in self.all("Set-Cookie") if value.startswith("session_id=")]
        return found[-1].partition("=")[2].partition(";")[0]


def connect(port: int) -> socket.socket:
    """A connection to a loopback port."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def request(
    method: str,
    target: str,
    *,
    host: str | None = "odoo.test",
    fields: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    version: str = "HTTP/1.1",
) -> bytes:
    """A request's bytes, with a Content-Length where there is a body."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in fields or []]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(port: int, sent: bytes) -> Raw:
    """Send these bytes on a connection of their own and read until the answer is over."""
    with connect(port) as connection:
        connection.sendall(sent)
        return read_answer(connection, head=sent.startswith(b"HEAD "))


def read_answer(connection: socket.socket, *, head: bool = False) -> Raw:
    """Read one answer; one without a length ends with the connection."""
    with connection.makefile("rb") as stream:
        version, status, _ = (stream.readline().decode("latin-1") + "   ").split(" ", 2)
        fields = []
        while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(": ")
            fields.append((name, value))
        lengths = [int(value) for name, value in fields if name == "Content-Length"]
        chunked = ("Transfer-Encoding", "chunked") in fields
        code = int(status)
        if head or code in {101, 204, 304}:
            body = b""
        elif chunked:
            body = b""
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        else:
            body = stream.read(lengths[0]) if lengths else stream.read()
        closing = ("Connection", "close") in fields
        ended = closing and stream.read(1) == b""
    return Raw(version, code, fields, body, ended)


def call(model: str, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Parameters of call_kw."""
    return {"model": model, "method": method, "args": list(args), "kwargs": kwargs}


class Client:
    """Requests to one double that carry a session, as a browser's would."""

    def __init__(self, port: int, host: str = "odoo.test") -> None:
        self.port = port
        self.host = host
        self.session_id: str | None = None

    def send(self, method: str, target: str, *, fields: list[tuple[str, str]] | None = None, body: bytes = b"") -> Raw:
        """One request; the session that it sets is kept."""
        cookies = [("Cookie", f"session_id={self.session_id}")] if self.session_id else []
        answer = ask(self.port, request(method, target, host=self.host, fields=[*cookies, *(fields or [])], body=body))
        if any(value.startswith("session_id=") for value in answer.all("Set-Cookie")):
            self.session_id = answer.session_id
        return answer

    def get(self, target: str, *fields: tuple[str, str]) -> Raw:
        """A GET."""
        return self.send("GET", target, fields=list(fields))

    def rpc(self, path: str, params: dict[str, Any], *fields: tuple[str, str]) -> Any:
        """A JSON-RPC call; the whole envelope."""
        body = json.dumps({"id": 1, "jsonrpc": "2.0", "method": "call", "params": params}).encode()
        answer = self.send("POST", path, fields=[("Content-Type", "application/json"), *fields], body=body)
        assert answer.status == 200, answer
        return answer.json

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """call_kw at its usual path."""
        return self.rpc(f"/web/dataset/call_kw/{model}/{method}", call(model, method, *args, **kwargs))

    def authenticate(
        self, login: str, password: str | None = None, *fields: tuple[str, str], db: str = "demo18"
    ) -> Any:
        """Log in by JSON; the envelope."""
        params = {"db": db, "login": login, "password": password or login}
        return self.rpc("/web/session/authenticate", params, *fields)


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for something that can be seen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")
