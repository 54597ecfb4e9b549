"""What open pages hear, and in whose organisation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest
from tests.dashboard.owner import Owner, nobody, signed_in
from tests.installation import installation
from tests.odoo.visitor import NAVIGATION

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Heard:
    """What one open page was told so far."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last_id = ""

    async def until(self, topic: str) -> list[str]:
        """The topics up to this one; fails where it does not come."""
        topics = []
        async with asyncio.timeout(30):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                if name == "event":
                    topics.append(value)
                    if value == topic:
                        return topics
        raise AssertionError(f"the stream ended after {topics}")


@asynccontextmanager
async def listening(owner: Owner, since: str = "", **fields: str) -> AsyncIterator[Heard]:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    async with owner.web.stream("GET", f"/events?since={since}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        heard = Heard(answer.aiter_lines())
        await heard.until("connected")
        yield heard


async def test_changes_and_visits_are_told_by_name(owner: Owner, sample: str) -> None:
    server = owner.server
    async with listening(owner) as heard:
        await server.add_environment(id="told", name="Told", url=sample, kind="web")
        assert "environments" in await heard.until("environment:told")
        link = await server.create_link("told")
        await heard.until(f"link:{link['id']}")
        await heard.until("environment:told")
        async with httpx2.AsyncClient(headers=NAVIGATION) as visitor:
            assert (await visitor.get(link["url"])).status_code == 303
        await heard.until(f"link:{link['id']}")
        await heard.until("environment:told")
        # Changed by another process: the command line.
        await server.command("env", "edit", "told", "--name", "Told again")
        await heard.until("environment:told")
        await server.client.delete(f"/api/environments/told/share/{link['id']}?permanent=true")
        await server.client.delete("/api/environments/told")
        await heard.until("environment:told")


async def test_nothing_is_told_of_another_organisation(owner: Owner, sample: str) -> None:
    server = owner.server
    async with signed_in(server, "--sub", "eva", "--org", "quiet") as eva, listening(eva) as heard:
        await heard.until("resync")  # a listener that names no moment may have missed anything
        await server.add_environment(id="secret", name="Secret", url=sample, kind="web")
        await server.create_link("secret")
        await server.command("env", "add", "Own", sample, "--kind", "web", "--org", "quiet")
        assert set(await heard.until("environment:own")) <= {"environments", "environment:own"}


async def test_who_missed_something_is_told_to_ask_again(owner: Owner, sample: str) -> None:
    server = owner.server
    await server.add_environment(id="missed", name="Missed", url=sample, kind="web")
    page = await owner.get("/environments")
    mark = page.text.partition("/events?since=")[2].partition('"')[0]
    async with listening(owner, mark) as heard:
        await server.command("env", "edit", "missed", "--name", "Not missed")
        assert "resync" not in await heard.until("environment:missed")
        newer = heard.last_id
    assert int(newer) > int(mark)
    async with listening(owner, mark) as heard:
        await heard.until("resync")
    # What the browser heard last comes before what the page says.
    async with listening(owner, mark, Last_Event_ID=newer) as heard:
        await server.command("env", "edit", "missed", "--name", "Missed")
        assert "resync" not in await heard.until("environment:missed")


async def _sign_out(gone: Owner, bearer: str) -> None:
    del bearer
    assert (await gone.send("/sign-out")).headers["location"] == "/sign-in"


async def _end_session(gone: Owner, bearer: str) -> None:
    del bearer
    table = await gone.server.command("sessions", "list")
    row = next(line for line in table.splitlines() if "gone" in line)
    await gone.server.command("sessions", "end", row.split()[0], "--yes")


async def _withdraw_token(gone: Owner, bearer: str) -> None:
    await gone.server.command("token", "revoke", bearer)


@pytest.mark.parametrize("end", [_sign_out, _end_session, _withdraw_token])
async def test_a_session_that_ends_hears_no_more(
    owner: Owner, sample: str, end: Callable[[Owner, str], Awaitable[None]]
) -> None:
    server = owner.server
    id = (await server.add_environment(name="Overheard", url=sample, kind="web"))["id"]
    async with nobody(server) as gone:
        bearer = (await server.command("token", "--sub", "gone")).strip()
        assert (await gone.web.post("/sign-in", data={"token": bearer})).status_code == 303
        async with listening(gone) as heard:
            await heard.until("resync")
            await end(gone, bearer)
            await server.client.patch(f"/api/environments/{id}", json={"name": "Heard"})
            assert await heard.until("signed-out") == ["signed-out"]


async def test_it_is_the_same_whichever_worker_answers(sample: str) -> None:
    """A page that one worker made listens at another, and hears what a third one did."""
    async with installation(workers=3) as server, signed_in(server, "--sub", "anna") as anna:
        await server.add_environment(id="shop", name="Shop", url=sample, kind="web")
        page = await anna.get("/environments")
        mark = page.text.partition("/events?since=")[2].partition('"')[0]
        async with AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(listening(anna, mark)) for _ in range(6)]
            for name in ("First", "Second", "Third", "Fourth"):
                await server.client.patch("/api/environments/shop", json={"name": name})
                for heard in pages:
                    await heard.until("environment:shop")
                assert name in await anna.see("/environments")


async def test_a_stranger_hears_nothing(owner: Owner) -> None:
    async with nobody(owner.server) as stranger:
        answer = await stranger.web.get("/events", headers={"Sec-Fetch-Mode": "cors"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Guestpass realm="dashboard", error="session_needed"'
        partial = await stranger.web.get("/environments", headers={"HX-Request": "true"})
        assert partial.status_code == 401
        assert partial.headers["www-authenticate"] == answer.headers["www-authenticate"]
