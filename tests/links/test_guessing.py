"""Guessing a link's password: what it gets whoever tries, and whom it leaves alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.installation import Installation, installation
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import NAVIGATION, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded() -> AsyncIterator[Installation]:
    """A server behind a proxy, so that visitors have addresses, with few tries."""
    async with installation(
        trusted_proxies="127.0.0.1/32", password_tries="3/hour", password_tries_per_link="7/hour"
    ) as running:
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
    history = (await guarded.client.get(f"/api/environments/{link.environment['id']}/share/{link.id}/history")).json()[
        "events"
    ]
    assert [each["kind"] for each in history].count("locked") == 1


async def test_right_passwords_use_up_nothing(guarded: Installation, sample: str) -> None:
    link = await share(guarded, sample, password=PASSWORD)
    for _ in range(9):
        async with link.stranger() as visitor:
            assert await _try(link, visitor, PASSWORD, "192.0.2.7") == 303


async def test_many_addresses_together_are_shut_out_until_the_owner_unlocks(guarded: Installation, sample: str) -> None:
    link = await share(guarded, sample, password=PASSWORD)
    async with link.stranger() as visitor:
        statuses = [await _try(link, visitor, "wrong", f"192.0.2.{number}") for number in range(8)]
        assert statuses == [401] * 7 + [429]
        assert await _locked(link) is not None
        assert await _try(link, visitor, PASSWORD, "198.51.100.9") == 429
        path = f"/api/environments/{link.environment['id']}/share/{link.id}/password-tries"
        assert (await guarded.client.delete(path)).status_code == 204
        assert await _locked(link) is None
        assert await _try(link, visitor, PASSWORD, "198.51.100.9") == 303
