"""How often something may be done, counted in the memory of this process alone: it costs no database anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from limits import parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

_COUNTERS: Final = 20_000


class LocalRate:
    """So many in a window that begins with the first, such as ``30000/minute``, for each key by itself.

    `time` are Unix seconds. Raises ValueError for a rate that can't be read.
    """

    def __init__(self, rate: str, time: Callable[[], float]) -> None:
        self._rate = parse(rate)
        self._time = time
        self._limiter = FixedWindowRateLimiter(_Counters(time))

    @property
    def amount(self) -> int:
        """How many there are in one window."""
        return self._rate.amount

    def spend(self, key: str, *, cost: int = 1) -> float | None:
        """Take `cost` from what this key may still spend; the seconds until there is more where too little is left."""
        if self._limiter.test(self._rate, key, cost=cost) and self._limiter.hit(self._rate, key, cost=cost):
            return None
        return max(1.0, self._limiter.get_window_stats(self._rate, key).reset_time - self._time())

    def refund(self, key: str, *, cost: int = 1) -> None:
        """Give back what was spent."""
        self._limiter.hit(self._rate, key, cost=-cost)


class _Counters(Storage):
    """Counters with an end, as the strategies of `limits` need them.

    The library's own storage in memory walks through all of its counters in a thread, a hundred times a second where
    many come. Past _COUNTERS the oldest are forgotten.
    """

    STORAGE_SCHEME = None

    def __init__(self, time: Callable[[], float]) -> None:
        super().__init__()
        self._time = time
        self._counters: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        spent, ends_at = self._counter(key)
        if not ends_at:
            self._counters.pop(key, None)  # In the order in which windows began, so that the oldest comes first.
            self._make_room()
            ends_at = self._time() + expiry
        spent = max(0, spent + amount)
        self._counters[key] = spent, ends_at
        return spent

    def get(self, key: str) -> int:
        return self._counter(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._counter(key)[1] or self._time()

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        count = len(self._counters)
        self._counters.clear()
        return count

    def clear(self, key: str) -> None:
        self._counters.pop(key, None)

    def _counter(self, key: str) -> tuple[int, float]:
        """What was spent and until when it counts; zeros when that is over."""
        counter = self._counters.get(key)
        return counter if counter is not None and self._time() < counter[1] else (0, 0.0)

    def _make_room(self) -> None:
        if len(self._counters) < _COUNTERS:
            return
        for key in list(self._counters)[: _COUNTERS // 10]:
            del self._counters[key]
