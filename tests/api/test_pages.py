"""Lists a page at a time: each thing once, in the order of the whole list, and the total on every page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.api.face import Face

ENVIRONMENTS = "/api/environments"
SHARES = "/api/environments/staging/share"


async def _pages(owner: httpx2.AsyncClient, path: str, items: str, **query: Any) -> list[list[str]]:
    """The ids on each page, followed to the end."""
    pages, cursor = [], None
    while True:
        answer = await owner.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        pages.append([each["id"] for each in answer.json()[items]])
        assert answer.json()["total"] == (await owner.get(path)).json()["total"]
        if (cursor := answer.json()["nextCursor"]) is None:
            return pages


async def test_environments_come_by_name_a_page_at_a_time(owner: httpx2.AsyncClient) -> None:
    for number, name in enumerate(["Wiki", "Shop", "Shop", "Archive", "Staging"]):
        new = {"id": f"e{number}", "name": name, "kind": "web", "url": "http://10.0.0.5"}
        assert (await owner.post(ENVIRONMENTS, json=new)).status_code == 201
    pages = await _pages(owner, ENVIRONMENTS, "environments", limit=2)
    assert pages == [["e3", "e1"], ["e2", "e4"], ["e0"]]
    assert await _pages(owner, ENVIRONMENTS, "environments") == [["e3", "e1", "e2", "e4", "e0"]]


@pytest.mark.usefixtures("environment")
async def test_links_of_an_environment_come_newest_first_a_page_at_a_time(
    owner: httpx2.AsyncClient, face: Face
) -> None:
    ids = []
    for _ in range(5):
        ids.append((await owner.post(SHARES, json={})).json()["id"])
        face.clock.time += timedelta(seconds=1)
    ids.reverse()
    assert await _pages(owner, SHARES, "shareLinks", limit=2) == [ids[:2], ids[2:4], ids[4:]]
    # The contract's answer has no more than these two.
    whole = (await owner.get(SHARES)).json()
    assert set(whole) == {"shareLinks", "total"}
    assert ([link["id"] for link in whole["shareLinks"]], whole["total"]) == (ids, 5)
    assert (await owner.get("/api/environments/other/share", params={"limit": 2})).status_code == 404


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("path", [ENVIRONMENTS, SHARES])
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"cursor": "nonsense"}, {"page": 2}])
async def test_what_is_no_page_is_refused_by_name(owner: httpx2.AsyncClient, path: str, query: dict[str, Any]) -> None:
    answer = await owner.get(path, params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(query)
