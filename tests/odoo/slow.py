"""Raw connections of a visitor, who sends and reads as slowly as a test wants."""

from __future__ import annotations

from contextlib import AsyncExitStack

from tests.gateway.raw_client import RawClient
from tests.odoo.visitor import Visitor


class Slow:
    """Connections that last as long as the stack that they are given."""

    def __init__(self, visitor: Visitor, stack: AsyncExitStack) -> None:
        self._visitor = visitor
        self._stack = stack
        self._cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.web.cookies.jar)

    async def send(self, line: str, *fields: str, receive_buffer: int | None = None) -> RawClient:
        """A new connection over which a head was sent."""
        client = await RawClient.connect(self._visitor.server.public_port, receive_buffer=receive_buffer)
        self._stack.push_async_callback(client.close)
        lines = [line, f"Host: {self._visitor.host}", f"Cookie: {self._cookie}", *fields, "", ""]
        client.send("\r\n".join(lines).encode())
        return client
