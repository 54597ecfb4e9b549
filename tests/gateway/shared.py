"""An environment behind a link, and a visitor who has opened it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.gateway.raw_client import Answer, RawClient
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd
from tests.installation import Installation

Share = Callable[..., Awaitable["Shared"]]
"""Registers an upstream (or an address) as an environment and opens a link to it; fields as in the API."""


class Shared:
    """What a test of the wire needs: raw connections to the gateway, and requests that bear a visitor's pass."""

    def __init__(
        self, server: Installation, environment: dict[str, Any], link: dict[str, Any], stack: AsyncExitStack
    ) -> None:
        self.server = server
        self.environment = environment
        self.link = link
        self.host = f"127.0.0.1:{server.public_port}".encode()
        self.cookie = b""
        self._stack = stack

    async def connect(self, *, receive_buffer: int | None = None) -> RawClient:
        """A connection to the public listener, closed when the test ends."""
        client = await RawClient.connect(self.server.public_port, receive_buffer=receive_buffer)
        self._stack.push_async_callback(client.close)
        return client

    def request(self, line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
        """A request of the visitor: ``request(b"GET /x HTTP/1.1", b"Range: bytes=0-1")``."""
        return b"\r\n".join([line, b"Host: " + self.host, b"Cookie: " + self.cookie, *fields, b"", body])

    def get(self, target: bytes = b"/", *fields: bytes) -> bytes:
        """A plain GET of the visitor."""
        return self.request(b"GET %b HTTP/1.1" % target, *fields)

    async def ask(self, line: bytes, *fields: bytes, body: bytes = b"") -> Answer:
        """Send one request on a connection of its own and return the answer, where the gateway itself gives it."""
        client = await self.connect()
        client.send(self.request(line, *fields, body=body))
        return await client.answer(to=line.split(b" ")[0])

    async def open_link(self) -> None:
        """Open the link as a browser does, and keep the pass."""
        client = await self.connect()
        path = self.link["url"].partition(self.server.public_url)[2].encode()
        client.send(b"GET %b HTTP/1.1\r\nHost: %b\r\nSec-Fetch-Mode: navigate\r\n\r\n" % (path, self.host))
        answer = await client.answer()
        assert answer.status == 303, answer
        [cookie] = answer.all(b"set-cookie")
        self.cookie = cookie.partition(b";")[0]
        await client.close()


@asynccontextmanager
async def sharing(server: Installation) -> AsyncIterator[Share]:
    """A `Share` for one server; what it made is removed at the end."""
    async with AsyncExitStack() as stack:

        async def share(upstream: RawUpstream | str, **fields: Any) -> Shared:
            url = upstream if isinstance(upstream, str) else upstream.url
            environment = await server.add_environment(**{"name": "Wire", "url": url, "kind": "web"} | fields)
            stack.push_async_callback(_remove, server, environment["id"])
            link = await server.create_link(environment["id"])
            shared = Shared(server, environment, link, stack)
            await shared.open_link()
            return shared

        yield share


async def _remove(server: Installation, environment_id: str) -> None:
    if server.process.returncode is None:
        await server.client.delete(f"/api/environments/{environment_id}")


async def exchange(client: RawClient, end: UpstreamEnd, request: bytes, answer: bytes) -> Answer:
    """One exchange over connections that exist on both sides."""
    client.send(request)
    await end.head()
    end.send(answer)
    return await client.answer(to=request.split(b" ")[0])


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\n\r\nok"
"""A small answer after which the connection stays open."""
