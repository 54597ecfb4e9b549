"""No byte more can be written to the disk: visitors are served, each part says so once, and all goes on by itself.

What the system refuses is a file's growth past a size (RLIMIT_FSIZE), which needs no disk of its own; to whoever writes
it is an error as on a full disk.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.doubles.odoo.handle import running_odoo
from tests.faults.disk import ROOM, full
from tests.faults.said import Heard, assert_tells_no_secret
from tests.faults.visitors import SECONDS, Visitor, asking
from tests.gateway.shared import sharing
from tests.installation import Installation
from tests.links.waiting import until
from tests.odoo.visitor import opened
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_database_that_can_not_grow_serves_visitors_and_tells_owners(lone: Installation) -> None:
    database = Path(lone.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db"
    async with answering() as url, sharing(lone) as share:
        shared = await share(url)
        id = shared.environment["id"]
        while database.with_name("guestpass.db-wal").stat().st_size < ROOM:
            await lone.create_link(id)
        links = {link["id"] for link in await lone.links(id)}
        visitor, heard = Visitor(shared), Heard(lone)
        async with asking(visitor):
            with full(lone):
                for _ in range(5):
                    refused = await lone.client.post(f"/api/environments/{id}/share", json={})
                    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
                    assert refused.json()["code"] == "unavailable"
                # A visit begins, which can't be written yet.
                await shared.open_link()

                async def is_said() -> bool:
                    return heard.messages["visits_not_written"] == 1

                await until(is_said, SECONDS)
                assert {link["id"] for link in await lone.links(id)} == links
                await visitor.until(200, times=5)
            link = await lone.create_link(id)
            await visitor.until(200, times=5)
        assert visitor.failed == []
        assert {each["id"] for each in await lone.links(id)} == links | {link["id"]}

        async def is_counted() -> bool:
            counted = {each["id"]: each["visits"] for each in await lone.links(id)}
            return bool(counted[shared.link["id"]] == 2)

        await until(is_counted, SECONDS)
        assert (heard.messages["visits_not_written"], heard.messages["database_unavailable"]) == (1, 1)
        assert sum(heard.messages.values()) <= 4, heard.messages
        assert_tells_no_secret(lone, shared.cookie.decode(), shared.link["url"].rpartition("/")[2])
    with closing(sqlite3.connect(database)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_an_upload_that_can_not_be_held_is_refused_and_assets_come_from_odoo(lone: Installation) -> None:
    with running_odoo() as odoo:
        async with opened(lone, odoo, name="Full") as visitor:
            heard = Heard(lone)
            with full(lone):
                for _ in range(2):
                    refused = await visitor.web.post("/web/double/echo", content=b"x" * 3_000_000)
                    assert refused.status_code == 503
                for number in range(3):
                    asset = await visitor.get(f"/web/static/double/600000/large{number}.bin")
                    assert (asset.status_code, len(asset.content)) == (200, 600_000)
                assert (await visitor.get("/contactus")).status_code == 200
            accepted = await visitor.web.post("/web/double/echo", content=b"x" * 3_000_000)
            assert accepted.status_code < 500
            # Odoo may see that one begins that then breaks off, but it gets no half of one for a whole.
            whole = [seen for seen in odoo.requests("/web/double/echo") if seen["body_bytes"] == 3_000_000]
            assert len(whole) == 1
    assert (heard.messages["spool_failed"], heard.messages["asset_not_fetched"]) == (1, 1)
