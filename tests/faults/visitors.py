"""Visitors who ask again and again while something fails, and note what becomes of each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.gateway.shared import Shared
from tests.links.waiting import until

SECONDS = 60.0
"""How long anything may take that must come: a busy machine has little time for each."""
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it was sent (monotonic seconds), and the status of its answer or what broke it off."""

    at: float
    outcome: int | str


@dataclass(slots=True)
class Visitor:
    """Asks one thing after the other over one connection, and over the next where that is closed.

    Where the other side closes a connection that has served before without a byte of an answer, the request is asked
    again, as every client does (RFC 9112, section 9.3.1); `repeated` counts these.
    """

    shared: Shared
    request: bytes = b""
    client: RawClient | None = None
    asked: list[Asked] = field(default_factory=list)
    repeated: int = 0

    @property
    def outcomes(self) -> list[int | str]:
        """What became of each request, in order."""
        return [each.outcome for each in self.asked]

    @property
    def failed(self) -> list[Asked]:
        """The requests that got no good answer."""
        return [each for each in self.asked if each.outcome != 200]

    def since(self, moment: float) -> list[int | str]:
        """What became of the requests that were sent after this moment."""
        return [each.outcome for each in self.asked if each.at > moment]

    async def ask(self) -> int | str:
        """Ask once, and note what becomes of it."""
        at = time.monotonic()
        try:
            outcome: int | str = await self._ask()
        except (BrokenOffError, OSError) as error:
            self.client = None
            outcome = f"{type(error).__name__}: {error}"
        self.asked.append(Asked(at, outcome))
        return outcome

    async def _ask(self) -> int:
        has_served = self.client is not None
        try:
            answer = await self._answer()
        except BrokenOffError as error:
            if not has_served or not _is_before_any_byte(error):
                raise
            self.repeated += 1
            self.client = None
            answer = await self._answer()
        if answer.get(b"connection") == b"close":
            self.client = None
        return answer.status

    async def _answer(self) -> Answer:
        if self.client is None:
            self.client = await self.shared.connect()
        self.client.send(self.request or self.shared.get(b"/quick"))
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    return await self.client.answer()
                except TimeoutError:
                    continue

    async def keep_asking(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(_PAUSE)

    async def until_served(self) -> None:
        """Ask until there is a good answer."""
        async with asyncio.timeout(SECONDS):
            while await self.ask() != 200:  # noqa: ASYNC110 -- it is the other side's doing
                await asyncio.sleep(_PAUSE)

    async def until(self, *outcomes: int, times: int = 3) -> None:
        """Wait until so many requests in a row, all sent from now on, had one of these outcomes."""
        since = time.monotonic()

        async def came() -> bool:
            newest = self.since(since)[-times:]
            return len(newest) == times and all(each in outcomes for each in newest)

        await until(came, SECONDS)


def _is_before_any_byte(error: BrokenOffError) -> bool:
    """Whether the connection ended, closed or reset, when nothing of the answer had come."""
    return "after 0 bytes of a head" in str(error) or "before a head" in str(error)


@asynccontextmanager
async def asking(*visitors: Visitor) -> AsyncIterator[None]:
    """All of them ask during the block; each has had a good answer before it begins."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.keep_asking()) for each in visitors]
        for each in visitors:
            await each.until(200, times=1)
        yield
        for task in tasks:
            task.cancel()


async def until_true(condition: Callable[[], bool]) -> None:
    """Wait for what can be seen without waiting."""

    async def holds() -> bool:
        return condition()

    await until(holds, SECONDS)
