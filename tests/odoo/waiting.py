"""Requests of a visitor of an Odoo that wait for something before they get there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx2
from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.odoo.visitor import Visitor
from tests.storage.waiting import until

AS_DEMO = {"signInAs": {"login": "demo", "password": "demo"}}
CREATE = json.dumps(
    {
        "id": 1,
        "jsonrpc": "2.0",
        "method": "call",
        "params": {"model": "res.partner", "method": "create", "args": [{"name": "Waited"}], "kwargs": {}},
    }
).encode()


def pass_in(web: httpx2.AsyncClient) -> str:
    """The pass that a browser holds."""
    return next(cookie.value or "" for cookie in web.cookies.jar if cookie.name == "guestpass")


class Request:
    """A request of a visitor over a connection of its own, and what came of it."""

    def __init__(self, client: RawClient, *, upgrades: bool = False) -> None:
        self.client = client
        self.upgrades = upgrades

    async def outcome(self) -> Answer | None:
        """The answer, or None where the connection was broken off."""
        try:
            return await (self.client.head() if self.upgrades else self.client.answer())
        except BrokenOffError:
            return None


async def ask(
    stack: AsyncExitStack, visitor: Visitor, line: str, *fields: str, body: bytes = b"", cookie: str | None = None
) -> Request:
    """Send a request over a connection of its own."""
    client = await RawClient.connect(visitor.server.public_port)
    stack.push_async_callback(client.close)
    lines = [line, f"Host: {visitor.host}", f"Cookie: guestpass={cookie or pass_in(visitor.web)}"]
    lines += [f"Origin: {visitor.origin}", *fields]
    client.send("\r\n".join([*lines, "", ""]).encode() + body)
    return Request(client, upgrades="Upgrade: websocket" in fields)


async def create(stack: AsyncExitStack, visitor: Visitor) -> Request:
    """Call what adds a partner to the Odoo."""
    return await ask(
        stack,
        visitor,
        "POST /web/dataset/call_kw/res.partner/create HTTP/1.1",
        "Content-Type: application/json",
        f"Content-Length: {len(CREATE)}",
        body=CREATE,
    )


async def join_bus(stack: AsyncExitStack, visitor: Visitor, *, cookie: str | None = None) -> Request:
    """Ask for a bus socket."""
    return await ask(
        stack,
        visitor,
        f"GET /websocket?version={visitor.odoo.bus_version} HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        cookie=cookie,
    )


async def for_a_sign_in(
    stack: AsyncExitStack, visitor: Visitor, ask: Callable[[AsyncExitStack, Visitor], Awaitable[Request]] = create
) -> Request:
    """A request that waits until its visitor is signed in, which Odoo does when it is released."""
    visitor.odoo.forget()
    visitor.odoo.trouble("/web/session/authenticate", held=True, times=1)
    request = await ask(stack, visitor)
    await until(lambda: visitor.odoo.requests("/web/session/authenticate"))
    return request
