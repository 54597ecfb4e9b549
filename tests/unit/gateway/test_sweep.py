"""The sweep looks at all connections, however many there are, and others go on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from tests.unit.gateway.playbook import Playbook, Wire, playing, request

from guestpass.gateway import lifecycle
from guestpass.gateway.limits import LimitSettings
from guestpass.wire.client_connection import ClientConnection

_CROWD = 3_000
_CAPS = LimitSettings(connections_per_address=_CROWD + 10, requests_per_address="100000/minute")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two sweeps."""
    monkeypatch.setattr(lifecycle, "SWEEP_SECONDS", 0)


@asynccontextmanager
async def _sweeping(book: Playbook) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(book.gateway.lifecycle.sweep())
        yield
        task.cancel()


async def _serve_one(book: Playbook) -> None:
    """Let another visitor ask for something, and wait for the answer."""
    book.client.deliver(request(b"GET / HTTP/1.1"))
    while not book.upstreams or not book.upstreams[-1].written:
        await book.settle(1)
    book.upstreams[-1].take()
    book.upstreams[-1].deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    while not book.client.written.endswith(b"ok"):
        await book.settle(1)
    book.client.take()


async def test_while_thousands_are_ended_whose_time_is_over_others_are_served() -> None:
    async with playing(_CAPS) as book:
        crowd = [book.connect() for _ in range(_CROWD)]
        for wire in crowd:
            wire.deliver(b"GET / HTTP/1.1\r\n")
        await book.settle(_CROWD // 16 * 2)
        _let_time_pass(book, crowd)
        served = 0
        async with _sweeping(book):
            while not all(wire.finished_writing for wire in crowd):
                await _serve_one(book)
                served += 1
        # In each turn a few of them are ended, and a request takes less than ten turns.
        assert served >= _CROWD // 16 // 10
        assert all(wire.written.startswith(b"HTTP/1.1 408 ") for wire in crowd)


async def test_a_turn_of_the_sweep_ends_few() -> None:
    async with playing(_CAPS) as book:
        crowd = [book.connect() for _ in range(_CROWD)]
        await book.settle()
        _let_time_pass(book, crowd)
        most = before = 0
        async with _sweeping(book):
            while before < _CROWD:
                await book.settle(1)
                now = sum(wire.is_closing() for wire in crowd)
                most, before = max(most, now - before), now
        assert most <= 16


class _Faulty:
    """A connection whose sweep goes wrong."""

    transport = None
    unsent = 0
    stuck_since = 0.0

    def __init__(self, connections: set[ClientConnection]) -> None:
        self._connections = connections

    def sweep(self, _now: float) -> bool:
        raise RecursionError

    def abort(self) -> None:
        self._connections.discard(cast("ClientConnection", self))


async def test_a_fault_at_one_connection_ends_that_one_and_not_the_sweep() -> None:
    async with playing(_CAPS) as book:
        connections = book.gateway.lifecycle.connections
        faulty = cast("ClientConnection", _Faulty(connections))
        connections.add(faulty)
        late = [book.connect() for _ in range(20)]
        for wire in late:
            wire.deliver(b"GET / HTTP/1.1\r\n")
        await book.settle()
        _let_time_pass(book, late)
        async with _sweeping(book):
            while not all(wire.finished_writing for wire in late):
                await book.settle(1)
        assert faulty not in connections


def _let_time_pass(book: Playbook, crowd: list[Wire]) -> None:
    """Let the time be over that these may take."""
    for connection in book.gateway.lifecycle.connections:
        if connection.transport in crowd:
            connection._deadline = 0.0
