"""How a browser gets from PUBLIC_URL's host, where links are opened, to the host on which one link has its content."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.installation import Installation, installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import NAVIGATION, Visitor, visiting
from tests.links.waiting import until

from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def at(link: Share) -> AsyncIterator[Visitor]:
    """A browser on the link's own host that has not opened it."""
    async with visiting(link.server, link.host) as visitor:
        yield visitor


async def entry(link: Share, query: str = "", cookies: str = "") -> str:
    """Where a browser is sent that opens the link: path and query on the link's own host."""
    location = (await opened(link, query, cookies)).headers["location"]
    parts = urlsplit(location)
    assert f"{parts.scheme}://{parts.netloc}" == link.origin
    return location.removeprefix(link.origin)


async def opened(link: Share, query: str = "", cookies: str = "") -> httpx2.Response:
    """The answer to a browser at the share URL."""
    fields = {**NAVIGATION, "Host": link.opens_at, **({"Cookie": cookies} if cookies else {})}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{link.server.public_port}", trust_env=False) as client:
        return await client.get(link.path + query, headers=fields)


def signer_of(server: Installation) -> PassSigner:
    """What signs there."""
    key = (Path(server.environ["GUESTPASS_DATA_DIR"]) / "secret_key").read_text().strip()
    return PassSigner(Keys.from_secret(key), SystemEntropy())


async def test_a_ticket_leads_in_and_is_gone(own_origins: Installation, upstream: PlayedUpstream) -> None:
    link = await share(own_origins, upstream.url)
    answer = await opened(link, "?a=b&c=%20")
    assert answer.status_code == 303
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert link.token not in answer.headers["location"]
    way = answer.headers["location"].removeprefix(link.origin)
    assert way.startswith("/share/enter?ticket=e.")
    assert way.endswith("&a=b&c=%20")
    async with at(link) as visitor:
        answer = await visitor.navigate(way)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?a=b&c=%20")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
        assert upstream.asked == []
        await visitor.navigate("/", Referer=f"{link.origin}{way}")
        [asked] = upstream.asked
        ticket = way.partition("=")[2].partition("&")[0]
        assert ticket not in f"{asked.target} {asked.fields}"


