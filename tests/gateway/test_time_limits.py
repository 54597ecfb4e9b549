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
# Limits are looked at about twice a second; the rest is for a busy machine.
LATE_SECONDS = 4


async def _until_closed(client: RawClient) -> tuple[float, bytes]:
    """How many seconds it took until the gateway closed, and what it said."""
    began = time.monotonic()
    said = await client.rest(seconds=HEAD_SECONDS + LATE_SECONDS)
    return time.monotonic() - began, said


async def test_a_head_must_arrive_within_ten_seconds_however_it_drips(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    begun, dripping, silent, second = [await shared.connect() for _ in range(4)]

    async def drip() -> None:
        # Each byte is progress, and still the whole head must be there in time.
        for byte in b"GET /a-long-address-that-takes-its-time HTTP/1.1":
            dripping.send(bytes([byte]))
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
    for seconds, _ in results:
        assert HEAD_SECONDS - 1 <= seconds <= HEAD_SECONDS + LATE_SECONDS
    # Who has begun nothing is owed nothing.
    assert [said[:13] for _, said in results] == [b"HTTP/1.1 408 ", b"HTTP/1.1 408 ", b"", b"HTTP/1.1 408 "]
    assert json.loads(results[0][1].partition(b"\r\n\r\n")[2])["code"] == "head_timeout"
    assert upstream.accepted == 1
