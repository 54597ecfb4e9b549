"""What an owner sees of visits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from tests.installation import Installation, installation
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import FETCH
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def counts(link: Share) -> tuple[int, int]:
    listed = await link.listed()
    return listed["visits"], listed["visitors"]


async def assert_counted(link: Share, visits: int, visitors: int) -> None:
    """The numbers become these, and a later event shows that they stayed."""

    async def are_right() -> bool:
        return await counts(link) == (visits, visitors)

    try:
        await until(are_right)
    except TimeoutError:
        assert await counts(link) == (visits, visitors)


async def told(link: Share) -> None:
    """Return when everything that happened before has been written: visits of another link, begun later, are."""
    witness = await link.sibling()
    async with witness.visitor():
        await assert_counted(witness, 1, 1)


async def test_a_link_that_nobody_opened_has_no_visits(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    listed = await link.listed()
    assert (listed["visits"], listed["visitors"], listed["lastOpenedAt"]) == (0, 0, None)


async def test_opening_in_a_browser_is_one_visit_whatever_follows(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    before = datetime.now(UTC)
    async with link.visitor() as visitor:
        after = datetime.now(UTC)
        for path in ("/", "/page", "/static/style.css", "/headers", "/s-proxy/headers"):
            assert (await visitor.get(path)).status_code == 200
        await told(link)
        await assert_counted(link, 1, 1)
        opened_at = datetime.fromisoformat((await link.listed())["lastOpenedAt"])
        assert before <= opened_at <= after


async def test_another_client_counts_where_it_gets_a_pass(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.stranger() as client:
        assert (await client.get(link.path)).status_code == 200
        await assert_counted(link, 1, 1)
        assert (await client.get(link.path)).status_code == 200
        await assert_counted(link, 2, 1)


async def test_two_visitors_are_two(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitors(2) as [anna, bert]:
        await anna.get("/")
        await bert.get("/")
        await assert_counted(link, 2, 2)
        first = (await link.listed())["lastOpenedAt"]
        await anna.navigate(link.path)
        await assert_counted(link, 3, 2)
        assert (await link.listed())["lastOpenedAt"] > first


async def test_a_password_link_counts_once_and_after_the_password(server: Installation, sample: str) -> None:
    link = await share(server, sample, password=PASSWORD)
    async with link.stranger() as visitor:
        await visitor.navigate(link.path)
        await visitor.send("POST", f"{link.path}/login", json={"password": "wrong wrong"})
        await told(link)
        assert await counts(link) == (0, 0)
        assert (await link.listed())["lastOpenedAt"] is None
        await visitor.send("POST", f"{link.path}/login", json={"password": PASSWORD})
        await visitor.navigate(link.path)
        await visitor.navigate("/")
        await assert_counted(link, 1, 1)
        await told(link)
        assert await counts(link) == (1, 1)


async def test_a_client_that_logs_in_and_goes_straight_on_is_a_visit_too(server: Installation, sample: str) -> None:
    link = await share(server, sample, password=PASSWORD)
    async with link.stranger() as client:
        await client.send("POST", f"{link.path}/login", json={"password": PASSWORD})
        await client.get("/headers")
        await client.get("/headers")
        await assert_counted(link, 1, 1)


async def test_head_never_counts(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    protected = await link.sibling(password=PASSWORD)
    async with link.stranger() as client, protected.stranger() as other:
        await client.send("HEAD", link.path)
        await client.send("HEAD", link.path, {"Sec-Fetch-Mode": "navigate"})
        await other.send("POST", f"{protected.path}/login", json={"password": PASSWORD})
        for path in ("/", "/headers", protected.path):
            assert (await other.send("HEAD", path)).status_code == 200
        await told(link)
        assert await counts(link) == (0, 0)
        assert await counts(protected) == (0, 0)


async def test_refusals_and_what_a_page_embeds_do_not_count(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.stranger() as visitor:
        await visitor.send("GET", link.path, FETCH)
        await visitor.navigate(link.path, Sec_Fetch_Dest="iframe")
        await visitor.get("/")
        await told(link)
        assert await counts(link) == (0, 0)


async def test_visits_before_a_stop_are_not_lost_and_a_restart_counts_nobody_twice(sample: str) -> None:
    async with installation() as server:
        link = await share(server, sample)
        async with link.visitor() as visitor:
            assert await server.stop() == 0
            await server.start()
            assert await counts(link) == (1, 1)
            await visitor.get("/")
            await told(link)
            assert await counts(link) == (1, 1)


async def test_many_at_once(server: Installation, sample: str) -> None:
    link = await share(server, sample)

    async def come() -> None:
        async with link.visitor() as visitor:
            await visitor.get("/headers")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(25):
            tasks.create_task(come())
    await assert_counted(link, 25, 25)


async def test_whoever_keeps_no_cookies_is_counted_each_time_and_takes_so_many_rows(
    server: Installation, sample: str
) -> None:
    """Each opening without the last one's pass is a visitor; 200 of an address are told apart, the rest share a row."""
    link, openings = await share(server, sample), 260
    async with link.stranger() as client:
        for number in range(openings):
            client.forget()
            # A browser's way and a program's.
            answer = await (client.navigate(link.path) if number % 2 else client.get(link.path))
            assert answer.status_code in {200, 303}
        last = dict(client.cookies)
        await assert_counted(link, openings, openings)
        path = f"/api/environments/{link.environment['id']}/share/{link.id}"
        shown = (await server.client.get(f"{path}/visitors")).json()
        assert shown["total"] == 201
        [others] = [each for each in shown["visitors"] if each["id"] == "others"]
        assert (others["number"], others["visits"]) == (0, openings - 200)
        # They are let in like anybody, can come back, and are nobody whose visit could be ended.
        client.cookies.update(last)
        assert (await client.get("/headers")).status_code == 200
        assert (await server.client.delete(f"{path}/visitors/others")).status_code == 404
        events = (await server.client.get(f"{path}/history?kind=opened&limit=200")).json()["events"]
        assert len(events) == 200
