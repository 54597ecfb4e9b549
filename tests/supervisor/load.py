"""Visitors who ask without a pause, by connections that stay and by new ones, and count what goes wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.gateway.shared import Shared
from tests.supervisor.upstream import DRIPS

_BODY = b"x" * 40_000


class Load:
    """`done` counts answers by kind of visitor, `failures` has a sentence for each that did not come as it should."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self.stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send requests throughout; at the end each visitor still gets the response that they wait for."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(6):
                tasks.create_task(self._stay("stays", self.shared.get(b"/quick"), b"0"))
            for _ in range(4):
                tasks.create_task(self._come_anew())
            for _ in range(2):
                tasks.create_task(self._stay("reads", self.shared.get(b"/drip"), b"." * DRIPS))
                tasks.create_task(self._upload())
            yield
            self.stopping = True

    async def _stay(self, kind: str, request: bytes, body: bytes) -> None:
        """One connection for as long as the server keeps it, then the next."""
        while not self.stopping:
            client = await self._connect(kind)
            while client is not None and not self.stopping:
                client.send(request)
                answer = await self._answer(kind, client, body)
                if answer is None or answer.get(b"connection") == b"close":
                    break
                await asyncio.sleep(0.01)
            if client is not None:
                await client.close()

    async def _come_anew(self) -> None:
        while not self.stopping:
            client = await self._connect("comes anew")
            if client is not None:
                client.send(self.shared.get(b"/quick"))
                await self._answer("comes anew", client, b"0")
                await client.close()
            await asyncio.sleep(0.01)

    async def _upload(self) -> None:
        """A body that takes a second to send."""
        request = self.shared.request(b"POST /upload HTTP/1.1", b"Content-Length: %d" % len(_BODY))
        while not self.stopping:
            client = await self._connect("uploads")
            if client is not None:
                client.send(request)
                for start in range(0, len(_BODY), 4_000):
                    client.send(_BODY[start : start + 4_000])
                    await asyncio.sleep(0.1)
                await self._answer("uploads", client, str(len(_BODY)).encode())
                await client.close()

    async def _connect(self, kind: str) -> RawClient | None:
        try:
            return await RawClient.connect(self.shared.server.public_port)
        except OSError as error:
            self.failures.append(f"{kind}: not connected: {error}")
            return None

    async def _answer(self, kind: str, client: RawClient, body: bytes) -> Answer | None:
        try:
            answer = await client.answer()
        except (BrokenOffError, TimeoutError) as error:
            self.failures.append(f"{kind}: {type(error).__name__}: {error}")
            return None
        if (answer.status, answer.body) != (200, body):
            self.failures.append(f"{kind}: {answer}")
        self.done[kind] += 1
        return answer
