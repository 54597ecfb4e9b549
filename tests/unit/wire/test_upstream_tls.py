"""Connections to upstreams that speak TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from tests.operate.certificates import trusting, write_pair

from guestpass.wire.run_queue import RunQueue
from guestpass.wire.upstream_tls import connect_with_tls


class Recording(asyncio.Protocol):
    """Records what the connection is told."""

    def __init__(self) -> None:
        self.is_connected = False
        self.received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.is_connected = not transport.is_closing()

    def data_received(self, data: bytes) -> None:
        self.received.set_result(data)


def server_context(folder: Path) -> ssl.SSLContext:
    write_pair(folder / "cert.pem", folder / "key.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_connection_is_returned_once_its_handshake_is_complete(tmp_path: Path) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    made = Recording()
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(tmp_path)) as server:
        transport, protocol = await connect_with_tls(
            lambda: made,
            "127.0.0.1",
            server.sockets[0].getsockname()[1],
            context=trusting(tmp_path / "cert.pem"),
            server_hostname="localhost",
            run_queue=RunQueue(asyncio.get_running_loop()),
        )
        assert protocol is made
        assert made.is_connected
        assert await made.received == b"hello"
        transport.abort()


async def test_who_waits_no_longer_for_a_handshake_leaves_no_connection_behind() -> None:
    made, gone = Recording(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        connecting = connect_with_tls(
            lambda: made,
            "127.0.0.1",
            server.sockets[0].getsockname()[1],
            context=ssl.create_default_context(),
            server_hostname="localhost",
            run_queue=RunQueue(asyncio.get_running_loop()),
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connecting, 0.1)
        await gone.wait()
    assert not made.is_connected


async def test_a_certificate_that_is_not_trusted_is_an_error(tmp_path: Path) -> None:
    made = Recording()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(tmp_path)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_with_tls(
                lambda: made,
                "127.0.0.1",
                server.sockets[0].getsockname()[1],
                context=ssl.create_default_context(),
                server_hostname="localhost",
                run_queue=RunQueue(asyncio.get_running_loop()),
            )
    assert not made.is_connected
