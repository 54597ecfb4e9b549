"""What a spawned task raises ends that task alone, and is reported."""

from __future__ import annotations

import asyncio

from tests.unit.gateway.playbook import playing

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.wire.connector import Connector
from guestpass.wire.resolver import Resolver
from guestpass.wire.runtime import Runtime


async def test_an_error_in_a_task_is_reported_and_ends_no_other() -> None:
    reported: list[Exception] = []
    mistake = ValueError("a mistake")
    done = asyncio.Event()

    async def fail() -> None:
        raise mistake

    async def go_on() -> None:
        await asyncio.sleep(0)
        done.set()

    connector = Connector(AddressPolicy(allow=(), deny=(), own_listeners=()), Resolver())
    async with asyncio.TaskGroup() as tasks:
        runtime = Runtime(tasks, connector, time=lambda: 0.0, failed=reported.append)
        runtime.spawn(go_on())
        runtime.spawn(fail())
        late = runtime.spawn_late(fail)
        await late
    assert reported == [mistake, mistake]
    assert done.is_set()


async def test_a_task_that_is_cancelled_before_it_begins_makes_no_coroutine() -> None:
    made: list[str] = []

    async def work() -> None:
        made.append("ran")

    async with playing() as book:
        task = book.gateway.runtime.spawn_late(work)
        task.cancel()
        await book.settle()
        assert task.cancelled()
    assert made == []
