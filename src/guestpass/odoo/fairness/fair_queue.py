"""Let a bounded number of requests at an environment at a time, in turns that are fair among its visitors.

Odoo has few workers; one visitor with a dashboard of forty tiles must not make the others wait for all of them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, Protocol

MAX_WAITING: Final = 500
MAX_WAITING_OF_ONE: Final = 100
WAIT_SECONDS: Final = 60.0


class Waiting(Protocol):
    """A request that wants a turn."""

    @property
    def visitor(self) -> str | None:
        """Whose request it is."""
        ...

    def take_turn(self) -> None:
        """It may go on now; it holds its turn until `RequestQueue.leave`."""
        ...


class RequestQueue:
    """The turns of one environment: `limit` at a time, which may be changed at any moment."""

    patience: Final = WAIT_SECONDS

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._holding: set[Waiting] = set()
        # Visitors in the order in which they are next, each with their requests in the order in which they came.
        self._waiting: OrderedDict[str | None, deque[Waiting]] = OrderedDict()
        self._count = 0
        self._is_serving = False

    def holds(self, request: Waiting) -> bool:
        """Whether the request has its turn now."""
        return request in self._holding

    def enter(self, request: Waiting) -> bool:
        """Give the request a turn, now or later; False where too many wait already."""
        if len(self._holding) < self.limit and not self._count:
            self._holding.add(request)
            request.take_turn()
            return True
        own = self._waiting.get(request.visitor)
        if self._count >= MAX_WAITING or (own is not None and len(own) >= MAX_WAITING_OF_ONE):
            return False
        if own is None:
            own = self._waiting[request.visitor] = deque()
        own.append(request)
        self._count += 1
        return True

    def leave(self, request: Waiting) -> None:
        """The request needs its turn no more, or no longer waits for one."""
        if request in self._holding:
            self._holding.discard(request)
        elif self._count:
            self._give_up(request)
        # A request may leave as soon as it has its turn, as each does whose link has ended. The loop that gave it the
        # turn goes on with the next: a call within a call for each would end the interpreter's stack.
        if self._count and not self._is_serving:
            self._is_serving = True
            try:
                self._serve()
            finally:
                self._is_serving = False

    def _serve(self) -> None:
        """Give turns while there are any."""
        while self._count and len(self._holding) < self.limit:
            visitor, own = self._waiting.popitem(last=False)
            following = own.popleft()
            self._count -= 1
            if own:
                self._waiting[visitor] = own
            self._holding.add(following)
            following.take_turn()

    def _give_up(self, request: Waiting) -> None:
        """Take a request out of those that wait, where it is one of them."""
        own = self._waiting.get(request.visitor)
        if own is not None and request in own:
            own.remove(request)
            self._count -= 1
            if not own:
                del self._waiting[request.visitor]
