"""Which worker serves a connection, as its answers tell."""

from __future__ import annotations

import asyncio
import json

from tests.gateway.raw_client import Answer, RawClient
from tests.gateway.shared import Shared
from tests.supervisor.processes import SECONDS


class Kept:
    """A connection, and the one worker that serves it for as long as it lasts."""

    def __init__(self, client: RawClient) -> None:
        self.client = client

    async def patiently(self) -> Answer:
        """The next answer, although a worker may have to start first."""
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    return await self.client.answer()
                except TimeoutError:
                    continue


async def worker_of(client: RawClient, shared: Shared) -> str:
    """What the request ids of a worker begin with; the connection can be used further, since a visitor asks."""
    client.send(shared.request(b"DELETE /none HTTP/1.1", b"Origin: http://elsewhere.example"))
    answer = await Kept(client).patiently()
    request_id: str = json.loads(answer.body)["requestId"]
    return request_id.partition("-")[0]


async def kept_connections(shared: Shared, *, workers: int) -> dict[str, RawClient]:
    """A connection to each of so many workers, by the worker. Linux chooses which one serves a connection."""
    found: dict[str, RawClient] = {}
    async with asyncio.timeout(SECONDS):
        while len(found) < workers:
            client = await shared.connect()
            worker = await worker_of(client, shared)
            if worker in found:
                await client.close()
            else:
                found[worker] = client
    return found
