"""Visitors who come to one machine, or to the load balancer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

PAUSE = 0.1
PATIENCE = 60.0


@dataclass
class Guest:
    """A visitor with a pass, who requests one address again and again until they leave."""

    url: str
    name: str
    cookie: str
    answers: int = 0
    refusals: int = 0
    torn: int = 0
    """Answers that ended in the middle: what is half told when a machine dies, nobody else can finish."""
    trouble: list[str] = field(default_factory=list)
    let_in: int = 0
    """How often they were let in."""

    async def ask(self, client: httpx2.AsyncClient) -> int:
        """Ask once; returns the status."""
        answer = await client.get(f"{self.url}/", headers={"Host": self.name, "Cookie": self.cookie})
        return answer.status_code

    async def stay(self) -> None:
        """Ask again and again until cancelled; only pages and 410, which says that a link is off, are no trouble."""
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
            while True:
                try:
                    status = await self.ask(client)
                except httpx2.RemoteProtocolError as error:
                    if "without sending complete message body" in str(error):
                        self.torn += 1
                    else:
                        self.trouble.append(repr(error))
                except httpx2.TransportError as error:
                    self.trouble.append(repr(error))
                else:
                    self._note(status)
                await asyncio.sleep(PAUSE)

    def _note(self, status: int) -> None:
        self.answers += 1
        if status == 200:
            self.let_in += 1
        elif status == 410:
            self.refusals += 1
        else:
            self.trouble.append(str(status))


async def enter(link_url: str, at: str, name: str) -> Guest:
    """Open a link at this address."""
    path = link_url.removeprefix(f"http://{name}")
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
        answer = await client.get(f"{at}{path}", headers={"Host": name})
    assert answer.status_code == 200, answer.text
    return Guest(at, name, "; ".join(cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie")))


@asynccontextmanager
async def staying(*guests: Guest) -> AsyncIterator[None]:
    """These visitors go on asking during the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(guest.stay()) for guest in guests]
        yield
        for task in tasks:
            task.cancel()
