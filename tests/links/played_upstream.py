"""An application that answers every request as the test says, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; names of fields in lower case."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    @property
    def cookies(self) -> list[str]:
        """The pairs of the Cookie field."""
        return [pair for field in self.all("cookie") for pair in field.split("; ")]


class PlayedUpstream:
    """`status`, `fields` and `body` are what it answers from now on; `asked` is every request so far.

    `challenge` is a field with which it asks for credentials where none come.
    """

    def __init__(self) -> None:
        self.status = "200 OK"
        self.fields: list[str] = []
        self.body = b"played"
        self.challenge: str | None = None
        self.asked: list[Asked] = []
        self.url = ""
        self.connections: set[asyncio.StreamWriter] = set()

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until one of both sides ends it."""
        self.connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head[:-4].split("\r\n")
                pairs = [line.partition(": ") for line in lines]
                method, target, _ = first.split(" ")
                asked = Asked(method, target, tuple((name.lower(), value) for name, _, value in pairs))
                await reader.readexactly(int((asked.all("content-length") or ["0"])[0]))
                self.asked.append(asked)
                body = b"" if asked.method == "HEAD" else self.body
                length = f"Content-Length: {len(self.body)}"
                answer = [f"HTTP/1.1 {self.status}", *self.fields, length, "", ""]
                if self.challenge is not None and not asked.all("authorization"):
                    answer = ["HTTP/1.1 401 Unauthorized", self.challenge, length, "", ""]
                writer.write("\r\n".join(answer).encode("latin-1") + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()


@asynccontextmanager
async def played_upstream() -> AsyncIterator[PlayedUpstream]:
    """A running one on a free port of 127.0.0.1."""
    upstream = PlayedUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        for writer in tuple(upstream.connections):
            writer.close()
        await server.wait_closed()
