"""What stays open in the sample application."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol


def _socket(url: str, path: str) -> str:
    return url.replace("http", "ws", 1) + path


async def test_ticks_count_up(sample: str) -> None:
    async with connect(_socket(sample, "/ws/ticks?interval=0.02")) as socket:
        ticks = [json.loads(await socket.recv())["tick"] for _ in range(5)]
    assert ticks == [1, 2, 3, 4, 5]


async def test_ticks_keep_their_time_while_the_other_side_talks(sample: str) -> None:
    async with connect(_socket(sample, "/ws/ticks?interval=0.2")) as socket:
        for _ in range(20):
            await socket.send("noise")
        first, second = [json.loads(await socket.recv()) for _ in range(2)]
    assert (first["tick"], second["tick"]) == (1, 2)
    assert datetime.fromisoformat(second["at"]) - datetime.fromisoformat(first["at"]) >= timedelta(seconds=0.15)


async def test_echo_returns_text_and_bytes_in_the_offered_subprotocol(sample: str) -> None:
    async with connect(
        _socket(sample, "/ws/echo"), subprotocols=[Subprotocol("first"), Subprotocol("second")]
    ) as socket:
        assert socket.subprotocol == "first"
        for message in ("Gr\u00fc\u00dfe", b"\x00\xff", "", "x" * 200_000):
            await socket.send(message)
            assert await socket.recv() == message


async def test_events_arrive_one_by_one(sample: str) -> None:
    async with (
        httpx2.AsyncClient() as client,
        client.stream("GET", f"{sample}/events?interval=0.02") as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        numbers = []
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                numbers.append(line)
            if len(numbers) == 3:
                break
    assert numbers == ["id: 1", "id: 2", "id: 3"]
