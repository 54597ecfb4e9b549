"""The bus socket: live updates arrive, endings are said on it, and nothing else of it changes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.visitor import Visitor, opened
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _bus(visitor: Visitor, **fields: Any) -> connect:
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.web.cookies.jar)
    url = visitor.origin.replace("http", "ws") + f"/websocket?version={visitor.odoo.bus_version}"
    options: dict[str, Any] = {"origin": visitor.origin, "additional_headers": {"Cookie": cookie}}
    return connect(url, **(options | fields))


async def _subscribed(socket: ClientConnection, odoo: Odoo) -> int:
    """Subscribe as the web client does, and receive one notification; returns its id."""
    await socket.send(json.dumps({"event_name": "subscribe", "data": {"channels": [], "last": 0}}))
    async with asyncio.timeout(30):
        while True:
            # The subscription takes effect at some moment after it was sent.
            odoo.notify("simple_notification", {"message": "hello"})
            try:
                async with asyncio.timeout(0.5):
                    received = json.loads(await socket.recv())
            except TimeoutError:
                continue
            return int(received[-1]["id"])


async def _closed(socket: ClientConnection) -> None:
    """Return when the other side has closed the socket."""
    try:
        async with asyncio.timeout(30):
            while True:
                await socket.recv()
    except ConnectionClosed:
        return


async def test_notifications_of_odoo_arrive_over_the_gevent_port(visitor: Visitor) -> None:
    async with _bus(visitor) as socket:
        assert await _subscribed(socket, visitor.odoo) > 0
    [seen] = visitor.odoo.requests("/websocket")
    assert seen["port"] == "evented"
    fields = {name.lower(): value for name, value in seen["fields"]}
    # Its pages call this its address, and nobody said otherwise.
    assert fields["host"] == visitor.odoo.base_url.partition("//")[2]
    assert fields["origin"] == visitor.odoo.base_url
    assert "sec-websocket-extensions" not in fields


async def test_a_foreign_page_gets_no_socket(visitor: Visitor) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with _bus(visitor, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    assert visitor.odoo.requests("/websocket") == []


async def test_a_switched_off_link_closes_the_socket_in_its_own_language(visitor: Visitor) -> None:
    async with _bus(visitor) as socket:
        await _subscribed(socket, visitor.odoo)
        await visitor.server.deactivate(visitor.environment["id"], visitor.link["id"])
        await _closed(socket)
        assert socket.close_code == 1001
        assert "ended" in (socket.close_reason or "")


async def test_five_minutes_before_the_end_odoo_itself_seems_to_say_so(
    server: Installation, odoo: Odoo, tmp_path: Path
) -> None:
    async with (
        opened(server, odoo, name=tmp_path.name, link_fields={"expiresIn": "5m3s"}) as visitor,
        _bus(visitor) as socket,
    ):
        known = await _subscribed(socket, odoo)
        async with asyncio.timeout(30):
            while True:
                [*_, message] = json.loads(await socket.recv())
                if message["message"]["payload"].get("title") == "Share link":
                    break
                known = message["id"]
        assert message["id"] == known, "the client goes on from this id, so it must be one that it has seen"
        assert message["message"]["type"] == "simple_notification"
        assert "expires in 5 minutes" in message["message"]["payload"]["message"]
        # The socket goes on as before.
        sent = odoo.notify("simple_notification", {"message": "later"})
        assert json.loads(await socket.recv())[-1]["id"] == sent


async def test_a_link_with_much_time_left_says_nothing(visitor: Visitor) -> None:
    async with _bus(visitor) as socket:
        await _subscribed(socket, visitor.odoo)
        visitor.odoo.notify("simple_notification", {"message": "the next one"})
        heard = str(await socket.recv())
        # A link with too little time left is told of it a second after its socket opened.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.wait_closed(), 2)
        visitor.odoo.notify("simple_notification", {"message": "the last one"})
        while "the last one" not in heard:
            heard += str(await socket.recv())
        assert "Share link" not in heard
