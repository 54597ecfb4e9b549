"""Turns at something slow, of which few can be done at a time, shared out fairly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Final

from guestpass.domain.errors import TooManyWaiting

LONGEST: Final = 500
"""How many may wait: an audience that comes at once, and no more than is served within a minute."""


class FairQueue:
    """Gives `places` turns at a time; raises TooManyWaiting where more than `longest` would wait.

    Everybody waits for two names, a link and an address. Turns go now to the link, now to the address that had none for
    longest. So neither one link's crowd nor one address's flood makes anybody else wait for more than a turn each of
    the others. Where the queue is full, it is who has most in it that loses the newest.
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
        """Give a turn that has become free to whose it is."""
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
                # Of a link's crowd it is the address with most in it, of an address's the link.
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
    """Somebody who waits."""

    __slots__ = ("address", "has_turn", "link", "turn")

    def __init__(self, link: str, address: str) -> None:
        self.link = link
        self.address = address
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_turn = False


class _Line:
    """Who waits, by one of the names; the name that had no turn for longest comes first."""

    def __init__(self) -> None:
        self.total = 0
        self._waiting: dict[str, dict[_Waiter, None]] = {}

    def join(self, name: str, waiter: _Waiter) -> None:
        self._waiting.setdefault(name, {})[waiter] = None
        self.total += 1

    def leave(self, name: str, waiter: _Waiter) -> None:
        """Take somebody out, and put the name behind all others. Does nothing for who is not in the line."""
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
