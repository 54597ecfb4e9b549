"""Whoever reads nothing over TLS counts towards what may wait in memory, like everybody."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import raw_upstream
from tests.installation import installation
from tests.links.waiting import until
from tests.operate.certificates import trusting, write_pair
from tests.supervisor.processes import said

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
CLIENTS, BUFFERED = 12, 4 * MIB
SIZE = 16 * MIB


async def test_who_reads_nothing_is_cut_where_too_much_would_wait(tmp_path: Path) -> None:
    write_pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    trust = trusting(tmp_path / "cert.pem")
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    async with (
        installation(trust=trust, buffer_limit=str(BUFFERED), tls_cert=certificate, tls_key=key) as server,
        raw_upstream() as upstream,
        AsyncExitStack() as stack,
    ):
        environment = await server.add_environment(name="Large", url=upstream.url, kind="web")
        link = await server.create_link(environment["id"])

        async def ask() -> RawClient:
            connection = socket.socket()
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", server.public_port))
            client = RawClient(
                *await asyncio.open_connection(sock=connection, ssl=trust, server_hostname="127.0.0.1", limit=2**16)
            )
            stack.push_async_callback(client.close)
            path = link["url"].removeprefix(server.public_url).encode()
            # Whoever is no browser gets what it asks for at once.
            client.send(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (path, server.public_port))
            end = await upstream.accept()
            await end.head()
            end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + bytes(SIZE))
            assert (await client.head()).status == 200
            return client

        clients = [await ask() for _ in range(CLIENTS)]

        async def are_cut() -> bool:
            return bool(said(server, "slow_client_cut"))

        await until(are_cut, 60)
        assert {line["cause"] for line in said(server, "slow_client_cut")} == {
            "too much waited in memory for slow clients"
        }
        whole = 0
        for client in clients:
            try:
                whole += await client.read(SIZE) == bytes(SIZE)
            except BrokenOffError:
                continue
        # Each of them makes it keep a MiB.
        assert 1 <= whole <= BUFFERED // MIB
