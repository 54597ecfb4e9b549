"""Turns are counted here: how many others go first, whatever the time that takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from guestpass.app.fair_queue import FairQueue
from guestpass.domain.errors import TooManyWaiting


class Crowd:
    """People who want turns at a queue of one place, which the test holds until all of them wait."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.served: list[str] = []
        self.refused: list[str] = []

    async def want(self, name: str, link: str, address: str) -> None:
        try:
            async with self.queue.turn(link, address):
                self.served.append(name)
                await asyncio.sleep(0)
        except TooManyWaiting:
            self.refused.append(name)


@asynccontextmanager
async def held(queue: FairQueue) -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks that find the only place taken, until the block ends."""
    async with asyncio.TaskGroup() as group, queue.turn("held", "held"):
        yield group
        await asyncio.sleep(0)


async def test_as_many_as_there_are_places_go_at_a_time() -> None:
    queue, going, most = FairQueue(3), 0, 0

    async def go(number: int) -> None:
        nonlocal going, most
        async with queue.turn(f"link {number % 4}", f"address {number % 7}"):
            going += 1
            most = max(most, going)
            for _ in range(3):
                await asyncio.sleep(0)
            going -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(go(number))
    assert most == 3


@pytest.mark.parametrize("links", [1, 100])
async def test_one_addresss_flood_goes_before_nobody_for_more_than_its_share(links: int) -> None:
    crowd = Crowd(FairQueue(1))
    async with held(crowd.queue) as group:
        for number in range(300):
            group.create_task(crowd.want("flood", f"link {number % links}", "192.0.2.1"))
        await asyncio.sleep(0)
        group.create_task(crowd.want("single", "link 0", "198.51.100.1"))
    assert crowd.served.index("single") < 4
    assert len(crowd.served) == 301


async def test_one_links_crowd_holds_up_no_other_link() -> None:
    crowd = Crowd(FairQueue(1))
    async with held(crowd.queue) as group:
        for number in range(300):
            group.create_task(crowd.want("crowd", "popular", f"192.0.2.{number}"))
        await asyncio.sleep(0)
        group.create_task(crowd.want("single", "quiet", "198.51.100.1"))
    assert crowd.served.index("single") < 4


async def test_whoever_has_most_in_a_full_queue_loses_the_newest() -> None:
    crowd = Crowd(FairQueue(1, longest=10))
    async with held(crowd.queue) as group:
        for number in range(12):
            group.create_task(crowd.want(f"flood {number}", "popular", "192.0.2.1"))
        await asyncio.sleep(0)
        assert crowd.refused == ["flood 10", "flood 11"]
        group.create_task(crowd.want("same link", "popular", "198.51.100.1"))
        group.create_task(crowd.want("another", "quiet", "198.51.100.2"))
        await asyncio.sleep(0)
    assert set(crowd.refused) == {"flood 11", "flood 10", "flood 9", "flood 8"}
    assert {"same link", "another"} <= set(crowd.served)
    assert len(crowd.served) == 10


async def test_a_links_crowd_of_many_addresses_makes_room_for_another_link() -> None:
    crowd = Crowd(FairQueue(1, longest=10))
    async with held(crowd.queue) as group:
        for number in range(10):
            group.create_task(crowd.want(f"crowd {number}", "popular", f"192.0.2.{number}"))
        await asyncio.sleep(0)
        group.create_task(crowd.want("another", "quiet", "198.51.100.2"))
    assert crowd.refused == ["crowd 9"]
    assert "another" in crowd.served


async def test_who_stops_waiting_takes_no_turn_and_loses_none() -> None:
    crowd = Crowd(FairQueue(1))
    async with held(crowd.queue) as group:
        tasks = [group.create_task(crowd.want(str(number), "link", f"192.0.2.{number}")) for number in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[3].cancel()
    assert sorted(crowd.served) == ["1", "2", "4"]
    # The place is free again.
    await asyncio.wait_for(crowd.want("later", "link", "192.0.2.9"), 20)


async def test_who_stops_in_the_moment_of_the_turn_passes_it_on() -> None:
    queue = FairQueue(1)
    crowd = Crowd(queue)
    async with asyncio.TaskGroup() as group:
        async with queue.turn("held", "held"):
            first = group.create_task(crowd.want("first", "link", "192.0.2.1"))
            group.create_task(crowd.want("second", "link", "192.0.2.2"))
            await asyncio.sleep(0)
        # It has the turn now, and has not gone on yet.
        first.cancel()
    assert crowd.served == ["second"]


async def test_what_fails_in_its_turn_gives_the_place_back() -> None:
    queue = FairQueue(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with queue.turn("link", "192.0.2.1"):
                raise ZeroDivisionError


async def test_who_is_cancelled_in_the_moment_of_making_room_hurts_nobody() -> None:
    crowd = Crowd(FairQueue(1, longest=3))
    async with held(crowd.queue) as group:
        waiting = [group.create_task(crowd.want(str(number), "link", "192.0.2.1")) for number in range(3)]
        await asyncio.sleep(0)
        another = group.create_task(crowd.want("another", "quiet", "198.51.100.2"))
        # It is the newest of the crowd, and has not left the queue yet when the other one comes.
        waiting[2].cancel()
    assert another.exception() is None
    assert sorted(crowd.served) == ["0", "1", "another"]
