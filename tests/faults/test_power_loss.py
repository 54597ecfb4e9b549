"""The power may fail at any moment: what then lies on the disk is a whole database with whole links."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults.owner import Owner, making
from tests.faults.visitors import Visitor, asking, until_true
from tests.gateway.shared import sharing
from tests.installation import Installation
from tests.supervisor.processes import worker_ids
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOMENTS = 8


def _copy_as_it_is(server: Installation, to: Path) -> Path:
    """The files as the workers have left them at this very moment, between any two of their system calls."""
    source = Path(server.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db"
    workers = worker_ids(server)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    try:
        to.mkdir()
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{source}{suffix}", f"{to / source.name}{suffix}")
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
    return to / source.name


def _links_of(file: Path) -> set[str]:
    """The links in a copy, which must be a whole database in which each link has all that belongs to it."""
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        links = {id for (id,) in database.execute("SELECT id FROM links")}
        created = {id for (id,) in database.execute("SELECT link_id FROM link_events WHERE kind = 'created'")}
        opened_by = {id for (id,) in database.execute("SELECT link_id FROM link_tokens WHERE retired_at IS NULL")}
        changed = {id for (id,) in database.execute("SELECT id FROM changes WHERE kind = 'link'")}
    assert links == created == opened_by
    assert links <= changed
    return links


async def test_whatever_lies_on_the_disk_is_whole_and_has_all_that_was_promised(
    pair: Installation, tmp_path: Path
) -> None:
    chance = random.Random(20260301)
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        owner, visitor = Owner(pair, shared.environment["id"]), Visitor(shared)
        copies: list[tuple[Path, set[str]]] = []
        async with making(owner), asking(visitor):
            for number in range(MOMENTS):
                made = len(owner.made)
                await until_true(lambda: len(owner.made) > made)  # noqa: B023 -- awaited within the turn
                await asyncio.sleep(chance.uniform(0, 0.05))
                promised = {link["id"] for link in owner.made}
                copies.append((_copy_as_it_is(pair, tmp_path / str(number)), promised))
        assert owner.refused == []
        assert visitor.failed == []
        for copy, promised in copies:
            assert promised <= _links_of(copy)
