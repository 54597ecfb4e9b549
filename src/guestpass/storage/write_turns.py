"""The order in which the writers of one process get the one connection that writes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from guestpass.app.turns import Lane, Turn

WAIT_S: Final = 30.0
"""How long a writer waits for those before it, in seconds."""
PATIENCE: Final[Mapping[Lane, int]] = {Lane.OWNERS: 3, Lane.BACKGROUND: 7}
"""How many turns in a row a lane that waits leaves to others. Visitors leave them no more than one each."""

_Waiting = asyncio.Future[None]


class WriteTurns:
    """One at a time; `asyncio.Lock` serves whoever came first, and so whoever comes most often.

    Raises sqlalchemy's TimeoutError for who waits longer than WAIT_S.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._lanes: dict[Lane, _Line] = {lane: _Line() for lane in Lane}
        self._overtaken: dict[Lane, int] = dict.fromkeys(Lane, 0)

    @asynccontextmanager
    async def take(self, turn: Turn) -> AsyncIterator[None]:
        """Be the one who writes."""
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
                self._pass_on()  # It was given and cancelled within one turn of the loop.
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
        """The lane that is served next: the first one where somebody waits, unless a later one has waited enough."""
        waiting = [lane for lane, line in self._lanes.items() if line]
        impatient = [lane for lane in waiting if lane in PATIENCE and self._overtaken[lane] >= PATIENCE[lane]]
        return max(impatient, default=min(waiting, default=None))


class _Line:
    """Those who wait in one lane: the groups take turns, the members of a group, and each in the order they came."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, deque[_Waiting]]] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, turn: Turn, waiting: _Waiting) -> None:
        self._groups.setdefault(turn.group, {}).setdefault(turn.member, deque()).append(waiting)

    def pop(self) -> _Waiting:
        """Take the next out; who has more waiting goes behind the others."""
        group, members = next(iter(self._groups.items()))
        member, waiting = next(iter(members.items()))
        first = waiting.popleft()
        del self._groups[group], members[member]
        if waiting:
            members[member] = waiting
        if members:
            self._groups[group] = members
        return first
