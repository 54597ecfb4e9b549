"""Who is slow, and who comes in numbers, takes nothing from the others; the log says so once, not a million times."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import running_odoo
from tests.gateway.memory import Memory
from tests.gateway.raw_client import Answer, BrokenOffError, RawClient
from tests.gateway.shared import Shared
from tests.hostile.busy import MIB, WAIT_SECONDS, Busy, Crowd, busy, new_address, served_meanwhile
from tests.installation import installation
from tests.links.waiting import until
from tests.odoo.visitor import NAVIGATION as NAVIGATES
from tests.odoo.visitor import opened

from guestpass.app.visitor_sessions import SIGN_INS
from guestpass.signing.keys import Keys
from guestpass.signing.tokens import SealedTokens
from guestpass.system import SystemEntropy

pytestmark = pytest.mark.asyncio(loop_scope="session")

PER_ADDRESS, ALL, PER_LINK = 40, 160, 12
REQUESTS = 600
GUESSES = 10
BUFFERED = 8 * MIB
SPOOLED = 64 * MIB
NAVIGATION = b"Sec-Fetch-Mode: navigate"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small() -> AsyncIterator[Busy]:
    """A server with limits that a test can reach, and without patience."""
    async with (
        installation(
            connections=str(ALL),
            connections_per_address=str(PER_ADDRESS),
            requests_per_address=f"{REQUESTS}/hour",
            connections_per_link=str(PER_LINK),
            unknown_tokens=f"{GUESSES}/hour",
            trusted_proxies="127.0.0.1/32",
            client_patience="5s",
            buffer_limit=str(BUFFERED),
            spool_limit=str(SPOOLED),
            visitor_addresses="full",
        ) as server,
        busy(server) as running,
    ):
        # The owner's requests must not be part of what is counted for anybody here.
        server.client.event_hooks["request"].append(_come_from_elsewhere)
        yield running


async def _come_from_elsewhere(request: httpx2.Request) -> None:
    request.headers["X-Forwarded-For"] = new_address()


@pytest_asyncio.fixture(loop_scope="session")
async def shared(small: Busy) -> AsyncIterator[Shared]:
    async with small.link() as link:
        yield link


@pytest_asyncio.fixture(loop_scope="session")
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as kept:
        yield kept


async def test_whoever_is_slow_is_sent_away_while_others_are_served(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    slow = Crowd(shared, stack)
    post = b"POST /upload HTTP/1.1"
    with small.told_sparingly("head_timeout") as heads, small.told_sparingly("slow_client_cut"):
        async with served_meanwhile(shared), small.link() as another:
            silent = await slow.send(5, b"")
            heads_begun = await slow.send(5, shared.get()[:-2])
            bodies = await slow.send(3, shared.request(post, b"Content-Length: 9999", body=b"some"))
            chunks = await slow.send(3, shared.request(post, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"))
            readers = await Crowd(another, stack).send(3, another.get(b"/large/16"), receive_buffer=4096)
            async with asyncio.TaskGroup() as tasks:
                dripping = tasks.create_task(_drip(bodies + chunks))
                ends = [tasks.create_task(client.rest(WAIT_SECONDS)) for client in silent + heads_begun]
                # Neither the kernel's buffers nor ours hold all of it, so the rest of the answer never comes.
                cut = [tasks.create_task(_cut_when_told(client, small)) for client in readers]
                refused = [await client.head() for client in bodies + chunks]
                await asyncio.wait({*ends, *cut})
                dripping.cancel()
    assert [task.result()[:12] for task in ends] == [b""] * 5 + [b"HTTP/1.1 408"] * 5
    assert {answer.status for answer in refused} == {408}
    assert all(line["request_id"] and line["address"] for line in heads)


async def _drip(clients: list[RawClient]) -> None:
    """A byte now and then, so that there is always progress and never an end: each is a tiny chunk of its own."""
    while True:
        for client in clients:
            client.send(b"1\r\nx\r\n")
        await asyncio.sleep(0.5)


async def _cut_when_told(client: RawClient, small: Busy) -> None:
    """Take nothing until the server has given up; then less than the whole is there."""
    await client.head()

    async def is_told() -> bool:
        return "slow_client_cut" in small.server.log

    await until(is_told, WAIT_SECONDS)
    with pytest.raises(BrokenOffError):
        await client.read(16 * MIB)


async def test_a_head_without_an_end_takes_no_memory_and_no_time(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    before = small.memory
    async with served_meanwhile(shared):
        endless = await Crowd(shared, stack).send(30, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 3 * MIB)
        said = [await client.head() for client in endless]
    assert {answer.status for answer in said} == {431}
    assert small.memory - before < 60 * MIB


async def test_an_address_has_so_many_connections_and_others_have_theirs(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    attacker = Crowd(shared, stack)
    with small.told_sparingly("too_many_connections"):
        async with served_meanwhile(shared):
            clients = [await attacker.arrive() for _ in range(2 * PER_ADDRESS)]
            served = [await attacker.answered(client) for client in clients]
            assert served.count(True) == PER_ADDRESS
            # The first ones stay what they are: it is the further ones that are closed.
            assert all(served[:PER_ADDRESS])
    assert clients[0] is not None
    clients[0].reset()

    async def there_is_room() -> bool:
        return await attacker.answered(await attacker.arrive())

    await until(there_is_room, WAIT_SECONDS)


async def test_idle_connections_from_everywhere_make_room_for_who_comes(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    with small.told_sparingly("idle_connections_closed"):
        async with served_meanwhile(shared):
            for _ in range(2 * ALL // PER_ADDRESS):
                await Crowd(shared, stack).send(PER_ADDRESS, b"")


async def test_what_waits_for_slow_readers_stays_within_its_bound(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    waves = 7
    before = small.memory
    with small.told_sparingly("slow_client_cut"):
        async with served_meanwhile(shared):
            for _ in range(waves):
                another = await stack.enter_async_context(small.link())
                await Crowd(another, stack).send(PER_LINK, another.get(b"/large/4"), receive_buffer=4096)
                # The server looks twice a second; faster than that it would only be a larger wave.
                await asyncio.sleep(0.6)
    # Each of them would make it keep a MiB.
    assert small.memory - before < BUFFERED + waves * PER_LINK * MIB // 2


async def test_an_asset_that_is_asked_for_again_and_again_and_not_read_takes_little_memory(
    small: Busy, stack: AsyncExitStack
) -> None:
    """A client that reads nothing is served nothing more: its requests are small and the answers are not."""
    odoo = await stack.enter_async_context(small.link(kind="odoo"))
    asset = odoo.get(b"/web/static/large.css", b"Accept-Encoding: identity")
    reader = await Crowd(odoo, stack).connect()
    for _ in range(2):
        # The second time it is in memory.
        reader.send(asset)
        assert len((await reader.answer()).body) == 2 * MIB
    memory = Memory(small.server)
    greedy = await Crowd(odoo, stack).send(4, asset * 50, receive_buffer=4096)
    assert [(await client.head()).status for client in greedy] == [200] * 4
    # Each of these takes a turn of the loop at least.
    for number in range(50):
        reader.send(odoo.get(b"/%d" % number))
        assert (await reader.answer()).status == 200
    # A write buffer of a MiB for each, and a piece on its way.
    assert memory.growth < 4 * 3 * MIB


async def test_an_address_has_so_many_requests_and_others_have_theirs(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    attacker = Crowd(shared, stack)
    client = await attacker.connect()
    answers: list[Answer] = []
    with small.told_sparingly("too_many_requests") as lines:
        async with served_meanwhile(shared):
            for _ in range(REQUESTS):
                client.send(shared.get(b"/", NAVIGATION))
                answers.append(await client.answer())
            # Each refusal ends its connection.
            for _ in range(50):
                client.send(shared.get(b"/", NAVIGATION))
                answers.append(await client.answer())
                assert await client.rest() == b""
                await client.close()
                client = await attacker.connect()
        pages = [await attacker.ask(b"/", NAVIGATION, b"Accept-Language: de") for _ in range(5)]
        problem = await attacker.ask(b"/image.png")
    assert [answer.status for answer in answers] == [200] * REQUESTS + [429] * 50
    assert all(0 < int(answer.get(b"retry-after") or 0) <= 3600 for answer in (*answers[REQUESTS:], problem))
    assert "Zu viel aus Ihrem Netz" in pages[0].body.decode()
    assert "Minuten wieder versuchen" in pages[0].body.decode()
    told = json.loads(problem.body)
    assert (problem.status, told["code"]) == (429, "too_many_requests")
    [line] = lines
    assert line["address"] == attacker.address
    assert line["link"] == shared.link["id"]
    assert line["request_id"].encode() in answers[REQUESTS].body
    await _sees_some(small, shared, "too_many_requests")


async def _sees_some(small: Busy, shared: Shared, code: str) -> None:
    """The link's owner sees a few of those who were turned back, not all."""
    path = f"/api/environments/{shared.environment['id']}/share/{shared.link['id']}/refusals"
    seen: list[str] = []

    async def are_there() -> bool:
        found = (await small.server.client.get(path)).json()
        seen[:] = [each["reason"] for each in found["refusals"]]
        return code in seen

    await until(are_there, WAIT_SECONDS)
    assert 1 <= seen.count(code) <= 5


