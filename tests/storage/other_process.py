"""Another process with the same database: for each line that it reads it commits a change, and says so."""

from __future__ import annotations

import asyncio
import sys

from guestpass.app.ports import ChangeKind
from guestpass.storage.database import Database
from guestpass.system import SystemClock


async def commit_for_each_line(url: str) -> None:
    database = Database(url, SystemClock())
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            async with database.writing() as work:
                await work.changes.append(ChangeKind.LINK, line.strip())
            print(line.strip(), flush=True)  # noqa: T201 -- its way to answer
    finally:
        await database.close()


def main() -> int:
    """Commit to the database that the argument names until there are no more lines."""
    asyncio.run(commit_for_each_line(sys.argv[1]))
    return 0
