"""What a page behind one link can do to another link that the same browser has open: nothing.

Links with an origin each are one site to a browser (``a.links.localhost`` and ``b.links.localhost``), so that SameSite
does not keep them apart. The pages here do all that a script can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from tests.installation import Installation, installation
from tests.links.played_upstream import PlayedUpstream, played_upstream
from tests.links.waiting import until

from guestpass.app.public_urls import PublicUrls

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATIENCE = 60_000
PAGE = ["Content-Type: text/html; charset=utf-8"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation(link_domain="links.localhost") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def victim() -> AsyncIterator[PlayedUpstream]:
    """An application with a login that scripts can't read."""
    async with played_upstream() as playing:
        playing.fields = [*PAGE, "Set-Cookie: session=genuine; HttpOnly; Path=/", "Set-Cookie: tz=Madrid; Path=/"]
        playing.body = b"<title>Victim</title><p>the victim's secret</p>"
        yield playing


@pytest_asyncio.fixture(loop_scope="session")
async def attacker() -> AsyncIterator[PlayedUpstream]:
    """An application whose owner means ill."""
    async with played_upstream() as playing:
        playing.fields = PAGE
        playing.body = b"<title>Attacker</title>"
        yield playing


class Neighbours:
    """Two links that one browser has opened, and a page of each."""

    def __init__(
        self, server: Installation, context: BrowserContext, links: list[dict[str, Any]], pages: list[Page]
    ) -> None:
        self.server = server
        self.context = context
        self.link, self.other_link = links
        self.page, self.other_page = pages

    @property
    def origin(self) -> str:
        """The victim's."""
        return self.origin_of(self.link)

    def origin_of(self, link: dict[str, Any], version: int = 1) -> str:
        """Where a link's content is."""
        return PublicUrls(self.server.public_url, "links.localhost").link_origin(link["id"], version)

    async def visitors(self) -> int:
        """How many the victim's link has had, when all that has happened so far is counted."""
        # What is counted is written in the order in which it came, so whoever comes last tells.
        last = await self.server.create_link(self.link["environmentId"])
        async with httpx2.AsyncClient(base_url=self.server.public_url) as web:
            opened = await web.get(urlsplit(last["url"]).path)
        assert opened.status_code == 200

        async def is_counted() -> bool:
            return await self._visitors_of(last) == 1

        await until(is_counted)
        return await self._visitors_of(self.link)

    async def _visitors_of(self, link: dict[str, Any]) -> int:
        at = f"/api/environments/{link['environmentId']}/share/{link['id']}/visitors"
        return int((await self.server.client.get(at)).json()["total"])


@pytest_asyncio.fixture(loop_scope="session")
async def neighbours(
    server: Installation, browser: Browser, victim: PlayedUpstream, attacker: PlayedUpstream
) -> AsyncIterator[Neighbours]:
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE)
    links, pages = [], []
    for upstream in (victim, attacker):
        environment = await server.add_environment(name="Neighbour", url=upstream.url, kind="web")
        links.append(await server.create_link(environment["id"]))
        page = await context.new_page()
        await page.goto(links[-1]["url"])
        pages.append(page)
    yield Neighbours(server, context, links, pages)
    await context.close()


