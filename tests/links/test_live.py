"""A change reaches whoever has the link open. `python -m bench promises` tells how soon."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from tests.installation import Installation
from tests.links.opened import Opened, opening
from tests.links.share import Share, share
from tests.links.visitor import Visitor
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def assert_refused(visitor: Visitor, status: int) -> None:
    """The very next request is refused: a worker has applied a change before its API answers."""
    assert await visitor.status("/headers") == status


async def assert_cut(streams: dict[str, Opened]) -> None:
    for name, stream in streams.items():
        await stream.wait_for_end(name)


async def assert_alive(streams: dict[str, Opened]) -> None:
    for name, stream in streams.items():
        await stream.wait_for_more(name)


async def maintain(link: Share) -> None:
    await link.change_environment(maintenance={"message": "Back at noon"})


@pytest.mark.parametrize(
    ("end", "status"),
    [(Share.deactivate, 410), (Share.remove, 401), (Share.remove_environment, 401), (maintain, 503)],
    ids=["deactivated", "removed", "environment removed", "maintenance"],
)
async def test_what_is_open_ends_with_the_link_and_nothing_else_does(
    server: Installation, sample: str, end: Callable[[Share], Awaitable[None]], status: int
) -> None:
    link, other = await share(server, sample), await share(server, sample)
    async with (
        link.visitors(2) as [anna, bert],
        other.visitor() as carl,
        opening(anna) as first,
        opening(bert) as second,
        opening(carl) as untouched,
    ):
        await end(link)
        await assert_refused(anna, status)
        await assert_refused(bert, status)
        await assert_cut(first)
        await assert_cut(second)
        assert (await carl.get("/headers")).status_code == 200
        await assert_alive(untouched)


async def test_of_two_links_to_one_environment_the_other_lives(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    other = await link.sibling()
    async with link.visitor() as anna, other.visitor() as bert, opening(anna) as gone, opening(bert) as kept:
        await link.deactivate()
        await assert_cut(gone)
        await assert_alive(kept)
        assert (await bert.get("/headers")).status_code == 200


async def test_a_command_beside_the_server_acts_too(server: Installation, sample: str) -> None:
    """The server hears of its commit by the feed, which `tests/storage/test_feed.py` tests."""
    link = await share(server, sample)
    other = await link.sibling()
    async with link.visitor() as anna, other.visitor() as bert, opening(anna) as gone, opening(bert) as kept:
        assert link.id in await server.command("share", "deactivate", link.id)

        async def is_refused() -> bool:
            return await anna.status("/headers") == 410

        await until(is_refused)
        await assert_cut(gone)
        await assert_alive(kept)


async def test_a_link_ends_at_its_second(server: Installation, sample: str) -> None:
    """Until then it is open, and a request that is sent from then on is refused."""
    link = await share(server, sample)
    other = await link.sibling()
    async with link.visitor() as anna, other.visitor() as bert, opening(anna) as gone, opening(bert) as kept:
        ends = await link.end_in("3s")
        status: int | None = 200
        while status != 410:
            sent = time.time()
            status = await anna.status("/headers")
            if status == 200:
                assert sent < ends
            elif status is not None:
                assert (status, time.time() >= ends) == (410, True)
        for name, stream in gone.items():
            # The loop's clock counts milliseconds.
            assert await stream.wait_for_end(name) > ends - 0.005, name
        assert (await anna.get("/")).json()["code"] == "link_expired"
        await assert_alive(kept)
        assert (await link.listed())["status"] == "expired"


async def test_a_link_that_nobody_opened_expires_too(server: Installation, sample: str) -> None:
    link = await share(server, sample, expiresIn="1s")
    async with link.stranger() as stranger:

        async def is_over() -> bool:
            return await stranger.status(link.path) == 410

        await until(is_over)
        assert time.time() >= datetime.fromisoformat(link.link["expiresAt"]).timestamp()


async def test_a_new_address_keeps_links_and_passes_and_closes_what_is_open(
    server: Installation, sample: str, other_sample: str
) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor, opening(visitor) as streams:
        kept = dict(visitor.cookies)
        assert "Harbour" in (await visitor.get("/")).text
        await link.change_environment(url=other_sample)
        await assert_cut(streams)
        for _ in range(3):
            assert "Mill" in (await visitor.get("/")).text
        assert visitor.cookies == kept
        assert (await link.listed())["status"] == "active"


async def test_other_changes_of_an_environment_close_nothing(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor, opening(visitor) as streams:
        await link.change_environment(name="Another name", description="x", bodyLimit=3_000_000_000)
        await assert_alive(streams)


async def test_an_environment_that_takes_the_id_of_a_removed_one_is_another(
    server: Installation, sample: str, other_sample: str
) -> None:
    """Neither its links nor where it leads to come back."""
    identity = {"id": f"again-{server.public_port}"}
    link = await share(server, sample, environment=identity)
    async with link.visitor() as former:
        assert "Harbour" in (await former.get("/")).text
        await link.remove_environment()
        anew = await share(server, other_sample, environment=identity)
        assert (await former.get("/")).status_code == 401
        async with anew.visitor() as visitor:
            assert "Mill" in (await visitor.get("/")).text
        await anew.remove_environment()


async def test_a_request_without_an_answer_yet_ends_too(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.public_port)
        writer.write(f"GET /slow?seconds=60 HTTP/1.1\r\nHost: {link.host}\r\nCookie: {visitor.cookie}\r\n\r\n".encode())
        waiting = Opened(reader, writer)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(waiting.read())
            # A request that was sent later has been answered, so the first one is under way.
            assert (await visitor.get("/headers")).status_code == 200
            await link.deactivate()
            await assert_cut({"request": waiting})
        assert waiting.moved == 0
        writer.close()


async def test_a_slow_visitors_download_does_not_look_whole(server: Installation, sample: str) -> None:
    """All of it may have left the application long before, and wait here to be taken."""
    size = 900_000
    link = await share(server, sample)
    async with link.visitor() as visitor:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", server.public_port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=4096)
        writer.write(
            f"GET /download?size={size} HTTP/1.1\r\nHost: {link.host}\r\nCookie: {visitor.cookie}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        await link.deactivate()
        got = 0
        try:
            async with asyncio.timeout(20):
                while data := await reader.read(65536):
                    got += len(data)
        except ConnectionError:
            got = -1
        assert got < size
        writer.close()
