"""A fair queue for slow work with limited concurrency."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Final

from guestpass.domain.errors import TooManyWaiting

LONGEST: Final = 500
"""The longest queue: an audience that comes at once, served within a minute."""


class FairQueue:
    """Give out `places` concurrent turns; raises TooManyWaiting where more than `longest` would wait.

    Each waiter has two keys, a link and an address. Turns alternate between the link and the address that were served
    least recently, so that a crowd of one link or address delays others by at most one turn for each key. Where the
    queue is full, the key with most waiters loses its newest.
    """

    def __init__(self, places: int, longest: int = LONGEST) -> None:
        self._free = places
        self._longest = longest
        self._links, self._addresses = _Line(), _Line()
        self._lines = cycle((self._links, self._addresses))

    @asynccontextmanager
    async def turn(self, link: str, address: str) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(_Waiter(link, address))
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, waiter: _Waiter) -> None:
        if self._addresses.total >= self._longest:
            self._make_room(waiter)
        self._links.join(waiter.link, waiter)
        self._addresses.join(waiter.address, waiter)
        try:
            await waiter.turn
        except BaseException:
            if waiter.has_turn:
                self._pass_on()
            else:
                self._leave(waiter)
            raise

    def _pass_on(self) -> None:
        """Give a free turn to the next waiter."""
        waiter = next(self._lines).first()
        if waiter is None:
            self._free += 1
            return
        self._leave(waiter)
        waiter.has_turn = True
        if not waiter.turn.done():
            waiter.turn.set_result(None)

    def _leave(self, waiter: _Waiter) -> None:
        self._links.leave(waiter.link, waiter)
        self._addresses.leave(waiter.address, waiter)

    def _make_room(self, newcomer: _Waiter) -> None:
        for line, name in ((self._addresses, newcomer.address), (self._links, newcomer.link)):
            if (crowded := line.longest()) is not None and line.count(crowded) > line.count(name) + 1:
                # Within that link, the address with most waiters; within that address, the link.
                newest = max(
                    reversed(line.of(crowded)),
                    key=lambda each: (self._addresses.count(each.address), self._links.count(each.link)),
                )
                self._leave(newest)
                if not newest.turn.done():  # It may just have been cancelled.
                    newest.turn.set_exception(TooManyWaiting("More wait for a turn than may."))
                return
        raise TooManyWaiting("More wait for a turn than may.")


class _Waiter:
    """A waiting caller."""

    __slots__ = ("address", "has_turn", "link", "turn")

    def __init__(self, link: str, address: str) -> None:
        self.link = link
        self.address = address
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_turn = False


class _Line:
    """Waiters by one of the keys, the least recently served key first."""

    def __init__(self) -> None:
        self.total = 0
        self._waiting: dict[str, dict[_Waiter, None]] = {}

    def join(self, name: str, waiter: _Waiter) -> None:
        self._waiting.setdefault(name, {})[waiter] = None
        self.total += 1

    def leave(self, name: str, waiter: _Waiter) -> None:
        """Remove a waiter and move its key to the end; does nothing for one that is not waiting."""
        waiting = self._waiting.get(name, {})
        if waiter in waiting:
            del self._waiting[name], waiting[waiter]
            self.total -= 1
            if waiting:
                self._waiting[name] = waiting

    def first(self) -> _Waiter | None:
        for waiting in self._waiting.values():
            return next(iter(waiting))
        return None

    def longest(self) -> str | None:
        return max(self._waiting, key=self.count, default=None)

    def count(self, name: str) -> int:
        return len(self._waiting.get(name, ()))

    def of(self, name: str) -> dict[_Waiter, None]:
        return self._waiting[name]
