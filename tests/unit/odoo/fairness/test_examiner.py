"""The process beside a worker, as the worker sees it: in turns, for a bounded time, and never trusted."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from guestpass.odoo.fairness import examiner as room
from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, Question, Subject
from guestpass.odoo.fairness.examiner import Examination, Examiner, ExaminerBusyError, NotExaminedError

pytestmark = pytest.mark.asyncio

CALL = Question(Subject.CALL)
PASSES = BodyFinding(Outcome.PASSES)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


def told(pid: int, name: str) -> str:
    """What the kernel says of a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


def open_files(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


class Room:
    """An examiner that writes down in which order bodies are asked for."""

    def __init__(self) -> None:
        self.examiner = Examiner()
        self.order: list[str] = []
        self._asked: dict[str, asyncio.Event] = {}

    @property
    def pid(self) -> int:
        assert self.examiner._process is not None
        return self.examiner._process.pid

    async def asked(self, name: str) -> None:
        """Return when it has its turn."""
        await self._asked.setdefault(name, asyncio.Event()).wait()

    async def ask(self, name: str, body: bytes = b"{}", examination: Examination | None = None) -> BodyFinding | None:
        """`name` begins with its link."""

        async def given() -> AsyncIterator[bytes]:
            self.order.append(name)
            self._asked.setdefault(name, asyncio.Event()).set()
            async for piece in pieces(body):
                yield piece

        return await self.examiner.examine(examination or Examination(name[0]), CALL, len(body), given())


@pytest_asyncio.fixture
async def examined() -> AsyncIterator[Room]:
    found = Room()
    yield found
    found.examiner.close()


async def test_what_is_found_there_is_what_is_found_here(examined: Room) -> None:
    look = Question(Subject.LOOK, "/web/dataset/call_kw/é".encode().decode("latin-1"), ("crm.lead/é",), signed_in=True)
    form = Question(Subject.FORM, database="one")
    for question, body in (
        (CALL, b'{"id": 1, "params": {"model": "res.users", "method": "change_password"}}'),
        (CALL, b"no call"),
        (look, b'{"id": 1, "params": {"model": "res.partner", "method": "read", "args": [["\xc3\xa9", 1.50]]}}'),
        (look, b'{"id": "\xe2\x82\xac", "params": {"model": "res.users", "method": "systray_get_activities"}}'),
        (look, b'{"id": 1, "params": {"model": "res.partner", "method": "unlink"}}'),
        (Question(Subject.JSONRPC), b'{"params": {"service": "db"}}'),
        (form, b"a=\xff\x00&db=two&b=1"),
        (form, b"a=1&db=one"),
    ):
        found = await examined.examiner.examine(Examination("a"), question, len(body), pieces(body))
        assert found == question.answer(body)


async def test_links_take_turns_and_who_gives_up_is_passed_over(examined: Room) -> None:
    await examined.ask("z1")
    os.kill(examined.pid, signal.SIGSTOP)
    gone = Examination("a")
    async with asyncio.TaskGroup() as tasks:
        for name in ("a1", "a2", "a3"):
            tasks.create_task(examined.ask(name))
        left = tasks.create_task(examined.ask("a4", examination=gone))
        for name in ("b1", "c1"):
            tasks.create_task(examined.ask(name))
        await examined.asked("a1")
        gone.give_up()
        assert await left is None
        os.kill(examined.pid, signal.SIGCONT)
    assert examined.order == ["z1", "a1", "a2", "b1", "c1", "a3"]


async def test_of_one_link_only_so_many_wait(examined: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestpass.odoo.fairness.fair_queue.MAX_WAITING_OF_ONE", 2)
    await examined.ask("z1")
    os.kill(examined.pid, signal.SIGSTOP)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(examined.ask(f"a{number}")) for number in range(3)]
        await examined.asked("a0")
        with pytest.raises(ExaminerBusyError):
            await examined.ask("a9")
        waiting.append(tasks.create_task(examined.ask("b1")))
        await asyncio.sleep(0)
        os.kill(examined.pid, signal.SIGCONT)
    assert [task.result() for task in waiting] == [PASSES] * 4


async def test_who_takes_too_long_is_ended_and_the_next_gets_another(
    examined: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await examined.ask("a1")
    first = examined.pid
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr(room, "SECONDS", 0.05)
    with pytest.raises(NotExaminedError, match="took more than"):
        await examined.ask("a2")
    monkeypatch.undo()
    assert await examined.ask("a3") == PASSES
    assert examined.pid != first


async def test_the_kernel_bounds_its_time_and_memory(examined: Room) -> None:
    assert await examined.ask("a1") == PASSES
    rows = {row[:26].strip(): row[26:].split()[0] for row in told(examined.pid, "limits").splitlines()}
    assert int(rows["Max address space"]) <= 1024**3
    assert int(rows["Max cpu time"]) <= 10
    assert rows["Max core file size"] == "0"


async def test_it_inherits_none_of_our_sockets_and_settings(examined: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUESTPASS_SECRET_KEY", "a secret of ours")
    with socket.create_server(("127.0.0.1", 0)) as ours:
        ours.set_inheritable(True)
        assert await examined.ask("a1") == PASSES
        assert len(open_files(examined.pid)) <= 4, "its socket twice, and where it complains"
        assert "GUESTPASS" not in told(examined.pid, "environ")


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(1)",
        "print('no finding', flush=True); input()",
        'print(\'{"outcome": "passes", "body": -1}\', flush=True); input()',
        'print(\'{"outcome": "passes", "body": 99999999999}\', flush=True); input()',
        'print(\'{"outcome": "passes", "body": 0, "more": 1}\', flush=True); input()',
        'print(\'{"outcome": "passes", "body": 0}more\', flush=True); input()',
        "import os; os.write(1, bytes(10_000_000)); input()",
    ],
)
async def test_whatever_it_says_that_is_no_finding_lets_nothing_through(
    examined: Room, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(room, "_PROGRAM", ("-c", program))
    with pytest.raises(NotExaminedError):
        await examined.ask("a1")
    monkeypatch.undo()
    assert await examined.ask("a2") == PASSES


async def test_where_it_can_not_be_started_nothing_goes_through(
    examined: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent")
    with pytest.raises(NotExaminedError, match="nonexistent"):
        await examined.ask("a1")


async def test_a_body_that_breaks_off_is_not_taken_for_the_beginning_of_the_next(examined: Room) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"a":'
        raise OSError("the spool's content is gone")

    with pytest.raises(NotExaminedError, match="spool"):
        await examined.examiner.examine(Examination("a"), CALL, 1000, broken())
    assert await examined.ask("a1") == PASSES


async def test_after_the_end_nothing_is_examined(examined: Room) -> None:
    examined.examiner.close()
    with pytest.raises(NotExaminedError):
        await examined.ask("a1")
