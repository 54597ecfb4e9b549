"""Real files in a folder of the test, and nothing but bytes on both sides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from guestpass.odoo.fairness.spool import IN_MEMORY, Holder, Spool, SpoolRoom

GIB = 1024**3
SOMEONE: Holder = ("v", "link", "192.0.2.1")
ANOTHER: Holder = ("w", "another link", "198.51.100.1")


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group


def _room(folder: Path, *, total: int = GIB, per_visitor: int = GIB) -> SpoolRoom:
    return SpoolRoom(folder / "spool", total=total, per_visitor=per_visitor)


def _spawn(tasks: asyncio.TaskGroup) -> Callable[[Coroutine[Any, Any, None]], None]:
    def spawn(work: Coroutine[Any, Any, None]) -> None:
        tasks.create_task(work)

    return spawn


def _spool_files() -> list[Path]:
    """The descriptors of this process that are files without a name in a spool's folder."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # the one by which the folder itself was read
        if "/spool/" in target and "(deleted)" in target:
            found.append(descriptor)
    return found


async def _take_all(spool: Spool) -> bytes:
    taken = []
    while data := await spool.take():
        taken.append(data)
    return b"".join(taken)


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, 10 * IN_MEMORY])
async def test_what_goes_in_comes_out_in_order(tmp_path: Path, tasks: asyncio.TaskGroup, size: int) -> None:
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), lambda: None)
    content = random.Random(size).randbytes(size)
    for start in range(0, size, 70_001):
        spool.put(content[start : start + 70_001])

    assert spool.pending == size
    assert await _take_all(spool) == content
    assert spool.pending == 0
    spool.close()


async def test_putting_and_taking_may_overlap_in_any_way(tmp_path: Path, tasks: asyncio.TaskGroup) -> None:
    dice = random.Random(7)
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), lambda: None)
    given, taken = bytearray(), bytearray()
    for _ in range(400):
        if dice.random() < 0.6:
            piece = dice.randbytes(dice.randrange(1, 200_000))
            spool.put(piece)
            given += piece
        elif spool.pending:
            taken += await spool.take()
    taken += await _take_all(spool)
    assert taken == given
    spool.close()


async def test_little_is_kept_without_any_file(tmp_path: Path, tasks: asyncio.TaskGroup) -> None:
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), lambda: None)
    spool.put(b"x" * IN_MEMORY)
    assert spool.is_in_memory
    assert spool.take_all() == b"x" * IN_MEMORY
    assert not (tmp_path / "spool").exists()


async def test_the_file_has_no_name_and_is_ours_alone(tmp_path: Path, tasks: asyncio.TaskGroup) -> None:
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), lambda: None)
    spool.put(b"x" * (3 * IN_MEMORY))
    assert len(await spool.take()) > 0

    assert list((tmp_path / "spool").iterdir()) == []
    [descriptor] = _spool_files()
    assert descriptor.stat().st_mode & 0o777 == 0o600
    spool.close()


async def test_a_dropped_spool_gives_back_its_room_and_its_file(tmp_path: Path, tasks: asyncio.TaskGroup) -> None:
    room = _room(tmp_path, total=10 * IN_MEMORY)
    spool = Spool(room, SOMEONE, _spawn(tasks), lambda: None)
    spool.put(b"x" * (4 * IN_MEMORY))
    await spool.take()
    spool.close()

    assert await spool.take() == b""
    assert _spool_files() == []
    assert room.take(ANOTHER, 5 * IN_MEMORY)


async def test_a_visitor_past_his_quota_is_told_and_loses_nothing(tmp_path: Path, tasks: asyncio.TaskGroup) -> None:
    room = _room(tmp_path, per_visitor=1000)
    spool = Spool(room, SOMEONE, _spawn(tasks), lambda: None)
    assert spool.put(b"a" * 1000)
    assert not spool.put(b"b" * 10)
    assert Spool(room, ANOTHER, _spawn(tasks), lambda: None).put(b"c" * 1000)
    assert await _take_all(spool) == b"a" * 1000 + b"b" * 10
    assert spool.put(b"d" * 1000)
    spool.close()


@pytest.mark.parametrize(
    "others",
    [
        [(f"v{number}", "link", f"192.0.2.{number}") for number in range(1, 9)],
        [(f"v{number}", f"link {number}", "192.0.2.1") for number in range(1, 9)],
        [(f"v{number}", f"link {number}", f"2001:db8::{number}") for number in range(1, 9)],
    ],
    ids=["one link", "one address", "one network"],
)
def test_one_link_and_one_address_hold_no_more_than_what_is_free(tmp_path: Path, others: list[Holder]) -> None:
    room = _room(tmp_path, total=3000)
    held = [holder for holder in others * 1000 if room.take(holder, 1)]
    assert len(held) == 1500
    # Another one shares what is left with later ones.
    assert room.take(ANOTHER, 750)
    assert not room.take(ANOTHER, 1)
    assert not room.take(others[0], 1)
    assert room.take(("u", "a third link", "198.51.100.2"), 375)
    for holder in held:
        room.give_back(holder, 1)
    assert room.take(ANOTHER, 1)


