"""What may happen so often, exact over all workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Counter:
    """Something that may happen `amount` times in a `window` that begins with the first time."""

    key: str
    amount: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """How a counter stands: what was spent, how much of that is pending, and when all may be spent again."""

    spent: int
    pending: int
    ends_at: datetime

    @property
    def counted(self) -> int:
        """What was spent and can't be given back any more."""
        return self.spent - self.pending


@dataclass(frozen=True, slots=True)
class Charged:
    """That one was added to a counter, in the window that ends then."""

    counter: Counter
    ends_at: datetime


class Batches(Protocol):
    """Which batch each worker wrote last, so that one whose commit was not answered is written once."""

    async def begin(self, worker: str, number: int, now: datetime) -> bool:
        """Note that this unit of work writes a worker's batch; False where that was written already.

        A worker numbers its batches upwards, and begins none before it knows what became of the former.
        """
        ...


class Counters(Protocol):
    """Counters, each with an end."""

    async def read(self, counters: Sequence[Counter], now: datetime) -> Mapping[Counter, Standing]:
        """How each of them stands."""
        ...

    async def add(
        self, counters: Sequence[Counter], now: datetime, *, pending_until: datetime | None = None
    ) -> Sequence[Charged]:
        """Add one to each; it is pending where until when is given."""
        ...

    async def settle(self, charged: Sequence[Charged], now: datetime, *, refund: bool) -> Mapping[Counter, Standing]:
        """End that these are pending, and take them back with `refund`; how those of them stand that count still."""
        ...

    async def shorten(self, counters: Sequence[Counter], now: datetime) -> None:
        """End none of them later than if it began now."""
        ...

    async def clear_below(self, prefixes: Sequence[str]) -> None:
        """Forget all whose names begin so."""
        ...


class Budget(Protocol):
    """How often something may be done, exact over all workers."""

    async def spend(self, *key: str) -> float | None:
        """Take one from what this key may still spend; the seconds until there is more where nothing is left."""
        ...
