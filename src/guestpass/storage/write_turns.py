"""A fair queue for the one writing connection of a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from guestpass.app.turns import Lane, Turn

WAIT_S: Final = 30.0
"""How long a writer waits for its turn, in seconds."""
PATIENCE: Final[Mapping[Lane, int]] = {Lane.OWNERS: 3, Lane.BACKGROUND: 7}
"""How many turns in a row a waiting lane yields to the lanes before it."""

_Waiting = asyncio.Future[None]


class WriteTurns:
    """A lock with lanes; `asyncio.Lock` is first come, first served, which favours whoever comes most often.

    Raises sqlalchemy's TimeoutError after WAIT_S seconds of waiting.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._lanes: dict[Lane, _Line] = {lane: _Line() for lane in Lane}
        self._overtaken: dict[Lane, int] = dict.fromkeys(Lane, 0)

    @asynccontextmanager
    async def take(self, turn: Turn) -> AsyncIterator[None]:
        """Hold the turn to write."""
        if self._is_taken:
            await self._wait(turn)
        self._is_taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, turn: Turn) -> None:
        waiting: _Waiting = asyncio.get_running_loop().create_future()
        self._lanes[turn.lane].add(turn, waiting)
        try:
            async with asyncio.timeout(WAIT_S):
                await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled():
                self._pass_on()  # The turn was given and the wait cancelled within one iteration of the loop.
            waiting.cancel()
            if isinstance(error, TimeoutError):
                raise NoConnectionLeft(f"no turn to write within {WAIT_S:.0f} s") from None
            raise

    def _pass_on(self) -> None:
        while (lane := self._next()) is not None:
            waiting = self._lanes[lane].pop()
            if waiting.done():
                continue  # It gave up.
            for other, line in self._lanes.items():
                self._overtaken[other] = self._overtaken[other] + 1 if line and other is not lane else 0
            waiting.set_result(None)
            return
        self._is_taken = False

    def _next(self) -> Lane | None:
        """Return the lane to serve next: the first that waits, unless a later one has yielded PATIENCE times."""
        waiting = [lane for lane, line in self._lanes.items() if line]
        impatient = [lane for lane in waiting if lane in PATIENCE and self._overtaken[lane] >= PATIENCE[lane]]
        return max(impatient, default=min(waiting, default=None))


class _Line:
    """The waiters of one lane: round robin over groups, then over a group's members, each first in, first out."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, deque[_Waiting]]] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, turn: Turn, waiting: _Waiting) -> None:
        self._groups.setdefault(turn.group, {}).setdefault(turn.member, deque()).append(waiting)

    def pop(self) -> _Waiting:
        """Remove and return the next waiter; its member and group move to the end."""
        group, members = next(iter(self._groups.items()))
        member, waiting = next(iter(members.items()))
        first = waiting.popleft()
        del self._groups[group], members[member]
        if waiting:
            members[member] = waiting
        if members:
            self._groups[group] = members
        return first
