"""Examine long bodies in a process beside the worker, since a parser holds the interpreter while it runs.

There is one such process for each worker, started when a body first needs it. Links take turns at it, so that one
visitor's calls don't hold up those of other links. Where a process takes too long, breaks off or says what is no
finding, the body is refused, and the next one gets another process.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from guestpass.odoo.fairness.examinations import BodyFinding, Question, read_finding, write_question
from guestpass.odoo.fairness.fair_queue import RequestQueue

SECONDS: Final = 30.0
"""How long a body may take from its arrival, its turn included."""
_PROGRAM: Final = ("-P", "-m", "guestpass.odoo.fairness.examiner_process")
# What an interpreter may need to find its modules.
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_LONGEST_LINE: Final = 64 * 1024
# A body is at most 1 MiB where it is written anew, and the same numbers and characters can be written longer.
_LONGEST_BODY: Final = 16 * 1024 * 1024
_PIECE: Final = 256 * 1024


class NotExaminedError(Exception):
    """A body could not be examined, which the text says the reason of; it must not go on."""


class ExaminerBusyError(NotExaminedError):
    """Too many bodies wait already."""


class Examination:
    """One body's way there: it waits for its turn, and can be given up at any time."""

    def __init__(self, link: str) -> None:
        self.visitor = link
        self._came: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def take_turn(self) -> None:
        """It is next."""
        self._settle(came=True)

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        self._settle(came=False)

    async def came(self) -> bool:
        """Wait for the turn; False where it was given up before."""
        return await self._came

    def _settle(self, *, came: bool) -> None:
        if not self._came.done():
            self._came.set_result(came)


class Examiner:
    """The process of one worker, and the queue before it; links have turns."""

    def __init__(self) -> None:
        self._turns = RequestQueue(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._is_closed = False

    async def examine(
        self, examination: Examination, question: Question, size: int, body: AsyncIterator[bytes]
    ) -> BodyFinding | None:
        """What the process finds; None where the examination was given up. Raises NotExaminedError."""
        if not self._turns.enter(examination):
            raise ExaminerBusyError("too many bodies wait to be examined")
        try:
            return await self._ask(question, size, body) if await examination.came() else None
        finally:
            self._turns.leave(examination)

    def close(self) -> None:
        """End the process; nothing is examined any more."""
        self._is_closed = True
        self._stop()

    async def _ask(self, question: Question, size: int, body: AsyncIterator[bytes]) -> BodyFinding:
        is_whole = False
        try:
            async with asyncio.timeout(SECONDS):
                line = await self._started()
                await _send(line, question, size, body)
                finding = await _read(line)
            is_whole = True
        except TimeoutError:
            raise NotExaminedError(f"the process that examines bodies took more than {SECONDS:.0f} s") from None
        except (OSError, ValueError) as error:
            raise NotExaminedError(f"the process that examines bodies failed: {error}") from error
        finally:
            # Given up, too late or wrong in the middle: what comes next on that line would belong to this body.
            if not is_whole:
                self._stop()
        return finding

    async def _started(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._line is None:
            self._process, self._line = started = await asyncio.to_thread(_start)
            line = started[1]
        else:
            line = self._line
        if self._is_closed:
            raise ConnectionAbortedError("the worker ends")
        return line

    def _stop(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            # Some milliseconds, where it had much memory.
            asyncio.get_running_loop().run_in_executor(None, self._process.wait)
        self._process = self._line = None


def _start() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process of its own program, which inherits none of our sockets, settings and threads."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program, with nothing of anybody's in its arguments
            (sys.executable, *_PROGRAM),
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return process, ours


async def _send(line: socket.socket, question: Question, size: int, body: AsyncIterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line, write_question(question, size))
    async for piece in body:
        await loop.sock_sendall(line, piece)
        # What the socket takes at once would else go on before anybody else has a turn.
        await asyncio.sleep(0)


async def _read(line: socket.socket) -> BodyFinding:
    loop = asyncio.get_running_loop()
    said = bytearray()
    while (end := said.find(b"\n")) < 0:
        await _read_more(loop, line, said, _LONGEST_LINE)
    finding, size = read_finding(bytes(said[:end]))
    if not 0 <= size <= _LONGEST_BODY:
        raise ValueError("a body of an impossible length")
    del said[: end + 1]
    while len(said) < size:
        await _read_more(loop, line, said, size)
    if len(said) > size:
        raise ValueError("more than a finding")
    return replace(finding, body=bytes(said))


async def _read_more(loop: asyncio.AbstractEventLoop, line: socket.socket, said: bytearray, most: int) -> None:
    data = await loop.sock_recv(line, _PIECE)
    if not data:
        raise ConnectionResetError("it has ended")
    said += data
    if len(said) > most + _PIECE:
        raise ValueError("more than a finding")
