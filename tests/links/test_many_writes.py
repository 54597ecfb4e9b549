"""Owners who change much: others get their turn, visitors theirs before them, and the rest is refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.installation import Installation, installation
from tests.links.share import PASSWORD, share
from tests.links.visitor import visiting
from tests.links.waiting import until

from guestpass.app.owner_writes import AT_ONCE, WAITING

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRETS = {
    "jwt_secret": "a secret of the tests, long enough for HS256",
    "secret_key": "another secret of the tests, as long as that one",
}


@pytest_asyncio.fixture(loop_scope="session", params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    settings: dict[str, Any] = {**SECRETS, "owner_writes": "1000000/minute"}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_url")
    async with installation(**settings) as running:
        yield running


async def _owner_of(server: Installation, org: str) -> httpx2.AsyncClient:
    bearer = (await server.command("token", "--sub", "script", "--org", org)).strip()
    return httpx2.AsyncClient(
        base_url=server.admin_url,
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=60,
        limits=httpx2.Limits(max_connections=200),
    )


@pytest.mark.parametrize("fields", [{}, {"password": PASSWORD}], ids=["token", "password"])
async def test_a_login_waits_for_few_of_another_organisations_changes(
    server: Installation, sample: str, fields: dict[str, str]
) -> None:
    """Counted in changes that are made meanwhile, not in seconds."""
    link = await share(server, sample, password=PASSWORD)
    made: Counter[int] = Counter()
    async with await _owner_of(server, "acme") as acme:
        answer = await acme.post("/api/environments", json={"id": "theirs", "name": "Theirs", "url": sample})
        assert answer.status_code in {201, 409}, answer.text

        async def change_on_and_on() -> None:
            while True:
                made[(await acme.post("/api/environments/theirs/share", json=fields)).status_code] += 1

        async with asyncio.TaskGroup() as tasks:
            busy = [tasks.create_task(change_on_and_on()) for _ in range(100)]
            try:
                waited = []
                # From the first fifty on, all hundred wait, and each that is answered is followed by another.
                for changes in (50, 10, 10, 10, 10):

                    async def is_busy(until: int = made[201] + changes) -> bool:
                        return made[201] >= until

                    await until(is_busy, 60)
                    async with visiting(server, link.host) as visitor:
                        before = made[201]
                        answer = await visitor.send("POST", f"{link.path}/login", json={"password": PASSWORD})
                        waited.append(made[201] - before)
                        assert answer.status_code == 303
            finally:
                for task in busy:
                    task.cancel()
    # Each of them waited already: none is refused.
    assert set(made) == {201}
    assert sorted(waited)[2] <= 40


async def test_what_is_too_much_at_a_time_is_refused_and_others_change_on(server: Installation, sample: str) -> None:
    async with await _owner_of(server, "globex") as globex, await _owner_of(server, "initech") as initech:
        for owner in (globex, initech):
            answer = await owner.post("/api/environments", json={"id": "theirs", "name": "Theirs", "url": sample})
            assert answer.status_code in {201, 409}, answer.text
        answers = await asyncio.gather(
            *(globex.post("/api/environments/theirs/share", json={"password": PASSWORD}) for _ in range(199)),
            initech.post("/api/environments/theirs/share", json={"password": PASSWORD}),
        )
    *theirs, other = answers
    statuses = Counter(answer.status_code for answer in theirs)
    assert other.status_code == 201
    assert set(statuses) == {201, 429}
    assert statuses[201] >= AT_ONCE + WAITING
    refused = next(answer for answer in theirs if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == "too_many_changes"
    assert "Send fewer at the same time" in refused.json()["detail"]
