"""A visitor who tries what no browser would send."""

from __future__ import annotations

from dataclasses import dataclass

from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.odoo.visitor import Visitor

Way = tuple[str, str, bytes]
"""A method, a content type and a body."""


@dataclass
class Burglar:
    """A visitor with a raw socket, who sends what no browser would."""

    visitor: Visitor
    client: RawClient | None = None

    async def ask(
        self,
        target: str,
        way: Way,
        *fields: str,
        version: str = "HTTP/1.1",
        sent: bytes = b"",
        cookie: bytes = b"{own}",
    ) -> Answer:
        """The answer to a target that is sent as it is; `cookie` is the field in which {own} are the visitor's own."""
        method, kind, body = way
        is_new = self.client is None
        if self.client is None:
            self.client = await RawClient.connect(self.visitor.server.public_port)
        own = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.visitor.web.cookies.jar)
        lines = [f"{method} {target} {version}", f"Host: {self.visitor.host}", *fields]
        if kind:
            lines.append(f"Content-Type: {kind}")
        if body or (method == "POST" and not sent):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode() + b"\r\nCookie: " + cookie.replace(b"{own}", own.encode())
        said = head + b"\r\n\r\n" + (body or sent)
        self.client.send(said)
        try:
            answer = await self.client.answer(to=method.encode())
        except BrokenOffError:
            if is_new:
                raise
            # It was idle for too long: an Odoo may keep other tests busy between two of these.
            await self.leave()
            self.client = await RawClient.connect(self.visitor.server.public_port)
            self.client.send(said)
            answer = await self.client.answer(to=method.encode())
        if answer.get(b"connection") == b"close":
            await self.leave()
        return answer

    async def leave(self) -> None:
        """Close the socket."""
        if self.client is not None:
            await self.client.close()
            self.client = None
