"""Names that nobody answers for, a server of names that fails for a while, and an environment that comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from tests.faults.names import NameServer, serving_names
from tests.faults.said import Heard
from tests.faults.visitors import Visitor, asking, until_true
from tests.gateway.shared import sharing
from tests.installation import Installation, installation
from tests.supervisor.processes import worker_ids
from tests.supervisor.upstream import answer, answering

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECTIONS = 6


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def named(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Installation, NameServer]]:
    """One worker, and the server of names that it asks."""
    async with (
        serving_names(tmp_path_factory.mktemp("names")) as (names, before),
        installation(workers=1, before=before) as server,
    ):
        yield server, names


async def _answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request for each connection, so that each needs a connection of its own."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def test_openings_of_a_link_whose_name_nobody_answers_for_keep_no_other_environment_waiting(
    named: tuple[Installation, NameServer],
) -> None:
    server, names = named
    names.silent.add("silent.test")
    async with AsyncExitStack() as stack:
        share = await stack.enter_async_context(sharing(server))
        url = await stack.enter_async_context(answering())
        shared = await share("http://silent.test:8069", name="Silent")
        asking_it = []
        for _ in range(8):
            client = await shared.connect()
            client.send(shared.get(b"/"))
            asking_it.append(client)
        for number in range(4):
            names.known[f"other{number}.test"] = "127.0.0.1"
            other = await share(url.replace("127.0.0.1", f"other{number}.test"), name="Other")
            assert (await other.ask(b"GET /quick HTTP/1.1")).status == 200
        for client in asking_it:
            assert (await client.answer()).status == 502
        # Once for the look at it when it was added and once for all of these, for both kinds of address and each twice.
        assert names.asked["silent.test"] <= 8


async def test_while_the_server_of_names_fails_what_was_known_serves_and_a_new_address_is_followed_after_it(
    named: tuple[Installation, NameServer],
) -> None:
    server, names = named
    served: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer.get_extra_info("sockname")[0])
        await _answer_once(reader, writer)

    names.known["moving.test"] = "127.0.0.1"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(await asyncio.start_server(note, "127.0.0.1", 0))
        port = first.sockets[0].getsockname()[1]
        await stack.enter_async_context(await asyncio.start_server(note, "127.0.0.2", port))
        share = await stack.enter_async_context(sharing(server))
        shared = await share(f"http://moving.test:{port}", name="Moving")
        visitors = [Visitor(shared) for _ in range(CONNECTIONS)]
        async with asking(*visitors):
            names.is_up = False
            before = names.asked["moving.test"]
            await until_true(lambda: names.asked["moving.test"] > before + 8)
            # It says nothing at all: the worst that it can do.
            names.silent.add("moving.test")
            before = names.asked["moving.test"]
            await until_true(lambda: names.asked["moving.test"] > before)
            for visitor in visitors:
                await visitor.until(200, times=20)
            names.known["moving.test"] = "127.0.0.2"
            names.silent.clear()
            names.is_up = True
            await until_true(lambda: served[-1:] == ["127.0.0.2"])
            for visitor in visitors:
                await visitor.until(200)
    assert [visitor.failed for visitor in visitors] == [[]] * CONNECTIONS


async def test_an_environment_that_comes_and_goes_under_load_costs_its_own_visitors_those_requests_and_nothing_else(
    named: tuple[Installation, NameServer],
) -> None:
    server, names = named
    names.known["flapping.test"] = "127.0.0.1"
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await answer(reader, writer)
        finally:
            writers.discard(writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with answering() as url, sharing(server) as share:
        shared, others = await share(f"http://flapping.test:{port}", name="Flapping"), await share(url, name="Others")
        visitors, untouched, heard = [Visitor(shared) for _ in range(CONNECTIONS)], Visitor(others), Heard(server)
        [worker] = worker_ids(server)
        async with asking(*visitors, untouched):
            before = _descriptors(worker)
            for _ in range(10):
                listener.close()
                for writer in tuple(writers):
                    writer.transport.abort()
                await listener.wait_closed()
                for visitor in visitors:
                    await visitor.until(502, times=2)
                listener = await asyncio.start_server(serve, "127.0.0.1", port)
                for visitor in visitors:
                    await visitor.until(200, times=2)
            # As many connections as before: nothing was left behind.
            await until_true(lambda: _descriptors(worker) <= before + CONNECTIONS)
        listener.close()
        assert untouched.failed == []
        assert {each.outcome for visitor in visitors for each in visitor.failed} == {502}
        assert heard.messages["upstream_unreachable"] <= 1


def _descriptors(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
