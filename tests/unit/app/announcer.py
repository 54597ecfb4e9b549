from __future__ import annotations

from tests.storage.samples import changes_after

from guestpass.storage.database import Database


class NotingAnnouncer:
    """Notes which changes a reader finds committed at the moment of each announcement."""

    def __init__(self, database: Database) -> None:
        self.announced: list[list[str]] = []
        self._database = database
        self._number = 0

    async def announce(self) -> None:
        async with self._database.reading() as work:
            changes = await changes_after(work, self._number)
            self._number = await work.changes.last()
        self.announced.append([f"{change.kind}:{change.id}" for change in changes])
