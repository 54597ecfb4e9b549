"""Who keeps the gateway waiting is sent away in time."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from tests.gateway.raw_client import RawClient
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import OK, Share

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD_SECONDS = 10
# The loop's clock counts milliseconds.
EARLY_SECONDS = 0.005


async def _until_closed(client: RawClient) -> tuple[float, bytes]:
    """When the gateway closed (monotonic seconds), and what it said."""
    said = await client.rest(seconds=60)
    return time.monotonic(), said


async def test_a_head_must_arrive_within_ten_seconds_however_it_drips(share: Share, upstream: RawUpstream) -> None:
    """And not earlier. That it is not later `tests/unit/gateway` tells, where time is passed in."""
    shared = await share(upstream)
    began = time.monotonic()
    begun, dripping, silent, second = [await shared.connect() for _ in range(4)]

    async def drip() -> None:
        # Each byte is progress, and still the whole head must be there in time. This one would take for ever.
        dripping.send(b"GET /")
        while True:
            dripping.send(b"a")
            await asyncio.sleep(0.5)

    second.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    assert (await second.answer()).body == b"ok"
    async with asyncio.TaskGroup() as tasks:
        begun.send(shared.get()[:-1])
        second.send(shared.get(b"/again")[:-1])
        dripping_on = tasks.create_task(drip())
        waiting = [tasks.create_task(_until_closed(client)) for client in (begun, dripping, silent, second)]
        await asyncio.wait(waiting)
        dripping_on.cancel()
    results = [task.result() for task in waiting]
    for closed, _ in results:
        assert closed - began >= HEAD_SECONDS - EARLY_SECONDS
    # Who has begun nothing is owed nothing.
    assert [said[:13] for _, said in results] == [b"HTTP/1.1 408 ", b"HTTP/1.1 408 ", b"", b"HTTP/1.1 408 "]
    assert json.loads(results[0][1].partition(b"\r\n\r\n")[2])["code"] == "head_timeout"
    assert upstream.accepted == 1
