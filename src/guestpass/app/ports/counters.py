"""Ports of rate limits that are exact over all workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Counter:
    """A limit of `amount` in a `window` that begins with the first charge."""

    key: str
    amount: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """A counter's state: charges, how many of them are pending, and when the window ends."""

    spent: int
    pending: int
    ends_at: datetime

    @property
    def counted(self) -> int:
        """Charges that can no longer be refunded."""
        return self.spent - self.pending


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge to a counter, in the window that ends at `ends_at`."""

    counter: Counter
    ends_at: datetime


class Batches(Protocol):
    """The last batch that each worker wrote, so that one whose commit was not answered is written once."""

    async def begin(self, worker: str, number: int, now: datetime) -> bool:
        """Note that this unit of work writes a worker's batch; False where it is written already.

        Batches are numbered upwards; a worker begins one only once the outcome of the previous one is known.
        """
        ...


class Counters(Protocol):
    """Counters, each with an end."""

    async def read(self, counters: Sequence[Counter], now: datetime) -> Mapping[Counter, Standing]:
        """Return the standing of each counter."""
        ...

    async def add(
        self, counters: Sequence[Counter], now: datetime, *, pending_until: datetime | None = None
    ) -> Sequence[Charged]:
        """Add one to each counter; pending until `pending_until`, where given."""
        ...

    async def settle(self, charged: Sequence[Charged], now: datetime, *, refund: bool) -> Mapping[Counter, Standing]:
        """Settle pending charges, or refund them with `refund`; return the standings of those in the present window."""
        ...

    async def shorten(self, counters: Sequence[Counter], now: datetime) -> None:
        """Shorten each window so that it ends no later than one that begins now."""
        ...

    async def clear_below(self, prefixes: Sequence[str]) -> None:
        """Delete all counters whose names begin with one of these prefixes."""
        ...


class Budget(Protocol):
    """A rate limit that is exact over all workers."""

    async def spend(self, *key: str) -> float | None:
        """Charge one to the key; return None, or the seconds to wait where its limit is reached."""
        ...
