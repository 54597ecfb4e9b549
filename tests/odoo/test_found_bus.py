"""The bus on the port beside Odoo's own, which nobody named."""

from __future__ import annotations

import asyncio
import os
from http import HTTPStatus
from pathlib import Path

import httpx2
import pytest
from tests.installation import Installation
from tests.odoo.test_check import Other, plain
from tests.odoo.visitor import NAVIGATION
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")

# An address of this run's own: the port next to an Odoo has one number on all machines.
HOST = f"127.72.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"


def _odoo(target: str) -> bytes:
    if target == "/web/webclient/version_info":
        return plain("200 OK", '{"jsonrpc": "2.0", "id": 1, "result": {"server_version": "18.0"}}')
    return plain("500 Internal Server Error" if target.startswith("/websocket") else "404 Not Found")


async def test_visitors_reach_the_bus_where_the_look_found_it(server: Installation, tmp_path: Path) -> None:
    async def bus(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    main = Other(_odoo)
    async with await asyncio.start_server(main.serve, HOST, 0) as listening, serve(bus, HOST, 8072):
        url = f"http://{HOST}:{listening.sockets[0].getsockname()[1]}"
        environment = await server.add_environment(name=tmp_path.name, url=url)
        assert environment["websocketUrl"] is None
        assert environment["odooVersion"] == "18.0"
        link = await server.create_link(environment["id"])
        async with httpx2.AsyncClient(base_url=server.public_url) as web:
            opened = await web.get(link["url"], headers=NAVIGATION)
            assert opened.status_code == HTTPStatus.SEE_OTHER
            cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in web.cookies.jar)
        del main.targets[:]
        address = server.public_url.replace("http", "ws") + "/websocket?version=18.0-1"
        async with connect(address, origin=Origin(server.public_url), additional_headers={"Cookie": cookie}) as socket:
            await socket.send('["hello"]')
            assert await socket.recv() == '["hello"]'
        assert main.targets == []
        await server.client.delete(f"/api/environments/{environment['id']}")