async def test_cookies_that_a_neighbour_plants_change_nothing(neighbours: Neighbours, victim: PlayedUpstream) -> None:
    assert await neighbours.page.title() == "Victim"
    assert await neighbours.other_page.title() == "Attacker"
    own_pass = next(
        each["value"]
        for each in await neighbours.context.cookies(neighbours.origin_of(neighbours.other_link))
        if each["name"] == "guestpass"
    )
    # The name that we give a login holds a tag, which is as secret as the login; the attacker has one of its own.
    tagged = f"guestpass.{'A' * 22}.session"
    planted = [
        # The attacker's own pass, so that the victim would be sent into the attacker's environment.
        f"guestpass={own_pass}; domain=links.localhost; path=/",
        f"guestpass={own_pass}; domain=links.localhost; path=/deeper",
        "guestpass=junk; domain=links.localhost; path=/deeper/down",
        "__Host-guestpass=junk; domain=links.localhost; path=/",
        # The attacker's login, under the application's own name for it and under one like ours.
        "session=planted; domain=links.localhost; path=/",
        "session=planted; domain=links.localhost; path=/deeper",
        f"{tagged}=planted; domain=links.localhost; path=/deeper",
    ]
    await neighbours.other_page.evaluate("all => all.forEach(each => { document.cookie = each })", planted)
    kept = await neighbours.context.cookies(f"{neighbours.origin}/deeper/down/page")
    assert "planted" in {each["value"] for each in kept}, "the browser kept nothing of it"
    await neighbours.page.goto(f"{neighbours.origin}/deeper/down/page")
    assert await neighbours.page.title() == "Victim"
    asked = next(each for each in victim.asked if each.target == "/deeper/down/page")
    assert [each for each in asked.cookies if each.startswith("session=")] == ["session=genuine"]
    assert "planted" not in " ".join(each for each in asked.cookies if "tz" not in each)
    assert not [each for each in asked.cookies if "guestpass" in each]
    # It is still the same visitor, in the same visit.
    assert await neighbours.visitors() == 1


async def test_a_neighbour_can_not_act_with_the_visitors_pass(neighbours: Neighbours, victim: PlayedUpstream) -> None:
    before = len(victim.asked)
    answers = await neighbours.other_page.evaluate(
        """async origin => {
            const tried = {};
            for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
                tried[method] = await fetch(`${origin}/act`, {method, credentials: "include", body: "x"})
                    .then(() => "answered", () => "refused");
            }
            tried.simple = await fetch(`${origin}/act`, {
                method: "POST", mode: "no-cors", credentials: "include", body: "x",
            }).then(() => "sent", () => "refused");
            tried.beacon = navigator.sendBeacon(`${origin}/act`, "x") ? "sent" : "refused";
            tried.socket = await new Promise(resolve => {
                const socket = new WebSocket(`${origin.replace("http", "ws")}/socket`);
                socket.onopen = () => resolve("open");
                socket.onerror = () => resolve("refused");
            });
            tried.read = await fetch(`${origin}/page`, {credentials: "include"})
                .then(answer => answer.text(), () => "refused");
            return tried;
        }""",
        neighbours.origin,
    )
    assert answers["socket"] == "refused"
    assert answers["read"] == "refused"
    assert {answers[method] for method in ("PUT", "DELETE", "PATCH", "POST")} == {"refused"}
    async with neighbours.context.expect_page() as opened:
        await neighbours.other_page.evaluate(
            """origin => {
                const form = document.body.appendChild(document.createElement("form"));
                Object.assign(form, {method: "post", action: `${origin}/act`, target: "_blank"});
                form.submit();
            }""",
            neighbours.origin,
        )
    page = await opened.value
    await page.wait_for_load_state()
    assert "secret" not in await page.content()
    asked = victim.asked[before:]
    assert [each.method for each in asked if each.method not in ("GET", "HEAD", "OPTIONS")] == []
    assert [each for each in asked if each.all("upgrade")] == []


async def test_a_neighbours_worker_and_caches_are_its_own(
    neighbours: Neighbours, victim: PlayedUpstream, attacker: PlayedUpstream
) -> None:
    attacker.fields = ["Content-Type: text/javascript", "Service-Worker-Allowed: /"]
    attacker.body = b"""
        self.addEventListener("install", () => self.skipWaiting());
        self.addEventListener("activate", event => event.waitUntil(clients.claim()));
        self.addEventListener("fetch", event => event.respondWith(new Response("stolen")));
    """
    found = await neighbours.other_page.evaluate(
        """async origin => {
            const foreign = await navigator.serviceWorker.register(`${origin}/worker.js`).then(() => "yes", () => "no");
            const scope = await navigator.serviceWorker.register("/worker.js", {scope: `${origin}/`})
                .then(() => "yes", () => "no");
            const own = await navigator.serviceWorker.register("/worker.js", {scope: "/"})
                .then(() => "yes", () => "no");
            await navigator.serviceWorker.ready;
            const cache = await caches.open("poison");
            await cache.put(`${origin}/page`, new Response("stolen"));
            localStorage.setItem("planted", "yes");
            return {foreign, scope, own};
        }""",
        neighbours.origin,
    )
    assert found == {"foreign": "no", "scope": "no", "own": "yes"}
    page = await neighbours.context.new_page()
    await page.goto(f"{neighbours.origin}/page")
    assert await page.title() == "Victim"
    seen = await page.evaluate(
        """async () => ({
            controlled: navigator.serviceWorker.controller !== null,
            caches: await caches.keys(),
            storage: localStorage.length,
        })"""
    )
    assert seen == {"controlled": False, "caches": [], "storage": 0}
    assert "/page" in [each.target for each in victim.asked]