async def test_a_disk_that_takes_nothing_is_said_and_never_looks_like_the_end(
    tmp_path: Path, tasks: asyncio.TaskGroup
) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    told = asyncio.Event()
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), told.set)
    spool.put(b"x" * (2 * IN_MEMORY))
    async with asyncio.timeout(60):
        await told.wait()
    assert spool.failed
    with pytest.raises(OSError, match="could not be written"):
        await _take_all(spool)
    spool.close()


async def test_bytes_that_come_faster_than_the_disk_takes_them_are_reported_and_then_relieved(
    tmp_path: Path, tasks: asyncio.TaskGroup
) -> None:
    relieved = asyncio.Event()
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), relieved.set)
    spool.put(b"x" * IN_MEMORY)
    for _ in range(8):
        spool.put(b"y" * IN_MEMORY)
    congested = spool.is_congested
    assert congested
    async with asyncio.timeout(60):
        await relieved.wait()
    congested = spool.is_congested
    assert not congested
    spool.close()


async def test_who_was_held_while_memory_was_short_is_let_go_although_others_gave_it_back_meanwhile(
    tmp_path: Path, tasks: asyncio.TaskGroup
) -> None:
    room = SpoolRoom(tmp_path / "spool", total=GIB, per_visitor=GIB, memory=3 * IN_MEMORY)
    other = Spool(room, ANOTHER, _spawn(tasks), lambda: None)
    other.put(b"x" * IN_MEMORY)
    relieved = asyncio.Event()
    spool = Spool(room, SOMEONE, _spawn(tasks), relieved.set)
    spool.put(b"y" * IN_MEMORY)
    spool.put(b"z" * IN_MEMORY)
    assert spool.is_congested
    other.close()
    async with asyncio.timeout(60):
        await relieved.wait()
    spool.close()


@pytest.mark.parametrize("size", [0, IN_MEMORY, 5 * IN_MEMORY + 1])
async def test_what_is_looked_through_is_still_there(tmp_path: Path, tasks: asyncio.TaskGroup, size: int) -> None:
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), lambda: None)
    content = random.Random(size).randbytes(size)
    for start in range(0, size, 100_000):
        spool.put(content[start : start + 100_000])
    for _ in range(2):
        assert b"".join([piece async for piece in spool.look_through()]) == content
    assert await _take_all(spool) == content
    spool.close()


@pytest.mark.parametrize("size", [10, IN_MEMORY, 5 * IN_MEMORY])
async def test_what_is_replaced_is_accounted_for_as_what_it_is(
    tmp_path: Path, tasks: asyncio.TaskGroup, size: int
) -> None:
    room = _room(tmp_path, total=6 * IN_MEMORY)
    memory = room.memory_left
    spool = Spool(room, SOMEONE, _spawn(tasks), lambda: None)
    spool.put(bytes(size))
    assert b"".join([piece async for piece in spool.look_through()]) == bytes(size)
    spool.replace(b"another body")
    assert room.memory_left == memory - 12
    assert room.take(ANOTHER, 2 * IN_MEMORY)
    assert spool.is_in_memory
    assert (spool.peek(), spool.take_all(), spool.pending) == (b"another body", b"another body", 0)
    spool.close()
    assert room.memory_left == memory


async def test_who_looks_through_what_is_dropped_is_told(tmp_path: Path, tasks: asyncio.TaskGroup) -> None:
    spool = Spool(_room(tmp_path), SOMEONE, _spawn(tasks), lambda: None)
    spool.put(bytes(3 * IN_MEMORY))
    looked = spool.look_through()
    await anext(looked)
    spool.close()
    with pytest.raises(OSError, match="gone"):
        await anext(looked)


async def test_a_spool_that_holds_nothing_makes_nothing_and_keeps_no_count(
    tmp_path: Path, tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = _room(tmp_path)

    def make() -> None:
        raise AssertionError("an event, although nothing waits for the disk")

    monkeypatch.setattr(asyncio, "Event", make)
    spool = Spool(room, SOMEONE, _spawn(tasks), lambda: None)
    assert spool.put(b"")
    assert spool.put(b"a call")
    assert spool.take_all() == b"a call"
    spool.close()
    assert (room._of_visitor, room._of_link, room._of_address) == ({}, {}, {})
