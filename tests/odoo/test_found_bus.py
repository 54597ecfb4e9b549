"""The bus on the port beside Odoo's own, which nobody named."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.visitor import bus_of, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

# An address of this run's own: the port next to an Odoo has one number on all machines.
HOST = f"127.72.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def _listening(port: int, to: int) -> AsyncIterator[int]:
    """Pass on what arrives at a port of HOST, 0 for any, to one of the double's; yield its number."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        odoo_reader, odoo_writer = await asyncio.open_connection("127.0.0.1", to)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_copy(reader, odoo_writer))
            tasks.create_task(_copy(odoo_reader, writer))

    async with await asyncio.start_server(serve, HOST, port) as server:
        yield server.sockets[0].getsockname()[1]


async def test_visitors_reach_the_bus_where_the_look_found_it(server: Installation, odoo: Odoo, tmp_path: Path) -> None:
    async with _listening(0, odoo.port) as port, _listening(8072, odoo.gevent_port):
        url = f"http://{HOST}:{port}"
        async with opened(server, odoo, name=tmp_path.name, url=url, websocketUrl=None) as visitor:
            assert visitor.environment["websocketUrl"] is None
            assert visitor.environment["odooVersion"] == "18.0"
            async with bus_of(visitor) as socket:
                await socket.send('{"event_name":"subscribe","data":{"channels":[],"last":0}}')
                odoo.notify("simple_notification", {"message": "hello"})
                assert "hello" in await socket.recv()
            assert [seen["port"] for seen in odoo.requests("/websocket")] == ["evented"]
