"""What revision 0013 makes of links from before: since when they have their version."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import MetaData, insert, select
from tests.storage.samples import NOON
from tests.storage.test_expanding import bring_to, url

from guestpass.storage.connecting import reading, writing
from guestpass.storage.location import locate

__all__ = ["url"]
HOUR = timedelta(hours=1)
ROTATED, CHANGED = ("rotated", None), ("changed", "label,password")


@pytest.mark.parametrize(
    ("version", "password", "events", "since"),
    [
        (1, None, [], None),
        (1, "hash", [], None),
        (3, None, [ROTATED, ROTATED], NOON + HOUR),
        (2, "hash", [("changed", "note"), CHANGED, ("changed", "passwords")], NOON + HOUR),
        # Whether it was set in between, nobody knows; to take it away ended no pass.
        (3, None, [ROTATED, CHANGED], NOON),
        (3, "hash", [CHANGED, ROTATED], NOON + HOUR),
    ],
)
def test_a_link_has_had_its_version_since_the_last_that_ended_its_passes(
    url: str, version: int, password: str | None, events: list[tuple[str, str | None]], since: datetime | None
) -> None:
    bring_to(url, "0012")
    location, tables = locate(url), MetaData()
    zone = None if url.startswith("sqlite") else NOON.tzinfo
    with writing(location) as connection:
        tables.reflect(connection)
        rows: list[tuple[str, dict[str, Any]]] = [
            ("environments", {"org": "o", "id": "e", "name": "E", "url": "http://10.0.0.5", "kind": "web"}),
            ("links", {"id": "a", "org": "o", "environment_id": "e", "share_type": "token", "version": version}),
        ]
        rows[0][1].update(tls_verify=True, body_limit=1, response_timeout=1, revision=1)
        rows[1][1].update(password_hash=password, expires_at=NOON.replace(tzinfo=zone), visits=0, visitors=0)
        for table, row in rows:
            made = {"created_at": NOON.replace(tzinfo=zone), "created_by": "olga"}
            connection.execute(insert(tables.tables[table]).values(**row, **made))
        for number, (kind, detail) in enumerate(events):
            at = (NOON + number * HOUR).replace(tzinfo=zone)
            event = {"link_id": "a", "at": at, "kind": kind, "actor": "olga", "detail": detail}
            connection.execute(insert(tables.tables["link_events"]).values(event))
    bring_to(url, "0013")
    with reading(location) as connection:
        links = MetaData()
        links.reflect(connection, only=["links"])
        found = connection.execute(select(links.tables["links"].c.version_since)).scalar_one()
    assert (found.replace(tzinfo=NOON.tzinfo) if found is not None and found.tzinfo is None else found) == since
