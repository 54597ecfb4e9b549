"""Large answers of a known length: they arrive whole, in order, or visibly broken."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd
from tests.gateway.shared import OK, Share, Shared, exchange
from tests.installation import Installation
from tests.links.waiting import until
from tests.supervisor.processes import descriptors, worker_ids

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
LARGE = 12 * MIB


def _bytes(size: int) -> bytes:
    """No two parts of them are alike, so that none can stand for another."""
    return random.Random(size).randbytes(size)


def _head(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


def _descriptors(server: Installation) -> int:
    """How many a worker has open, but for its database's: those of a reader are opened when it is first needed."""
    [worker] = worker_ids(server)
    return sum("guestpass.db" not in each for each in descriptors(worker).values())


async def _asked(shared: Shared, upstream: RawUpstream, **options: int) -> tuple[RawClient, UpstreamEnd]:
    """A visitor's connection over which a large file was asked for, and the environment's end that was asked."""
    client = await shared.connect(**options)
    client.send(shared.get(b"/large"))
    end = await upstream.accept()
    await end.head()
    return client, end


async def _stalled(shared: Shared, upstream: RawUpstream) -> tuple[RawClient, UpstreamEnd]:
    """The same when half of the answer has arrived and no more comes."""
    client, end = await _asked(shared, upstream)
    end.send(_head(LARGE) + _bytes(LARGE // 2))
    await client.head()
    assert await client.read(LARGE // 2) == _bytes(LARGE // 2)
    return client, end


@pytest.mark.parametrize("size", [256 * 1024 + 1, 320 * 1024, MIB, LARGE + 7])
async def test_they_arrive_whole_and_both_connections_serve_on(share: Share, upstream: RawUpstream, size: int) -> None:
    shared = await share(upstream)
    client, end = await _asked(shared, upstream)
    body = _bytes(size)
    for _ in range(3):
        end.send(_head(size) + body)
        assert (await client.answer()).body == body
        assert (await exchange(client, end, shared.get(b"/small"), OK)).body == b"ok"
        client.send(shared.get(b"/large"))
        assert (await end.head()).target == b"/large"


async def test_requests_behind_one_another_are_answered_in_their_order(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    # So slow a reader that there is always something of the answer before that it has yet to be sent.
    client = await shared.connect(receive_buffer=4096)
    sizes = [*[200_000] * 24, LARGE, 2, MIB, 2]
    client.send(b"".join(shared.get(b"/%d" % size) for size in sizes))
    end = await upstream.accept()

    async def answer_all() -> None:
        for size in sizes:
            assert (await end.head()).target == b"/%d" % size
            end.send(_head(size) + _bytes(size))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer_all())
        for size in sizes:
            assert (await client.answer()).body == _bytes(size)


async def test_what_drips_in_is_passed_on_at_once(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client, end = await _stalled(shared, upstream)
    rest = _bytes(LARGE)[: LARGE - LARGE // 2]
    for position in range(0, 500, 100):
        end.send(rest[position : position + 100])
        assert await client.read(100) == rest[position : position + 100]
    end.send(rest[500:])
    assert await client.read(len(rest) - 500) == rest[500:]
    assert (await exchange(client, end, shared.get(b"/small"), OK)).body == b"ok"


async def test_a_slow_visitor_gets_all_and_nobody_waits_for_him(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client, end = await _asked(shared, upstream, receive_buffer=4096)
    size = 3 * LARGE
    body = _bytes(size)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(end.send_all(_head(size) + body))
        await client.head()
        other = await shared.connect()
        other.send(shared.get(b"/other"))
        another = await upstream.accept()
        await another.head()
        another.send(OK)
        assert (await other.answer()).body == b"ok"
        digest = hashlib.sha256()
        for _ in range(0, size, 128 * 1024):
            digest.update(await client.read(128 * 1024))
    assert digest.digest() == hashlib.sha256(body).digest()


async def test_one_that_is_under_way_ends_with_its_link(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client, end = await _stalled(shared, upstream)
    await shared.server.deactivate(shared.environment["id"], shared.link["id"])
    with pytest.raises(BrokenOffError):
        await client.read(1)
    await end.gone()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_one_that_the_environment_breaks_off_does_not_look_complete(
    share: Share, upstream: RawUpstream, how: str
) -> None:
    shared = await share(upstream)
    client, end = await _stalled(shared, upstream)
    if how == "close":
        await end.close()
    else:
        end.reset()
    with pytest.raises(BrokenOffError):
        await client.read(1)


@pytest.mark.parametrize("reads", [True, False])
async def test_a_visitor_who_leaves_lets_the_environment_go(share: Share, upstream: RawUpstream, reads: bool) -> None:
    shared = await share(upstream)
    if reads:
        client, end = await _stalled(shared, upstream)
    else:
        client, end = await _asked(shared, upstream, receive_buffer=4096)
        end.send(_head(LARGE) + _bytes(LARGE))
        await client.head()
    client.reset()
    await end.gone()


async def test_bytes_behind_an_answer_reach_nobody(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client, end = await _asked(shared, upstream)
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    end.send(_head(LARGE) + _bytes(LARGE) + forged)
    assert (await client.answer()).body == _bytes(LARGE)
    client.send(shared.get(b"/next"))
    other = await upstream.accept()
    assert (await other.head()).target == b"/next"
    other.send(OK)
    assert (await client.answer()).body == b"ok"


async def test_nothing_is_left_open_behind_them(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)

    async def some() -> None:
        for _ in range(10):
            client, end = await _asked(shared, upstream)
            end.send(_head(LARGE) + _bytes(LARGE))
            await client.answer()
            await client.close()
            await end.close()
            client, end = await _stalled(shared, upstream)
            client.reset()
            await end.gone()

    await some()
    before = _descriptors(shared.server)
    await some()

    async def as_many_as_before() -> bool:
        return _descriptors(shared.server) <= before

    await until(as_many_as_before)
