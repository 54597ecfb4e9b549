"""The machine's clock is set forward and back under load: what has ended stays so, others notice nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.dashboard.owner import signed_in
from tests.dashboard.sharing import page_of
from tests.doubles.odoo.handle import running_odoo
from tests.faults.said import Heard
from tests.faults.visitors import SECONDS, Visitor, asking, until_true
from tests.gateway.raw_client import BrokenOffError
from tests.gateway.shared import Shared, sharing
from tests.installation import Installation, installation
from tests.links.waiting import until as until_true_soon
from tests.odoo.visitor import NAVIGATION, opened
from tests.odoo.waiting import AS_DEMO, Request, ask, for_a_sign_in, join_bus, pass_in
from tests.supervisor.upstream import answering, echoing
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR = 3600


class Clock:
    """By how much the clock of a server is set."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set_by(0)

    def set_by(self, seconds: int) -> None:
        """Set it, as one step."""
        draft = self.file.with_suffix(".new")
        draft.write_text(str(seconds), encoding="ascii")
        draft.rename(self.file)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock") / "set_by")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(clock: Clock) -> AsyncIterator[Installation]:
    path = os.pathsep.join([str(Path(__file__).parent / "moved"), os.environ.get("PYTHONPATH", "")])
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
            patch.setenv("CLOCK_SET_BY", str(clock.file))
            running = await stack.enter_async_context(installation(workers=1, password_tries="3/15minute"))
        yield running


async def _try_password(link: dict[str, str], password: str) -> int:
    async with httpx2.AsyncClient(timeout=60) as web:
        return (await web.post(f"{link['url']}/login", json={"password": password})).status_code


async def test_what_ended_by_a_leap_stays_ended_when_the_clock_goes_back(server: Installation, clock: Clock) -> None:
    async with answering() as url, echoing() as echoes, sharing(server) as share:
        long, short = await share(url, name="Long"), await share(echoes, name="Short")
        await _shorten(server, short)
        locked = await server.create_link(long.environment["id"], shareType="password", password="open sesame")
        heard, staying = Heard(server), Visitor(long)
        cookie = {"Cookie": short.cookie.decode()}
        async with asking(staying), connect(f"ws://{short.host.decode()}/", additional_headers=cookie) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            assert [await _try_password(locked, "wrong") for _ in range(4)] == [401, 401, 401, 429]
            clock.set_by(2 * HOUR)
            # Nobody asks anything through it: it is cut because its link has ended.
            async with asyncio.timeout(SECONDS):
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            assert (await short.ask(b"GET / HTTP/1.1")).status == 410
            # Two hours are longer than a window of tries.
            assert await _try_password(locked, "wrong") == 401
            clock.set_by(0)
            await until_true(lambda: heard.messages["clock_set_back"] == 1)
            assert (await short.ask(b"GET / HTTP/1.1")).status == 410
            clock.set_by(-30 * 24 * HOUR)
            assert (await short.ask(b"GET / HTTP/1.1")).status == 410
            assert [await _try_password(locked, "wrong") for _ in range(3)] == [401, 401, 429]
            made = await server.create_link(long.environment["id"], expiresIn="1h")
            assert made["status"] == "active"
            clock.set_by(0)
            await staying.until(200)
        assert staying.failed == []
        assert (heard.messages["clock_set_forward"], heard.messages["clock_set_back"]) == (2, 2)


