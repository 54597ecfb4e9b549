"""Guessing a link's password: what it gets whoever tries, and whom it leaves alone."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.installation import Installation, installation
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import NAVIGATION, Visitor
from tests.links.waiting import until
from tests.postgres.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded() -> AsyncIterator[Installation]:
    """A server behind a proxy, so that visitors have addresses, with few tries."""
    async with installation(
        trusted_proxies="127.0.0.1/32", password_tries="3/hour", password_tries_per_link="7/hour"
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sqlite", "postgresql"])
async def crowded(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    """Two workers; one address has the tries that there are by default, all together fewer than come at once."""
    settings: dict[str, Any] = {"password_tries_per_link": "40/hour"}
    if request.param == "postgresql":
        databases: Databases = request.getfixturevalue("postgres_databases")
        settings |= {
            "database_url": databases.cluster.url(databases.make(template="template0")),
            "jwt_secret": "j" * 32,
            "secret_key": "s" * 32,
        }
    async with installation(workers=2, trusted_proxies="127.0.0.1/32", **settings) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def generous() -> AsyncIterator[Installation]:
    """Few tries that all share who have failed, and many for each of them."""
    async with installation(trusted_proxies="127.0.0.1/32", password_tries_per_link="2/hour") as running:
        yield running


async def _try(link: Share, visitor: Visitor, password: str, address: str, *, page: bool = False) -> int:
    fields = {"X-Forwarded-For": address, **(NAVIGATION | {"Sec-Fetch-Site": "same-origin"} if page else {})}
    answer = await visitor.send("POST", f"{link.path}/login", fields, json={"password": password})
    if answer.status_code == 429:
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        if page:
            assert "Too many wrong passwords" in answer.text
            assert "minutes" in answer.text
        else:
            assert answer.json()["code"] == "tries_used_up"
    return answer.status_code


async def _locked(link: Share) -> object:
    path = f"/api/environments/{link.environment['id']}/share/{link.id}/password-tries"
    return (await link.server.client.get(path)).json()["lockedUntil"]


async def _told(link: Share, kind: str) -> int:
    """How often the link's history tells of it."""
    path = f"/api/environments/{link.environment['id']}/share/{link.id}/history"
    events = (await link.server.client.get(path)).json()["events"]
    return [each["kind"] for each in events].count(kind)


async def test_an_address_that_hammers_is_shut_out_and_others_get_in(guarded: Installation, sample: str) -> None:
    link = await share(guarded, sample, password=PASSWORD)
    async with link.stranger() as inside, link.stranger() as guesser, link.stranger() as right:
        assert await _try(link, inside, PASSWORD, "192.0.2.7") == 303
        statuses = [await _try(link, guesser, f"wrong {number}", "192.0.2.7") for number in range(4)]
        assert statuses == [401, 401, 401, 429]
        # Not even the right one is tried any more from there, and the page says when it will be.
        assert await _try(link, guesser, PASSWORD, "192.0.2.7", page=True) == 429
        # Who is in stays in; from elsewhere the right password opens.
        assert (await inside.get("/headers", X_Forwarded_For="192.0.2.7")).status_code == 200
        assert await _try(link, right, PASSWORD, "198.51.100.9") == 303
    assert await _locked(link) is None
    assert await _told(link, "locked") == 1


async def test_right_passwords_use_up_nothing(guarded: Installation, sample: str) -> None:
    link = await share(guarded, sample, password=PASSWORD)
    for _ in range(9):
        async with link.stranger() as visitor:
            assert await _try(link, visitor, PASSWORD, "192.0.2.7") == 303


@pytest.mark.parametrize(
    ("people", "addresses"), [(30, 1), (60, 60)], ids=["an office behind one address", "an audience"]
)
async def test_right_passwords_at_once_all_open(
    crowded: Installation, sample: str, people: int, addresses: int
) -> None:
    link = await share(crowded, sample, password=PASSWORD)

    async def come(number: int) -> int:
        async with link.stranger() as visitor:
            return await _try(link, visitor, PASSWORD, f"192.0.2.{number % addresses}")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(come(number)) for number in range(people)]
    assert [task.result() for task in tasks] == [303] * people
    assert await _locked(link) is None
    assert await _told(link, "locked") == 0


