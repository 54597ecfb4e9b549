"""Count what may be done so often and no oftener, exact over any number of workers.

Something may count in several ways, and each way for several counters: it is charged to all counters of the first way
that has room in each, or to none. What is charged may be pending: it turns out later whether it counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import limits

from guestpass.app.ports import Charged, Clock, Counter, Standing, Store, UnitOfWork
from guestpass.app.turns import VISITORS, Turn

PENDING: Final = timedelta(seconds=10)
"""How long a charge is waited for; what is not settled by then, because a worker was killed, counts."""
CounterGroup = Sequence[Counter]


class Limit:
    """So many in a window that begins with the first, such as ``60/10minute``, for each key of a purpose by itself.

    Keys are hashed, since they may hold addresses. Raises ValueError for a limit that can't be read.
    """

    def __init__(self, limit: str, purpose: str) -> None:
        self._limit = limits.parse(limit)
        self._purpose = purpose
        self._window = timedelta(seconds=self._limit.get_expiry())

    def counter(self, *key: str) -> Counter:
        """The counter of a key."""
        # Each part by itself, so that nobody who chooses one can move the border between two.
        name = self._limit.key_for(self._purpose, _digest(key[:1]), _digest(key[1:]))
        return Counter(name, self._limit.amount, self._window)

    def below(self, first: str) -> str:
        """With what the names of all counters begin whose key begins so."""
        return "/".join((self._limit.namespace, self._purpose, _digest((first,)), ""))


@dataclass(frozen=True, slots=True)
class Charge:
    """What was charged to which counters."""

    counters: tuple[Charged, ...]


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No way has room: there will be some in so many seconds, or as soon as what is pending turns out not to count."""

    seconds: float
    may_open: bool


async def check(work: UnitOfWork, groups: Sequence[CounterGroup], now: datetime) -> Exhausted | None:
    """Whether no way has room, without charging anything. Whoever asks first keeps nobody from writing in vain."""
    counters = _all(groups)
    standings = await work.counters.read(counters, now)
    if _overlong(standings, now):
        return None  # What that means, only `charge` can say.
    group = _choose(groups, standings, now)
    return group if isinstance(group, Exhausted) else None


async def charge(
    store: Store, clock: Clock, groups: Sequence[CounterGroup], *, pending: bool = False, turn: Turn = VISITORS
) -> Charge | Exhausted:
    """Charge one to a way, in one transaction."""
    counters = _all(groups)
    async with store.writing(turn) as work:
        now = clock.now()  # Not earlier: there may have been a wait for other writers.
        standings = await work.counters.read(counters, now)
        if overlong := _overlong(standings, now):
            # The clock was set back since, and must lock nobody out for longer than others.
            await work.counters.shorten(overlong, now)
            standings = await work.counters.read(counters, now)
        group = _choose(groups, standings, now)
        if isinstance(group, Exhausted):
            return group
        return Charge(tuple(await work.counters.add(group, now, pending_until=now + PENDING if pending else None)))


def _overlong(standings: Mapping[Counter, Standing], now: datetime) -> list[Counter]:
    return [each for each, standing in standings.items() if standing.ends_at > now + each.window]


def _all(groups: Sequence[CounterGroup]) -> list[Counter]:
    return list(dict.fromkeys(counter for group in groups for counter in group))


def _choose(
    groups: Sequence[CounterGroup], standings: Mapping[Counter, Standing], now: datetime
) -> CounterGroup | Exhausted:
    exhausted = list[Exhausted]()
    for group in groups:
        full = [(each, standings[each]) for each in group if standings[each].spent >= each.amount]
        if not full:
            return group
        seconds = max((standing.ends_at - now).total_seconds() for _, standing in full)
        exhausted.append(Exhausted(seconds, may_open=all(standing.counted < each.amount for each, standing in full)))
    return Exhausted(min(each.seconds for each in exhausted), may_open=any(each.may_open for each in exhausted))


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