async def test_a_ticket_works_once(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    way = await entry(link)
    async with at(link) as visitor, at(link) as thief:
        assert (await visitor.navigate(way)).status_code == 303
        page = await thief.navigate(way)
        assert (page.status_code, thief.cookies) == (410, {})
        assert "Open your link again" in page.text
        problem = await thief.get(way)
        assert (problem.status_code, problem.json()["code"]) == (410, "ticket_spent")
        ticket = way.partition("=")[2]
        for part in (ticket, *ticket.split(".")[-2:]):
            assert part not in f"{page.text} {problem.text} {own_origins.log}"
        # Who goes back to it in the browser that it let in is still in, by the same pass.
        kept = dict(visitor.cookies)
        again = await visitor.navigate(way)
        assert (again.status_code, again.headers["location"], visitor.cookies) == (303, "/", kept)
        assert "clear-site-data" not in again.headers
        assert (await visitor.navigate("/")).status_code == 200


async def test_a_ticket_of_who_is_in_is_spent_all_the_same(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    async with link.visitor() as visitor, at(link) as thief:
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.remembered.items())
        way = await entry(link, cookies=cookies)
        assert (await visitor.navigate(way)).status_code == 303
        assert (await thief.navigate(way)).status_code == 410


async def test_of_many_who_come_with_one_ticket_at_once_one_is_let_in(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    way = await entry(link)
    statuses = []

    async def follow() -> None:
        async with at(link) as visitor:
            statuses.append((await visitor.navigate(way)).status_code)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(follow())
    assert sorted(statuses) == [303, *[410] * 7]


async def test_what_tickets_cost_is_the_addresss_own(sample: str) -> None:
    """Each is a write to the database, so whoever sends one again and again is stopped like others who keep it busy."""
    async with installation(link_domain="localhost", requests_per_address="1000/hour") as server:
        link = await share(server, sample)
        way = await entry(link)
        async with at(link) as visitor:
            statuses = [(await visitor.get(way)).status_code for _ in range(105)]
    let_in = statuses.index(429)
    assert 90 < let_in < 105, "where a thousand plain requests are let in"
    assert set(statuses[let_in:]) == {429}


async def test_links_open_although_nothing_can_be_written(own_origins: Installation, sample: str) -> None:
    """Another program holds the file: who opens a link is let in, and a ticket still works once."""
    link = await share(own_origins, sample)
    database = sqlite3.connect(f"{own_origins.environ['GUESTPASS_DATA_DIR']}/guestpass.db", isolation_level=None)
    async with link.visitor(), link.stranger() as visitor, at(link) as thief:
        database.execute("BEGIN IMMEDIATE")
        try:
            way = await entry(link)
            assert (await visitor.navigate(way)).status_code == 303
            assert (await visitor.navigate("/headers")).status_code == 200
            assert (await thief.navigate(way)).status_code == 410
        finally:
            database.execute("ROLLBACK")
            database.close()
        assert (await thief.navigate(way)).status_code == 410
        assert (await thief.navigate(await entry(link))).status_code == 303


async def test_a_ticket_is_for_one_host_and_one_version(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    other = await link.sibling()
    way = await entry(link)
    for host in (other.host, f"{link.id}-2.localhost:{own_origins.public_port}"):
        async with visiting(own_origins, host) as visitor:
            assert (await visitor.navigate(way)).status_code == 410
            assert visitor.cookies == {}
    async with visiting(own_origins, link.opens_at) as visitor:
        assert (await visitor.send("GET", way, NAVIGATION)).status_code == 404
    rotated = await link.rotate()
    for each in (link, rotated):
        async with at(each) as visitor:
            assert (await visitor.navigate(way)).status_code == 410
            assert visitor.cookies == {}


async def test_a_ticket_is_over_in_a_minute(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    signer, now = signer_of(own_origins), int(time.time())
    visitor_pass = signer.issue(link.id, 1, now)
    for issued_at, status in ((now - 30, 303), (now - 61, 410), (now + 600, 410)):
        async with at(link) as visitor:
            answer = await visitor.navigate(f"/share/enter?ticket={signer.write_entry(visitor_pass, issued_at)}")
            assert answer.status_code == status, issued_at - now


@pytest.mark.parametrize("changed", ["cut", "junk", "none", "a pass", "a preview"])
async def test_what_is_no_ticket_leads_nowhere(own_origins: Installation, sample: str, changed: str) -> None:
    link = await share(own_origins, sample)
    way = await entry(link)
    async with link.visitor() as visitor, at(link) as stranger:
        text = visitor.cookies["guestpass"]
        path = {
            "cut": way[:-1],
            "junk": "/share/enter?ticket=junk&a=b",
            "none": "/share/enter",
            "a pass": f"/share/enter?ticket={text}",
            "a preview": f"/share/enter?preview={way.partition('=')[2]}",
        }[changed]
        answer = await stranger.navigate(path)
        assert (answer.status_code, stranger.cookies) == (410, {})
        # Nor is a ticket a pass.
        stranger.cookies["guestpass"] = way.partition("=")[2]
        assert (await stranger.navigate("/")).status_code == 401


async def test_the_same_url_opens_again_for_the_same_visitor_without_the_password(
    own_origins: Installation, sample: str
) -> None:
    link = await share(own_origins, sample, password=PASSWORD, maxVisitors=1)
    async with link.stranger() as visitor:
        form = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": link.opens_origin}
        typed = await visitor.send("POST", f"{link.path}/login", form, data={"password": PASSWORD})
        assert (typed.status_code, typed.headers["location"]) == (303, link.path)
        name = f"guestpass-{link.id}"
        assert set(visitor.remembered) == {name}
        assert visitor.set_cookies[name] == {
            "max-age": str(400 * 86400), "path": "/", "httponly": "", "samesite": "Lax",
        }  # fmt: skip
        assert (await visitor.navigate(link.path)).status_code == 303
        kept = visitor.cookies["guestpass"]
        # Also where the link's own host has forgotten it, and although there is one place alone.
        visitor.cookies.clear()
        assert (await visitor.navigate(link.path)).status_code == 303
        assert visitor.cookies["guestpass"] == kept
        assert (await visitor.navigate("/headers")).status_code == 200

        async def is_counted() -> bool:
            return int((await link.listed())["visits"]) == 2

        await until(is_counted)
        assert (await link.listed())["visitors"] == 1


async def test_a_button_leads_in_too(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample, maxVisitors=1)
    async with link.stranger() as visitor, link.stranger() as late:
        form = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": link.opens_origin}
        assert (await visitor.navigate(link.path)).status_code == 200
        assert (await visitor.send("POST", link.path, form)).status_code == 303
        assert (await visitor.navigate("/headers")).status_code == 200
        assert (await late.send("POST", link.path, form)).status_code == 403
        visitor.cookies.clear()
        assert (await visitor.navigate(link.path)).status_code == 303
        assert (await visitor.navigate("/headers")).status_code == 200


async def test_what_is_remembered_is_worth_what_the_link_is(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample, password=PASSWORD)
    async with link.visitor() as visitor:
        remembered = dict(visitor.remembered)
        rotated = await link.rotate()
        assert (await visitor.navigate("/headers")).status_code == 401
        page = await visitor.navigate(rotated.path)
        assert (page.status_code, visitor.remembered) == (401, remembered)
        assert 'name="password"' in page.text
    async with rotated.visitor() as visitor:
        await rotated.deactivate()
        assert (await visitor.navigate(rotated.path)).status_code == 410


async def test_each_link_is_remembered_for_itself(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    other = await link.sibling(password=PASSWORD)
    async with link.visitor() as visitor:
        field = "; ".join(f"{name}={value}" for name, value in visitor.remembered.items())
        assert (await opened(other, cookies=field)).status_code == 401
        renamed = field.replace(link.id, other.id, 1)
        assert (await opened(other, cookies=f"{field}; {renamed}")).status_code == 401


async def test_a_browser_that_keeps_no_cookies_hears_what_is_the_matter(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    async with at(link) as visitor:
        assert (await visitor.navigate(await entry(link))).status_code == 303
        visitor.cookies.clear()
        page = await visitor.navigate("/")
        assert page.status_code == 401
        assert "allow cookies" in page.text


async def test_an_owners_preview_leads_on_too_and_nothing_is_remembered(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample, password=PASSWORD, startPath="/headers")
    signer = signer_of(own_origins)
    preview = signer.issue_preview(link.id, 1, int(time.time()))
    path = f"{link.path}?preview={signer.write_ticket(preview)}"
    async with link.stranger() as owner, link.stranger() as other, link.visitor() as visitor:
        answer = await owner.navigate(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/headers")
        assert owner.set_cookies["guestpass"]["max-age"] == "900"
        assert signer.read(owner.cookies["guestpass"]) == preview
        assert owner.remembered == {}
        assert (await owner.navigate("/headers")).status_code == 200
        again = await other.navigate(path)
        assert (again.status_code, again.headers["location"]) == (303, link.path)
        # In a browser that has the link open, it is the preview that is seen.
        assert (await visitor.navigate(link.path)).status_code == 303
        looks = signer.issue_preview(link.id, 1, int(time.time()))
        assert (await visitor.navigate(f"{link.path}?preview={signer.write_ticket(looks)}")).status_code == 303
        assert signer.read(visitor.cookies["guestpass"]) == looks


async def test_https_keeps_it_to_this_very_host(https_own_origins: Installation, sample: str) -> None:
    link = await share(https_own_origins, sample)
    answer = await opened(link)
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"__Host-Http-guestpass-{link.id}=1.{link.id}.")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert answer.headers["location"].startswith(f"https://{link.id}.links.example.net/share/enter?ticket=")


async def test_a_browser_remembers_twenty_links(own_origins: Installation, sample: str) -> None:
    link = await share(own_origins, sample)
    passes = []
    for _ in range(20):
        other = await link.sibling()
        async with other.visitor() as visitor:
            passes += [f"{name}={value}" for name, value in visitor.remembered.items()]
    answer = await opened(link, cookies="; ".join(passes))
    new, gone = answer.headers.get_list("set-cookie")
    assert new.startswith(f"guestpass-{link.id}=")
    assert gone.partition("=")[0] in {each.partition("=")[0] for each in passes}
    assert "Max-Age=0" in gone
