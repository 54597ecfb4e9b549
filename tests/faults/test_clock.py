"""The machine's clock is set forward and back under load: what has ended stays so, others notice nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.faults.said import Heard
from tests.faults.visitors import SECONDS, Visitor, asking, until_true
from tests.gateway.shared import Shared, sharing
from tests.installation import Installation, installation
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
            running = await stack.enter_async_context(installation(password_tries="3/15minute"))
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
        # Who is inside stays inside, and his pass is worth what it was.
        assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200


async def _shorten(server: Installation, shared: Shared) -> None:
    path = f"/api/environments/{shared.environment['id']}/share/{shared.link['id']}"
    answer = await server.client.patch(path, json={"expiresIn": "1h"})
    assert answer.status_code == 200, answer.text