async def test_wrong_passwords_at_once_are_tried_so_often_and_no_oftener(crowded: Installation, sample: str) -> None:
    link = await share(crowded, sample, password=PASSWORD)

    async def guess(number: int) -> int:
        async with link.stranger() as visitor:
            return await _try(link, visitor, f"wrong {number}", "198.51.100.1")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(guess(number)) for number in range(40)]
    assert sorted(task.result() for task in tasks) == [401] * 10 + [429] * 30
    assert await _told(link, "locked") == 1


async def test_many_addresses_that_guess_shut_out_none_but_themselves(guarded: Installation, sample: str) -> None:
    link = await share(guarded, sample, password=PASSWORD)
    async with link.stranger() as visitor:
        # Three each are their own, and seven an hour are what they share; but no address has more than three an hour.
        statuses = [await _try(link, visitor, "wrong", f"192.0.{number}.1") for number in range(10) for _ in range(3)]
        assert statuses == [401] * 30
        assert await _try(link, visitor, PASSWORD, "192.0.1.1") == 429
        assert await _try(link, visitor, PASSWORD, "198.51.100.9") == 303


async def test_what_guessers_share_is_used_up_until_the_owner_unlocks(generous: Installation, sample: str) -> None:
    link = await share(generous, sample, password=PASSWORD)
    async with link.stranger() as before, link.stranger() as visitor:
        assert await _try(link, before, PASSWORD, "192.0.2.7") == 303
        statuses = [await _try(link, visitor, "wrong", f"192.0.{number}.1") for number in range(2) for _ in range(5)]
        assert statuses == [401] * 3 + [401, 401] + [401] * 3 + [429, 429]
        assert await _locked(link) is not None
        assert await _try(link, visitor, PASSWORD, "192.0.1.1") == 429
        # Neither who has not failed is shut out, nor who was in before: their browser brings a pass, an old one even.
        assert await _try(link, visitor, PASSWORD, "198.51.100.9") == 303
        path = f"/api/environments/{link.environment['id']}/share/{link.id}"
        assert (await generous.client.patch(path, json={"password": "another horse"})).status_code == 200
        assert (await before.get("/headers", X_Forwarded_For="192.0.1.1")).status_code == 401
        assert await _try(link, before, "another horse", "192.0.1.1") == 303
        visitor.cookies.clear()
        assert await _try(link, visitor, "another horse", "192.0.1.1") == 429
        assert (await generous.client.delete(f"{path}/password-tries")).status_code == 204
        assert await _locked(link) is None
        assert await _try(link, visitor, "another horse", "192.0.1.1") == 303


async def test_what_nobody_waits_for_any_more_is_not_tried(generous: Installation, sample: str) -> None:
    link = await share(generous, sample, password=PASSWORD)

    async def post(password: str, address: str) -> asyncio.StreamWriter:
        """Send a password, and wait for no answer."""
        _, writer = await asyncio.open_connection("127.0.0.1", generous.public_port)
        body = f'{{"password": "{password}"}}'
        writer.write(
            f"POST {link.path}/login HTTP/1.1\r\nHost: {link.host}\r\nX-Forwarded-For: {address}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        await writer.drain()
        return writer

    async def heard() -> None:
        """What was sent before has been read, and is where it waits."""
        for _ in range(20):
            assert (await generous.client.get("/api/environments")).status_code == 200

    async with link.stranger() as visitor:
        assert await _try(link, visitor, PASSWORD, "192.0.2.1") == 303
        # Whoever wants to write waits for this, so that two tries take both turns at the hasher and go no further.
        with closing(sqlite3.connect(Path(generous.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db")) as database:
            database.execute("BEGIN IMMEDIATE")
            first = [await post("wrong", f"192.0.2.{number}") for number in (2, 3)]
            await heard()
            gone = [await post("wrong", f"192.0.2.{number}") for number in range(4, 14)]
            await heard()
            for writer in gone:
                # With a reset; who only ends their side may wait for the answer still (decision 8).
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.close()
            await heard()
            database.rollback()
        assert await _try(link, visitor, PASSWORD, "192.0.2.20") == 303
        assert await _try(link, visitor, "the last", "203.0.113.1") == 401
        for writer in first:
            writer.close()

    async def refusals() -> list[str]:
        path = f"/api/environments/{link.environment['id']}/share/{link.id}/refusals"
        return [each["address"] for each in (await generous.client.get(path)).json()["refusals"]]

    async def known() -> bool:
        return "203.0.113.0/24" in await refusals()

    await until(known)
    assert sorted(await refusals()) == ["192.0.2.0/24"] * 2 + ["203.0.113.0/24"]
