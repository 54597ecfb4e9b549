"""HTTP clients, and upstreams for them that follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.outbound.http_client import HttpClient
from guestpass.wire.connector import Connector, UpstreamOrigin
from guestpass.wire.resolver import Resolver

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def connector(*, deny: str = "192.0.2.0/24") -> Connector:
    return Connector(AddressPolicy(allow=[], deny=[ip_network(deny)], own_listeners=[]), Resolver())


def http_client(*, deny: str = "192.0.2.0/24", seconds: float = 10.0) -> HttpClient:
    return HttpClient(connector(deny=deny), response_seconds=seconds)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[UpstreamOrigin]:
    """An upstream that follows a script on each connection, from its first request on."""
    failures: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield UpstreamOrigin("127.0.0.1", server.sockets[0].getsockname()[1], None)
    assert not failures


def saying(answer: bytes, *, at_a_time: int = 1 << 20, then_stay: bool = False) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for position in range(0, len(answer), at_a_time):
            writer.write(answer[position : position + at_a_time])
            await writer.drain()
            await asyncio.sleep(0)
        if then_stay:
            await reader.read()

    return script