async def test_a_server_that_starts_with_an_earlier_clock_locks_nobody_out_for_longer_than_a_window(
    server: Installation, clock: Clock
) -> None:
    async with answering() as url, sharing(server) as share:
        shared = await share(url)
        link = await server.create_link(shared.environment["id"], shareType="password", password="open sesame")
        assert [await _try_password(link, "wrong") for _ in range(4)] == [401, 401, 401, 429]
        await server.stop()
        clock.set_by(-HOUR)
        await server.start()
        async with httpx2.AsyncClient(timeout=60) as web:
            refused = await web.post(f"{link['url']}/login", json={"password": "wrong"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) <= 15 * 60
        # Visitors who are in stay in, and their passes are as valid as before.
        assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200


async def test_a_leap_ends_what_waits_and_frees_the_place_that_was_waited_for(
    server: Installation, clock: Clock
) -> None:
    with running_odoo() as odoo:
        async with (
            opened(server, odoo, link_fields=AS_DEMO | {"expiresIn": "1h"}) as visitor,
            AsyncExitStack() as stack,
        ):
            stack.callback(odoo.release)
            request, socket = await for_a_sign_in(stack, visitor), await join_bus(stack, visitor)
            limited = await server.create_link(visitor.environment["id"], expiresIn="1h", maxVisitors=1)
            database = stack.enter_context(closing(sqlite3.connect(_database(server), isolation_level=None)))
            # Nobody else writes meanwhile, so whoever wants a place waits for it.
            database.execute("BEGIN IMMEDIATE")
            path = limited["url"].partition(server.public_url)[2]
            # Somebody else: who has another link open leaves that first, and waits for nothing.
            entering = await ask(stack, visitor, f"POST {path} HTTP/1.1", "Content-Length: 0", cookie="none")
            await until_true(lambda: _is_read(entering))
            clock.set_by(10 * HOUR)
            # Neither Odoo nor the database has answered yet, and nobody needs them to.
            told = [await each.outcome() for each in (request, socket, entering)]
            assert [answer.status if answer is not None else None for answer in told] == [200, 410, 410]
            assert told[0] is not None
            assert b'"error"' in told[0].body
            database.execute("ROLLBACK")
            odoo.release()
            clock.set_by(0)
            web = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
            await server.client.patch(_path(visitor.environment, limited), json={"expiresIn": "1h"})

            async def is_free() -> bool:
                answer = await web.post(limited["url"], headers={**NAVIGATION, "Origin": server.public_url})
                return answer.status_code == 303

            await until_true_soon(is_free)
            assert odoo.changes("res.partner") == []
            assert odoo.requests("/websocket") == []


async def test_a_preview_that_is_over_keeps_nothing_open(server: Installation, clock: Clock) -> None:
    with running_odoo() as odoo:
        async with opened(server, odoo, link_fields=AS_DEMO) as visitor, AsyncExitStack() as stack:
            owner = await stack.enter_async_context(signed_in(server, "--sub", "owner@example.com"))
            web = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.public_url, timeout=60))
            to = await owner.get(f"{page_of(visitor.link)}/preview")
            assert (await web.get(to.headers["location"], headers=NAVIGATION)).status_code == 303
            preview = pass_in(web)
            assert preview.split(".")[3].startswith("preview-")
            looking = await join_bus(stack, visitor, cookie=preview)
            staying = await join_bus(stack, visitor)
            assert [(await each.client.head()).status for each in (looking, staying)] == [101, 101]
            odoo.trouble("/web/static/double/.*", held=True, part="body")
            large = "GET /web/static/double/200000/large.bin?v=1 HTTP/1.1"
            download = await ask(stack, visitor, large, cookie=preview)
            assert (await download.client.head()).status == 200
            assert len(odoo.sessions("demo")) == 2
            # Further than any leap before: for the server time does not go back.
            clock.set_by(20 * HOUR)
            async with asyncio.timeout(SECONDS):
                # A Close of ours with 1001, and the connection's end.
                assert b"\x88" in await looking.client.rest()
                with pytest.raises(BrokenOffError):
                    await download.client.read(200_000)
            await until_true(lambda: len(odoo.sessions("demo")) == 1)
            assert len(odoo.sockets()) == 1, "a visitor's own socket goes on"
            clock.set_by(0)


def _database(server: Installation) -> Path:
    return Path(server.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db"


def _path(environment: dict[str, str], link: dict[str, str]) -> str:
    return f"/api/environments/{environment['id']}/share/{link['id']}"


def _is_read(request: Request) -> bool:
    """Whether the server has taken all that was sent."""
    return request.client.unread == 0


async def _shorten(server: Installation, shared: Shared) -> None:
    path = f"/api/environments/{shared.environment['id']}/share/{shared.link['id']}"
    answer = await server.client.patch(path, json={"expiresIn": "1h"})
    assert answer.status_code == 200, answer.text
