"""Rate limits that are exact over any number of workers.

A call gives groups of counters: it is charged to all counters of the first group in which none is used up, or to none
at all. A charge may be pending until it is settled.
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
"""How long a charge may be pending; one that is not settled by then (its worker was killed) counts."""
CounterGroup = Sequence[Counter]


class Limit:
    """A limit such as ``60/10minute`` for each key of a purpose; the window begins with the first charge.

    Keys are hashed, since they may hold addresses. Raises ValueError for an unreadable limit.
    """

    def __init__(self, limit: str, purpose: str) -> None:
        self._limit = limits.parse(limit)
        self._purpose = purpose
        self._window = timedelta(seconds=self._limit.get_expiry())

    def counter(self, *key: str) -> Counter:
        """The counter of a key."""
        # Hashed separately, so that two different pairs of parts can't give the same name.
        name = self._limit.key_for(self._purpose, _digest(key[:1]), _digest(key[1:]))
        return Counter(name, self._limit.amount, self._window)

    def below(self, first: str) -> str:
        """The name prefix of all counters whose key begins with `first`."""
        return "/".join((self._limit.namespace, self._purpose, _digest((first,)), ""))


@dataclass(frozen=True, slots=True)
class Charge:
    """The counters that were charged."""

    counters: tuple[Charged, ...]


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A counter of each group is used up: for `seconds`, or with `may_open` until a pending charge is refunded."""

    seconds: float
    may_open: bool


async def check(work: UnitOfWork, groups: Sequence[CounterGroup], now: datetime) -> Exhausted | None:
    """Return Exhausted where nothing could be charged, else None; only reads, so it takes no write lock."""
    counters = _all(groups)
    standings = await work.counters.read(counters, now)
    if _overlong(standings, now):
        return None  # Only `charge` can correct those.
    group = _choose(groups, standings, now)
    return group if isinstance(group, Exhausted) else None


async def charge(
    store: Store, clock: Clock, groups: Sequence[CounterGroup], *, pending: bool = False, turn: Turn = VISITORS
) -> Charge | Exhausted:
    """Charge one to the first group that allows it, in one transaction."""
    counters = _all(groups)
    async with store.writing(turn) as work:
        now = clock.now()  # Read after the wait for other writers.
        standings = await work.counters.read(counters, now)
        if overlong := _overlong(standings, now):
            # The clock was set back: end these windows no later than new ones would.
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
