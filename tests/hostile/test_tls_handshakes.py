"""Whoever opens connections and does not shake hands, or does nothing else, is counted like everybody."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.hostile.busy import WAIT_SECONDS, new_address
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.operate.certificates import trusting, write_pair

pytestmark = pytest.mark.asyncio(loop_scope="session")

PER_ADDRESS, ALL = 20, 50
REQUESTS = 150


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    folder = tmp_path_factory.mktemp("tls")
    write_pair(folder / "cert.pem", folder / "key.pem")
    async with installation(
        trust=trusting(folder / "cert.pem"),
        tls_cert=str(folder / "cert.pem"),
        tls_key=str(folder / "key.pem"),
        connections=str(ALL),
        connections_per_address=str(PER_ADDRESS),
        requests_per_address=f"{REQUESTS}/hour",
        visitor_addresses="full",
    ) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as kept:
        yield kept


async def silent(server: Installation, stack: AsyncExitStack, address: str, count: int) -> list[RawClient]:
    """Connections from this address on which nothing is said."""
    clients = []
    for _ in range(count):
        try:
            client = await RawClient.connect(server.public_port, source=address)
        except ConnectionError:
            continue  # It was closed before it had begun.
        stack.push_async_callback(client.close)
        clients.append(client)
    return clients


async def is_served(server: Installation, address: str) -> bool:
    """Whether somebody from this address shakes hands and gets an answer."""
    assert isinstance(server.verify, ssl.SSLContext)
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % server.public_port
    try:
        streams = await asyncio.open_connection(
            "127.0.0.1", server.public_port, ssl=server.verify, local_addr=(address, 0)
        )
        client = RawClient(*streams)
        client.send(request)
        answer = await client.answer()
        await client.close()
    except (BrokenOffError, OSError):
        return False
    return answer.status < 500


def told(server: Installation, event: str, address: str) -> list[dict[str, str]]:
    lines = (json.loads(line) for line in server.log.splitlines() if line.startswith("{"))
    return [line for line in lines if line["message"] == event and line.get("address") == address]


async def test_an_address_has_so_many_connections_whether_or_not_it_shakes_hands(
    secured: Installation, stack: AsyncExitStack
) -> None:
    attacker = new_address()
    clients = await silent(secured, stack, attacker, 2 * PER_ADDRESS)
    for client in clients[PER_ADDRESS:]:
        await client.gone()
    # It is the further ones that are closed, at once; and who has shaken hands is counted with those who have not.
    assert not any(client.is_gone for client in clients[:PER_ADDRESS])
    assert not await is_served(secured, attacker)
    assert await is_served(secured, new_address())
    assert len(told(secured, "too_many_connections", attacker)) == 1
    for client in clients[:PER_ADDRESS]:
        client.reset()

    async def there_is_room() -> bool:
        return await is_served(secured, attacker)

    await until(there_is_room, WAIT_SECONDS)


async def test_silent_connections_from_everywhere_make_room_for_who_comes(
    secured: Installation, stack: AsyncExitStack
) -> None:
    for _ in range(2 * ALL // PER_ADDRESS):
        await silent(secured, stack, new_address(), PER_ADDRESS)
        assert await is_served(secured, new_address())


async def test_a_handshake_counts_as_a_request(secured: Installation) -> None:
    attacker = new_address()
    served = [await is_served(secured, attacker) for _ in range(REQUESTS)]
    # Each of them asked for something besides, where it could.
    assert served == [True] * (REQUESTS // 2) + [False] * (REQUESTS // 2)
    assert await is_served(secured, new_address())
    assert len(told(secured, "too_many_requests", attacker)) == 1
