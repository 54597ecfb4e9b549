"""A SQLite file that somebody else holds for long, and one that is put in its place from an older backup."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults.said import Heard
from tests.faults.visitors import SECONDS, Visitor, asking
from tests.gateway.raw_client import RawClient
from tests.gateway.shared import sharing
from tests.installation import Installation
from tests.links.waiting import until
from tests.supervisor.processes import said, until_said
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _file(server: Installation) -> Path:
    return Path(server.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db"


async def test_who_holds_the_file_for_long_delays_owners_and_no_visitor(pair: Installation) -> None:
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        id = shared.environment["id"]
        unopened = await pair.create_link(id)
        visitor, heard = Visitor(shared), Heard(pair)
        with closing(sqlite3.connect(_file(pair), isolation_level=None)) as holder:
            async with asking(visitor):
                holder.execute("BEGIN IMMEDIATE")
                # What only reads is not held up: the list, a link that nobody had opened yet, and readiness.
                assert unopened["id"] in {link["id"] for link in await pair.links(id)}
                await _open(pair, unopened["url"])
                refused = await pair.client.post(f"/api/environments/{id}/share", json={}, timeout=60)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
                assert "another program" in refused.json()["detail"]
                assert (await pair.client.get("/readyz")).status_code == 200

                async def is_said() -> bool:
                    return heard.messages["visits_not_written"] >= 1

                await until(is_said, SECONDS)
                holder.execute("COMMIT")
                await pair.create_link(id)
        assert visitor.failed == []
        # Each of two workers once.
        assert heard.messages["visits_not_written"] <= 2
        assert heard.messages["database_unavailable"] == 1

        async def is_counted() -> bool:
            counted = {each["id"]: each["visits"] for each in await pair.links(id)}
            return bool(counted[unopened["id"]] == 1)

        await until(is_counted, SECONDS)


async def test_an_older_backup_put_in_place_while_it_was_stopped_counts(pair: Installation, tmp_path: Path) -> None:
    async with answering() as url, sharing(pair) as share:
        older = await share(url, name="In the backup")
        backup = tmp_path / "backup.db"
        with closing(sqlite3.connect(_file(pair))) as here, closing(sqlite3.connect(backup)) as there:
            here.backup(there)
        newer = await share(url, name="After the backup")
        visitors = Visitor(older), Visitor(newer)
        assert [await visitor.ask() for visitor in visitors] == [200, 200]
        starts = len(said(pair, "serving"))
        assert await pair.stop() == 0
        for name in ("guestpass.db-wal", "guestpass.db-shm"):
            _file(pair).with_name(name).unlink(missing_ok=True)
        await asyncio.to_thread(shutil.copyfile, backup, _file(pair))
        await pair.start()
        await until_said(pair, "serving", starts + 1)
        assert [await visitor.ask() for visitor in visitors] == [200, 401]


async def test_another_file_put_in_place_while_it_serves_stops_it_and_the_same_one_put_back_goes_on(
    pair: Installation,
) -> None:
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        visitor, heard = Visitor(shared), Heard(pair)
        assert await visitor.ask() == 200
        file = _file(pair)
        kept, copy = file.with_name("kept.db"), file.with_name("copy.db")
        with closing(sqlite3.connect(file)) as here, closing(sqlite3.connect(copy)) as there:
            here.backup(there)
        os.link(file, kept)
        copy.replace(file)
        try:

            async def is_shut() -> bool:
                return heard.messages["database_file_lost"] == 2 and await visitor.ask() == 503

            # Both workers, and nobody is served by what one of them still has in memory.
            await until(is_shut, SECONDS)
            assert {await visitor.ask() for _ in range(20)} == {503}
            refused = await pair.client.post(f"/api/environments/{shared.environment['id']}/share", json={})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert "its file was replaced or removed" in refused.json()["detail"]
            unready = await pair.client.get("/readyz")
            assert unready.status_code == 503
            assert "its file was replaced or removed" in unready.json()["detail"]
            assert "remove those that end in -wal and -shm" in heard.text
            doctor = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "guestpass", "doctor"), env=pair.environ, stdout=asyncio.subprocess.PIPE
            )
            said_by_doctor = (await doctor.communicate())[0].decode()
            assert doctor.returncode == 1
            assert "is another file than the one that a running server has open" in said_by_doctor
            assert "its file was replaced or removed" in said_by_doctor
            # No command acts on a file that nobody serves from, or applies the log of the other one to it.
            with pytest.raises(AssertionError, match="is another file"):
                await pair.command("share", "list")
        finally:
            kept.replace(file)

        async def is_ready() -> bool:
            return (await pair.client.get("/readyz")).status_code == 200

        await until(is_ready, SECONDS)
        assert await visitor.ask() == 200
        assert heard.messages["database_file_lost"] == heard.messages["database_file_back"] == 2


async def _open(server: Installation, url: str) -> None:
    client = await RawClient.connect(server.public_port)
    path, host = url.partition(server.public_url)[2], f"127.0.0.1:{server.public_port}"
    client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Mode: navigate\r\n\r\n".encode())
    assert (await client.answer()).status == 303
    await client.close()