WORKER = b"""
    const seen = [];
    self.addEventListener("install", () => self.skipWaiting());
    self.addEventListener("activate", event => event.waitUntil(clients.claim()));
    self.addEventListener("message", event => event.source.postMessage(seen));
    self.addEventListener("fetch", event => {
        const request = event.request.clone();
        event.respondWith(fetch(event.request));
        event.waitUntil(request.text().then(body => seen.push(`${request.method} ${request.url} ${body}`)));
    });
"""
SEEN = """() => new Promise(resolve => {
    navigator.serviceWorker.onmessage = event => resolve(event.data);
    navigator.serviceWorker.startMessages();
    navigator.serviceWorker.controller.postMessage("what have you seen?");
})"""


@pytest.mark.parametrize("asks_for", ["nothing", "a password"])
async def test_a_worker_of_one_version_sees_nothing_of_the_next(
    neighbours: Neighbours, attacker: PlayedUpstream, asks_for: str
) -> None:
    """The owner notices that an environment means ill, or gave its link to too many, and makes a new URL."""
    link, page, server = neighbours.other_link, neighbours.other_page, neighbours.server
    attacker.fields, attacker.body = ["Content-Type: text/javascript", "Service-Worker-Allowed: /"], WORKER
    await page.evaluate(
        """async () => {
            await navigator.serviceWorker.register("/worker.js", {scope: "/"});
            await navigator.serviceWorker.ready;
            if (!navigator.serviceWorker.controller) {
                await new Promise(resolve => { navigator.serviceWorker.oncontrollerchange = resolve; });
            }
            localStorage.setItem("planted", "yes");
            await caches.open("planted");
        }"""
    )
    attacker.fields, attacker.body = PAGE, b"<title>Attacker</title>"
    old = neighbours.origin_of(link)
    spy = await neighbours.context.new_page()
    await spy.goto(f"{old}/spy")
    # What it is for: it sees each navigation to its host, with what is sent.
    assert f"GET {old}/spy " in await spy.evaluate(SEEN)
    at = f"/api/environments/{link['environmentId']}/share/{link['id']}"
    if asks_for == "a password":
        assert (await server.client.patch(at, json={"password": "next horse"})).status_code == 200
    rotated = (await server.client.post(f"{at}/rotate")).json()
    token = urlsplit(rotated["url"]).path.rpartition("/")[2]
    new = neighbours.origin_of(link, 3 if asks_for == "a password" else 2)
    await page.goto(rotated["url"])
    if asks_for == "a password":
        await page.fill("input[type=password]", "next horse")
        await page.click("button")
    await page.wait_for_url(f"{new}/")
    assert await page.title() == "Attacker"
    found = await page.evaluate(
        """async () => ({
            controlled: navigator.serviceWorker.controller !== null,
            workers: (await navigator.serviceWorker.getRegistrations()).length,
            caches: await caches.keys(),
            storage: localStorage.length,
        })"""
    )
    assert found == {"controlled": False, "workers": 0, "caches": [], "storage": 0}
    # Not even a share URL that still leads to the former host tells the worker more than that it was opened there.
    seen = " ".join(await spy.evaluate(SEEN))
    assert token not in seen
    assert "horse" not in seen
    assert "ticket" not in seen
    gone = await page.goto(f"{old}/page")
    assert gone is not None
    assert gone.status == 401, "the former host serves nobody"
    # Who follows the mail again is in again, without typing.
    await page.goto(rotated["url"])
    await page.wait_for_url(f"{new}/")
