from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.dashboard.in_process import dashboard
from tests.storage.following import append

from guestpass.storage.database import Database


async def test_who_says_that_it_is_ready_has_heard_of_all_that_was_committed_before_the_question(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    # Its feed has been cut off and does not run: nothing but the question makes it look.
    async with dashboard(database_url, tmp_path) as cut_off:
        await append(database, "a link that was revoked on another machine")
        assert await cut_off.services.api.ready()
        assert cut_off.worker.feed.number == 1


async def test_who_can_not_hear_of_changes_is_not_ready(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose_the_connection() -> None:
        raise OperationalError("SELECT", None, ConnectionError())

    async with dashboard(database_url, tmp_path) as cut_off:
        monkeypatch.setattr(cut_off.worker.feed, "announce", lose_the_connection)
        assert not await cut_off.services.api.ready()
