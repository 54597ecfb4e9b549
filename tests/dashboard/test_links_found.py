"""The links of all environments: found, filtered, sorted, and paused many at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.dashboard.owner import Owner, signed_in, words
from tests.dashboard.sharing import row_of
from tests.installation import Installation
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Organisation:
    """Its owner, and a client of the API that makes what the tests need."""

    def __init__(self, eva: Owner, api: httpx2.AsyncClient) -> None:
        self.eva = eva
        self._api = api

    async def add(self, id: str, name: str, url: str) -> None:
        body = {"id": id, "name": name, "url": url, "kind": "web"}
        assert (await self._api.post("/api/environments", json=body)).status_code == 201

    async def share(self, id: str, **fields: Any) -> dict[str, Any]:
        answer = await self._api.post(f"/api/environments/{id}/share", json=fields)
        assert answer.status_code == 201, answer.text
        link: dict[str, Any] = answer.json()
        return link

    async def status(self, link: dict[str, Any]) -> str:
        answer = await self._api.get(f"/api/environments/{link['environmentId']}/share/{link['id']}")
        return str(answer.json()["status"])

    async def pause(self, link: dict[str, Any]) -> None:
        path = f"/api/environments/{link['environmentId']}/share/{link['id']}"
        assert (await self._api.delete(path)).status_code == 200

    async def found(self, query: str) -> list[str]:
        """The labels that a page lists, in order."""
        page = await self.eva.get(f"/links?{query}")
        assert page.status_code == 200, words(page)
        return re.findall(r'class="title" href="[^"]+">([^<]+)</a>', page.text)


@pytest_asyncio.fixture(loop_scope="session")
async def organisation(server: Installation, request: pytest.FixtureRequest) -> AsyncIterator[Organisation]:
    """One that is empty, since lists show everything that an organisation has."""
    org = re.sub(r"[^a-z]+", "-", request.node.name.lower())[:60].strip("-")
    async with signed_in(server, "--sub", "eva", "--org", org) as eva:
        bearer = (await server.command("token", "--sub", "eva", "--org", org)).strip()
        headers = {"Authorization": f"Bearer {bearer}"}
        async with httpx2.AsyncClient(base_url=server.admin_url, headers=headers, timeout=60) as api:
            yield Organisation(eva, api)


async def test_an_empty_list_teaches(organisation: Organisation) -> None:
    page = await organisation.eva.get("/links")
    assert "No links yet" in words(page)
    assert 'href="/environments"' in page.text


async def test_links_are_found_by_what_people_remember(organisation: Organisation, sample: str) -> None:
    await organisation.add("shop", "Winter shop", sample)
    await organisation.add("mill", "Old mill", sample)
    audit = await organisation.share("shop", label="Audit", note="Asked for by Søren", expiresIn="5h")
    review = await organisation.share("mill", label="Review", expiresIn="20d")
    done = await organisation.share("mill", label="Done", expiresIn="2d")
    await organisation.pause(done)
    assert await organisation.found("") == ["Done", "Review", "Audit"]
    for query, labels in (
        ("q=audit", ["Audit"]),
        ("q=SØREN", ["Audit"]),
        ("q=old+mill", ["Done", "Review"]),
        (f"q={review['id']}", ["Review"]),
        ("environment=shop", ["Audit"]),
        ("state=deactivated", ["Done"]),
        ("state=active", ["Review", "Audit"]),
        ("state=expired", []),
        ("soon=24h", ["Audit"]),
        ("soon=30d", ["Review", "Audit"]),
        ("owner=eva", ["Done", "Review", "Audit"]),
        ("owner=nobody", []),
        ("sort=label", ["Audit", "Done", "Review"]),
        ("sort=expires", ["Audit", "Done", "Review"]),
        ("q=&environment=&state=&soon=&owner=&sort=created", ["Done", "Review", "Audit"]),
        ("environment=mill&state=active&sort=label&q=rev", ["Review"]),
    ):
        assert await organisation.found(query) == labels, query
    page = await organisation.eva.get("/links?q=<b>nothing")
    assert "No link matches" in words(page)
    assert "<b>" not in page.text
    assert "Winter shop" in row_of(await organisation.eva.get("/links"), audit)


async def test_a_long_list_is_given_a_page_at_a_time(organisation: Organisation, sample: str) -> None:
    await organisation.add("many", "Many", sample)
    for number in range(101):
        await organisation.share("many", label=f"Link {number:03}")
    seen: list[str] = []
    query = "sort=label&environment=many"
    for length in (50, 50, 1):
        labels = await organisation.found(query)
        assert len(labels) == length
        seen += labels
        page = await organisation.eva.get(f"/links?{query}")
        assert "101 links" in words(page)
        following = re.search(r'href="/links\?([^"]+)" rel="next"', page.text)
        query = following[1].replace("&amp;", "&") if following else ""
    assert query == ""
    assert seen == [f"Link {number:03}" for number in range(101)]
    refused = await organisation.eva.get("/links?cursor=made-up")
    assert refused.status_code == 422


async def test_many_are_paused_at_once_and_it_says_how_many(organisation: Organisation, sample: str) -> None:
    await organisation.add("closing", "Closing", sample)
    links = [await organisation.share("closing", label=f"Link {number}") for number in range(4)]
    chosen = [link["id"] for link in links[:3]]
    await organisation.pause(links[2])
    query = "&".join(f"ids={id}" for id in chosen)
    assert "Pause 3 links" in await organisation.eva.see(f"/links/pause?{query}")
    body = [("csrf", await organisation.eva.form_token()), *(("ids", id) for id in [*chosen, "gone"])]
    answer = await organisation.eva.web.post(
        "/links/pause",
        content="&".join(f"{name}={value}" for name, value in body),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 303, words(answer)
    said = await organisation.eva.see(answer.headers["location"])
    assert "2 links are paused. 1 was paused before. 1 is no longer there." in said
    assert [await organisation.status(link) for link in links] == ["deactivated"] * 3 + ["active"]
    for verb in ("pause", "resume"):
        assert "No link is chosen" in await organisation.eva.see(f"/links/{verb}")
        assert (await organisation.eva.send(f"/links/{verb}")).status_code == 422


async def test_many_that_were_paused_open_again_and_it_says_which_do_not(
    organisation: Organisation, sample: str
) -> None:
    await organisation.add("opening", "Opening", sample)
    links = [await organisation.share("opening", label=f"Link {number}") for number in range(3)]
    over = await organisation.share("opening", label="Over", expiresIn="1s")
    for link in links[:2]:
        await organisation.pause(link)

    async def is_over() -> bool:
        return await organisation.status(over) == "expired"

    await until(is_over)
    page = await organisation.eva.get("/links")
    for link, verb in ((links[0], "Resume"), (links[2], "Pause"), (over, "Open again…")):
        assert f"Copy the URL of {link['label']} {verb} {link['label']}" in row_of(page, link)
    chosen = [link["id"] for link in (*links, over)]
    query = "&".join(f"ids={id}" for id in chosen)
    assert "Resume 4 links" in await organisation.eva.see(f"/links/resume?{query}")
    body = [("csrf", await organisation.eva.form_token()), *(("ids", id) for id in [*chosen, "gone"])]
    answer = await organisation.eva.web.post(
        "/links/resume",
        content="&".join(f"{name}={value}" for name, value in body),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 303, words(answer)
    said = await organisation.eva.see(answer.headers["location"])
    assert "2 links open again. 1 was open before. 1 has expired" in said
    assert "1 is no longer there." in said
    assert [await organisation.status(link) for link in links] == ["active"] * 3


async def test_who_may_only_look_sees_no_buttons_and_changes_nothing(owner: Owner, sample: str) -> None:
    server = owner.server
    await server.add_environment(id="only-seen", name="Only seen", url=sample, kind="web")
    link = await server.create_link("only-seen", label="Seen")
    at = f"/environments/only-seen/links/{link['id']}"
    async with signed_in(server, "--sub", "eva", "--scope", "environments:read", "--scope", "shares:read") as eva:
        for path in ("/environments/only-seen", "/links", at):
            page = await eva.get(path)
            assert "Seen" in words(page)
            assert page.text.count('method="post"') == 1, f"{path} has more forms than the one that signs out"
            for way in ("/share", "/pause", "/resume", "/extend", "/rotate", "/remove", "/password", "/edit/"):
                assert f'{way}"' not in page.text
        for path in ("/environments/only-seen/share", f"{at}/edit/label", "/links/pause?ids=x", "/links/resume?ids=x"):
            assert (await eva.get(path)).status_code == 403
        for path, fields in (
            ("/environments/only-seen/share", {"who": "token", "lifetime": "7d"}),
            (f"{at}/pause", {}),
            (f"{at}/resume", {}),
            (f"{at}/extend", {"lifetime": "7d"}),
            (f"{at}/password", {"who": "token"}),
            (f"{at}/edit/label", {"label": "Changed"}),
            (f"{at}/rotate", {}),
            (f"{at}/remove", {"confirmation": "Seen"}),
            (f"{at}/visitors/abc/end", {}),
            ("/links/pause", {"ids": link["id"]}),
            ("/links/resume", {"ids": link["id"]}),
        ):
            answer = await eva.send(path, **fields)
            assert answer.status_code == 403, path
            assert "shares:write" in words(answer)
    assert await server.links("only-seen") == [link]


async def test_who_may_only_see_links_begins_with_them(owner: Owner, sample: str) -> None:
    server = owner.server
    await server.add_environment(id="half-seen", name="Half seen", url=sample, kind="web")
    link = await server.create_link("half-seen", label="Half")
    async with signed_in(server, "--sub", "eva", "--scope", "shares:read") as eva:
        assert (await eva.get("/")).headers["location"] == "/links"
        assert "Half" in row_of(await eva.get("/links?environment=half-seen"), link)
        assert "Half" in await eva.see(f"/environments/half-seen/links/{link['id']}")
    async with signed_in(server, "--sub", "eva", "--scope", "environments:read") as eva:
        assert "Links are not shown to you" in await eva.see("/environments/half-seen")
        assert (await eva.get("/links")).status_code == 403
