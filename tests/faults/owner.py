"""An owner who makes links while something fails, and keeps which were confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
from tests.installation import Installation


@dataclass(slots=True)
class Owner:
    """`made` are the links that the API said it had made; what it said nothing or otherwise of is counted."""

    server: Installation
    environment_id: str
    made: list[dict[str, Any]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    unsure: int = 0
    cancelled: int = 0

    async def make(self) -> None:
        """Ask for one link, on a connection of its own."""
        headers = {"Authorization": self.server.client.headers["Authorization"]}
        async with httpx2.AsyncClient(base_url=self.server.admin_url, headers=headers, timeout=60) as client:
            try:
                answer = await client.post(
                    f"/api/environments/{self.environment_id}/share", json={"label": f"link {len(self.made)}"}
                )
            except httpx2.TransportError:
                self.unsure += 1
                return
            except asyncio.CancelledError:
                # Who goes away in the midst of it doesn't know either.
                self.cancelled += 1
                raise
        if answer.status_code == 201:
            self.made.append(answer.json())
        else:
            self.refused.append(answer.status_code)

    async def keep_making(self) -> None:
        """Make links until cancelled."""
        while True:
            await self.make()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def making(owner: Owner) -> AsyncIterator[None]:
    """The owner makes links during the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(owner.keep_making())
        yield
        task.cancel()


async def assert_kept(owner: Owner) -> None:
    """Every link that was said to be made is there and opens; every link that is there is a whole one."""
    server = owner.server
    listed = {link["id"]: link for link in await server.links(owner.environment_id)}
    assert {link["id"] for link in owner.made} <= set(listed)
    assert len(listed) <= 1 + len(owner.made) + owner.unsure + owner.cancelled
    async with httpx2.AsyncClient(timeout=60) as web:
        for link in listed.values():
            # Each is opened by somebody else.
            web.cookies.clear()
            answer = await web.get(link["url"], headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
            assert answer.status_code == 303, (link["id"], answer.status_code)
            history = await server.client.get(f"/api/environments/{owner.environment_id}/share/{link['id']}/history")
            assert history.status_code == 200
            assert "created" in [event["kind"] for event in history.json()["events"]]


async def ignore_broken(client: httpx2.AsyncClient) -> None:
    """Let the client forget a connection whose other end died."""
    with suppress(httpx2.TransportError):
        await client.get("/healthz")
