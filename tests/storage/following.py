"""A worker that follows a feed, and how to give it something to hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from guestpass.app.ports import Change, ChangeKind
from guestpass.storage.database import Database
from guestpass.storage.feed import open_feed


class Worker:
    """A worker that notes what its feed tells; it fails as often as it is told to."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.heard: list[str] = []
        self.resets = 0
        self.failing_applies = 0
        self.failing_resets = 0
        self.feed = open_feed(database, self.apply, self.reset, monotonic=monotonic)

    async def apply(self, changes: Sequence[Change]) -> None:
        if self.failing_applies:
            self.failing_applies -= 1
            raise ConnectionError("apply")
        await asyncio.sleep(0)
        self.heard += [change.id for change in changes]

    async def reset(self) -> None:
        if self.failing_resets:
            self.failing_resets -= 1
            raise ConnectionError("reset")
        await asyncio.sleep(0)
        self.resets += 1


async def append(database: Database, *ids: str) -> None:
    async with database.writing() as work:
        for id in ids:
            await work.changes.append(ChangeKind.LINK, id)


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    await worker.feed.start()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.feed.run())
        yield
        task.cancel()


def is_blind(worker: Worker) -> bool:
    """Whether its feed says that changes may have happened of which it doesn't know."""
    return worker.feed.blind_since is not None