async def test_a_link_has_so_much_open_and_other_links_have_theirs(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    with small.told_sparingly("link_overrun") as lines:
        async with small.link() as crowded, served_meanwhile(shared):
            first = await Crowd(crowded, stack).send(PER_LINK, crowded.get(b"/hang"))
            late = Crowd(crowded, stack)

            async def is_full() -> bool:
                return (await late.ask()).status == 429

            await until(is_full, WAIT_SECONDS)
            page = await late.ask(b"/", NAVIGATION)
            assert (page.status, int(page.get(b"retry-after") or 0)) == (429, 10)
            assert "Too many people at once" in page.body.decode()
            await _sees_some(small, crowded, "link_overrun")
            for client in first:
                client.reset()

            async def there_is_room() -> bool:
                return (await late.ask()).status == 200

            await until(there_is_room, WAIT_SECONDS)
    assert lines[0]["link"] == crowded.link["id"]


async def test_without_descriptors_who_is_in_goes_on_and_all_is_well_when_there_are_some_again(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    inside = await Crowd(shared, stack).connect()
    inside.send(shared.get())
    assert (await inside.answer()).status == 200
    attacker, worker = new_address(), small.pid
    with small.told_sparingly("descriptors_used_up") as lines:
        with small.limited(resource.RLIMIT_NOFILE, small.descriptors + 8):
            crowd = Crowd(shared, stack, attacker)
            worked, began = small.worked, asyncio.get_running_loop().time()

            async def is_told() -> bool:
                for client in [await crowd.arrive() for _ in range(3)]:
                    if client is not None:
                        client.send(b"GET")
                # Whoever is in stays in, whatever arrives.
                inside.send(shared.get())
                assert (await inside.answer()).status == 200
                await asyncio.sleep(0.2)
                return "descriptors_used_up" in small.server.log

            await until(is_told, WAIT_SECONDS)
            passed = asyncio.get_running_loop().time() - began
            assert small.worked - worked < 0.6 * passed + 0.5, "it spins"

        async def is_served() -> bool:
            crowd = Crowd(shared, stack)
            return await crowd.answered(await crowd.arrive())

        await until(is_served, WAIT_SECONDS)
    assert lines[0]["cause"] == "Too many open files"
    assert small.pid == worker


async def test_without_descriptors_no_environment_is_blamed_and_the_next_request_finds_one(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    # Refused, so that nobody is connected to this environment yet. Idle ones are closed when there is no room, those
    # first that have waited longest.
    foreign = shared.request(b"DELETE / HTTP/1.1", b"Origin: http://elsewhere.example")
    *_, inside = clients = await Crowd(shared, stack).send(6, foreign)
    assert {(await client.answer()).status for client in clients} == {403}
    with small.told_sparingly("descriptors_used_up"), small.told_sparingly("unavailable") as lines:
        # No number below this one is free, so nothing more can be opened.
        with small.limited(resource.RLIMIT_NOFILE, 3):
            inside.send(shared.get(b"/", NAVIGATION, b"Accept-Language: pt"))
            page = await inside.answer()
            inside.send(shared.get())
            problem = await inside.answer()
        inside.send(shared.get())
        assert (await inside.answer()).status == 200
    # Nobody had a page of this reason yet, nor one in this language, and no file can be opened.
    assert "One moment, please" in page.body.decode()
    for refused in (page, problem):
        assert (refused.status, refused.get(b"retry-after")) == (503, b"5")
    assert json.loads(problem.body)["code"] == "unavailable"
    assert lines[0]["cause"] == "Too many open files"
    assert lines[0]["request_id"].encode() in page.body
    assert "upstream_unreachable" not in small.server.log
    await _sees_some(small, shared, "unavailable")


async def test_a_full_disk_refuses_large_uploads_and_nothing_else(
    small: Busy, shared: Shared, stack: AsyncExitStack
) -> None:
    def upload(odoo: Shared, size: int, *, sent: int) -> bytes:
        return odoo.request(b"POST /upload HTTP/1.1", b"Content-Length: %d" % size, body=bytes(sent))

    with small.told_sparingly("spool_failed") as lines:
        async with small.link(kind="odoo") as odoo, served_meanwhile(shared):
            crowd = Crowd(odoo, stack)
            with small.limited(resource.RLIMIT_FSIZE, 6 * MIB):
                begun = await crowd.send(3, upload(odoo, 16 * MIB, sent=15 * MIB // 2))
                refused = [await client.answer(to=b"POST") for client in begun]
                [fits] = await crowd.send(1, upload(odoo, MIB // 2, sent=MIB // 2))
                assert (await fits.answer(to=b"POST")).status == 200
            [again] = await crowd.send(1, upload(odoo, 16 * MIB, sent=16 * MIB))
            assert (await again.answer(to=b"POST")).status == 200
    assert {(answer.status, json.loads(answer.body)["code"]) for answer in refused} == {(503, "too_busy")}
    assert lines[0]["cause"] == "File too large"


@pytest.mark.parametrize("shares", ["address", "link"])
async def test_no_address_and_no_link_takes_the_room_for_uploads_from_others(
    small: Busy, shared: Shared, stack: AsyncExitStack, shares: str
) -> None:
    def upload(odoo: Shared, size: int, *, missing: int = 0) -> bytes:
        return odoo.request(b"POST /upload HTTP/1.1", b"Content-Length: %d" % size, body=bytes(size - missing))

    with small.told_sparingly("spool_used_up") as lines:
        async with small.link(kind="odoo") as first, small.link(kind="odoo") as other, served_meanwhile(shared):
            address, hoards = new_address() if shares == "address" else None, []
            for _ in range(6):
                # Each has a pass of its own, and keeps the last byte to itself.
                hoarder = first if shares == "link" else await stack.enter_async_context(small.link(kind="odoo"))
                await hoarder.open_link()
                hoards += await Crowd(hoarder, stack, address).send(1, upload(hoarder, SPOOLED // 4, missing=1))

            async def are_taken() -> bool:
                return all(client.unread == 0 for client in hoards)

            await until(are_taken, WAIT_SECONDS)
            [fits] = await Crowd(other, stack).send(1, upload(other, SPOOLED // 8))
            assert (await fits.answer(to=b"POST")).status == 200
            # It was tried in earnest: there was no room for some of them.
            assert b"HTTP/1.1 503" in {(await client.rest(WAIT_SECONDS))[:12] for client in hoards}
    assert all(line["link"] and line["request_id"] for line in lines)


async def test_who_guesses_tokens_is_looked_up_no_more_and_known_links_open_from_there(
    small: Busy, shared: Shared
) -> None:
    tokens = SealedTokens(Keys.from_secret("a secret of these tests, long enough"), SystemEntropy())
    cold = await small.server.create_link(shared.environment["id"])
    client = await shared.connect()

    async def open_from(address: str, url: str) -> Answer:
        """Follow a share URL as a browser that comes through the proxy from this address."""
        path = url.partition(small.server.public_url)[2].encode()
        fields = (b"Host: " + shared.host, b"X-Forwarded-For: " + address.encode(), NAVIGATION)
        client.send(b"\r\n".join([b"GET %b HTTP/1.1" % path, *fields, b"", b""]))
        return await client.answer()

    def guess() -> str:
        return f"{small.server.public_url}/share/{tokens.new()}"

    dead = guess()
    with small.told_sparingly("guesses_used_up") as lines:
        # One dead link that many people try is one guess, and what was cut off in a mail is none.
        assert {(await open_from("2001:db8:1::5", dead)).status for _ in range(5)} == {404}
        assert {(await open_from("2001:db8:1::5", dead[:-number])).status for number in range(1, 20)} == {404}
        assert {(await open_from("2001:db8:1::5", guess())).status for _ in range(GUESSES - 1)} == {404}
        refused = [await open_from("2001:db8:1::beef:5", guess()) for _ in range(20)]
    assert {answer.status for answer in refused} == {429}
    assert all(0 < int(answer.get(b"retry-after") or 0) <= 3600 for answer in refused)
    assert "Too many links that lead nowhere" in refused[0].body.decode()
    [line] = lines
    assert line["address"] == "2001:db8:1::beef:5"
    assert line["request_id"].encode() in refused[0].body
    # Other networks have their own, and the right visitors from this one get in, whatever else is changed meanwhile.
    assert (await open_from("2001:db8:2::5", guess())).status == 404
    assert (await open_from("2001:db8:1::5", shared.link["url"])).status == 303
    path = f"/api/environments/{shared.environment['id']}/share/{cold['id']}"
    assert (await small.server.client.patch(path, json={"label": "Changed"})).status_code == 200
    assert (await open_from("2001:db8:1::5", shared.link["url"])).status == 303
    # What this worker has never seen it does not look up from there; once it has seen it, it opens from there too.
    assert (await open_from("2001:db8:1::5", cold["url"])).status == 429
    assert (await open_from("2001:db8:2::5", cold["url"])).status == 303
    assert (await open_from("2001:db8:1::5", cold["url"])).status == 303


async def test_a_network_of_addresses_signs_in_no_oftener_than_one(small: Busy) -> None:
    often = int(SIGN_INS.partition("/")[0])
    with running_odoo() as odoo:
        sign_in = {"signInAs": {"login": "demo", "password": "demo"}}
        async with opened(small.server, odoo, link_fields=sign_in) as first:

            async def arrive(address: str) -> int:
                """The status of the first page of a new visitor who comes through the proxy from this address."""
                fields = {**NAVIGATES, "X-Forwarded-For": address}
                async with httpx2.AsyncClient(base_url=small.server.public_url, headers=fields, timeout=30) as web:
                    assert (await web.get(first.link["url"])).status_code == 303
                    return (await web.get("/odoo")).status_code

            statuses = [await arrive(f"2001:db8:6::{number:x}") for number in range(1, often + 3)]
            assert statuses == [200] * often + [429] * 2
            assert await arrive("2001:db8:7::1") == 200


async def test_behind_a_trusted_proxy_connections_are_everybodys_and_requests_are_each_ones(
    shared: Shared, stack: AsyncExitStack
) -> None:
    proxy = Crowd(shared, stack, "127.0.0.1")
    clients = [await proxy.connect() for _ in range(PER_ADDRESS + 5)]
    assert [await proxy.answered(client) for client in clients] == [True] * len(clients)
    asking, addresses = clients[0], [f"2001:db8:3::{number:x}" for number in range(1, 5)]
    statuses = []
    for number in range(REQUESTS + 40):
        # A customer has a whole /64, and counts as one.
        asking.send(shared.get(b"/", b"X-Forwarded-For: " + addresses[number % 4].encode()))
        statuses.append((await asking.answer()).status)
    assert statuses == sorted(statuses)
    assert statuses.count(200) == REQUESTS
    asking.send(shared.get(b"/", b"X-Forwarded-For: 2001:db8:4::1"))
    assert (await asking.answer()).status == 200
