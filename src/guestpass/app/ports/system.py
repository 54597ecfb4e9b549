"""Ports of the clock, random bytes and local rate limits."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Now, as an aware UTC datetime."""
        ...


class Entropy(Protocol):
    """Unpredictable bytes."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes fit for secrets."""
        ...


class Rate(Protocol):
    """How often something may be done, as far as this process knows."""

    def spend(self, key: str, *, cost: int = 1) -> float | None:
        """Take `cost` from what this key may still spend; the seconds until there is more where too little is left."""
        ...

    def refund(self, key: str, *, cost: int = 1) -> None:
        """Give back what was spent."""
        ...
