"""Bytes of an upstream that are taken in steps: in order, one step a turn, and unread meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.gateway.playbook import Wire

from guestpass.wire.run_queue import RunQueue
from guestpass.wire.steps import Steps
from guestpass.wire.upstream_connection import UpstreamConnection
from guestpass.wire.write_buffer import FlushQueue

STEP = 2


class Taker:
    """Takes two bytes a step; fails at an exclamation mark, and is done with a full stop."""

    def __init__(self) -> None:
        self.taken = b""
        self.takes_steps = True
        self.ended: list[Exception | None] = []
        self.is_cut = False

    def take_step(self, data: bytes, start: int) -> int:
        piece = data[start : start + STEP]
        if b"!" in piece:
            raise ValueError("a mistake")
        self.taken += piece
        self.takes_steps = b"." not in piece
        return start + len(piece)

    def upstream_lost(self, error: Exception | None) -> None:
        self.ended.append(error)

    def cut(self) -> None:
        self.takes_steps = False
        self.is_cut = True


class Stage:
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        connection = UpstreamConnection(FlushQueue(loop))
        self.wire = Wire(connection)
        self.taker = Taker()
        self.steps = Steps(self.taker, RunQueue(loop), connection)

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)


async def test_one_step_is_taken_at_once_and_the_others_in_later_turns() -> None:
    stage = Stage()
    stage.steps.take(b"abcde")
    assert stage.taker.taken == b"ab"
    assert stage.wire.is_paused
    await stage.settle()
    assert stage.taker.taken == b"abcde"
    assert not stage.wire.is_paused


async def test_what_arrives_meanwhile_waits_behind_what_waits() -> None:
    stage = Stage()
    stage.steps.take(b"abcd")
    stage.steps.take(b"ef")
    assert stage.taker.taken == b"ab"
    await stage.settle()
    assert stage.taker.taken == b"abcdef"


async def test_an_end_is_told_behind_what_waits() -> None:
    stage = Stage()
    assert not stage.steps.ends(None)
    error = ConnectionResetError()
    stage.steps.take(b"abcd")
    assert stage.steps.ends(error)
    assert stage.taker.ended == []
    await stage.settle()
    assert stage.taker.taken == b"abcd"
    assert stage.taker.ended == [error]


async def test_what_waits_is_dropped_when_its_taker_has_all_it_wants() -> None:
    stage = Stage()
    stage.steps.take(b"ab.cde")
    await stage.settle()
    assert stage.taker.taken == b"ab.c"
    assert stage.taker.ended == []


@pytest.mark.parametrize("is_cut", [True, False])
async def test_a_step_that_fails_cuts_and_one_after_an_end_is_not_taken(*, is_cut: bool) -> None:
    stage, failures = Stage(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    stage.steps.take(b"ab!")
    if not is_cut:
        stage.taker.takes_steps = False
    await stage.settle()
    assert stage.taker.is_cut is is_cut
    assert [type(each) for each in failures] == [ValueError] * is_cut
