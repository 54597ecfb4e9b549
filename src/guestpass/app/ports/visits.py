"""Visits, places and refusals: where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import Refusal, Visitor


class SlotResult(Enum):
    """What came of the wish for one of a link's places."""

    TAKEN = "taken"
    RECLAIMED = "reclaimed"  # taken from reservations that were over: those visits have ended
    HELD = "held"  # by this very visitor, from before
    FULL = "full"
    GONE = "gone"  # the link is, or has another version, or the visit was ended


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a visitor comes from, and with what; None for what is not known or not to be kept."""

    address: str | None
    browser: str | None
    system: str | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What a worker saw of one visitor since it last told the database.

    `starts` are the times at which a visit began, oldest first: each a pair of time and whether it was
    an opening (always a visit) or a request after silence as far as this worker knows (a visit only
    where the database knows of no later request). `further` are more openings, so many in each hour (by its
    beginning), which are counted and not told one by one, and `newcomers` is how many more the visitors are where
    `visitor` is OTHERS. `last_seen` is the newest request, `present_at` the newest moment at which something was open;
    None where there was none. `origin` is what the newest opening told of the visitor. `link_version` is the one in
    their pass, None where that was not seen, and `came_back` says that a request has brought the pass.
    """

    link_id: str
    visitor: str
    starts: tuple[tuple[datetime, bool], ...]
    last_seen: datetime | None = None
    present_at: datetime | None = None
    origin: Origin | None = None
    further: tuple[tuple[datetime, int], ...] = ()
    newcomers: int = 0
    link_version: int | None = None
    came_back: bool = False


class Visits(Protocol):
    """Where visitors and a link's history are kept."""

    async def record(self, activities: Sequence[Activity]) -> None:
        """Add what workers saw, exactly once over any number of workers.

        For each start: an insert into visitors, or an update on the condition that it was an opening
        or that the known `last_seen` lies at least VISIT_SILENCE back. Counts on the link and for its hours follow
        from what was really inserted or updated, each counted start is an `opened` event. Activities of
        links that are gone are dropped.
        """
        ...

    async def visitor(self, link_id: str, visitor: str) -> Visitor | None: ...

    async def visitors(self, link_id: str, *, after: tuple[datetime, int] | None, limit: int) -> list[Visitor]:
        """The first `limit` visitors behind `after` (last seen, number), those seen last first."""
        ...

    async def count_visitors(self, link_id: str) -> int:
        """How many visitors `visitors` has, over all."""
        ...

    async def live(self, link_ids: Sequence[str], since: datetime) -> dict[str, int]:
        """How many visitors of each link showed a sign of life after `since`; without those that have none."""
        ...

    async def live_by_environment(self, org: str, since: datetime) -> dict[str, int]:
        """The same for each of an organisation's environments."""
        ...

    async def hours(self, link_id: str, since: datetime) -> dict[datetime, int]:
        """How many visits began in each hour from `since` on, by the hour's beginning; without those that have none."""
        ...

    async def add_events(self, events: Sequence[LinkEvent]) -> None:
        """Append to links' histories; events of links that are gone are dropped."""
        ...

    async def events(self, link_id: str) -> list[LinkEvent]:
        """A link's history, oldest first."""
        ...

    async def newest_events(
        self, link_id: str, *, kinds: Sequence[EventKind], before: tuple[datetime, int] | None, limit: int
    ) -> list[LinkEvent]:
        """The newest `limit` events of these kinds that lie before `before` (time, number), newest first."""
        ...


class Places(Protocol):
    """Where it is kept whom a link has let in, and whose visits have ended."""

    async def take_place(
        self, link_id: str, visitor: str, version: int, at: datetime, *, reserved_until: datetime
    ) -> SlotResult:
        """Let a visitor in with a pass of this version, where the link has room; exact over any number of workers.

        A place is held by whose visit was not ended and whose pass is of the link's present version. Until the pass has
        come back it is reserved for so long; where all others are taken, it goes on to somebody else after that.
        """
        ...

    async def free_place(
        self, link_id: str, visitor: str, at: datetime, *, reserved_until: datetime | None = None
    ) -> None:
        """End a reservation: who holds the place has left before the answer came.

        With `reserved_until` only while it is still this one: the same browser may have asked again.
        """
        ...

    async def give_place_back(self, link_id: str, visitor: str, *, reserved_until: datetime) -> None:
        """Forget a visitor who has taken a place, was never told so, and has done nothing since, as asking again."""
        ...

    async def places_taken(self, link_ids: Sequence[str], now: datetime) -> dict[str, int]:
        """How many places of each link are taken, by the rule of `take_place`; without those that have none."""
        ...

    async def end(self, link_id: str, visitor: str, at: datetime) -> bool:
        """End a visit, so that its place is free; False where there was none, or it was over before."""
        ...

    async def leave(
        self, link_id: str, visitor: str, version: int, at: datetime, *, distinguished: bool = True
    ) -> bool:
        """The same for whoever leaves by themselves, also where nothing of them was written yet.

        Who is not `told_apart` from others is in no list.
        """
        ...

    async def ended(self, link_id: str) -> frozenset[str]:
        """The visitors of a link whose visits were ended, and whose passes would otherwise open it."""
        ...

    async def ended_of(self, link_id: str, given: Sequence[str]) -> frozenset[str]:
        """Those of these visitors whose visits were ended, whatever their passes are worth by now."""
        ...


class Refusals(Protocol):
    """Where it is kept who was turned away at links, the newest REFUSALS_KEPT of each."""

    async def add(self, refusals: Sequence[Refusal]) -> None:
        """Append, and forget what is too old; refusals at links that are gone are dropped."""
        ...

    async def of_link(self, link_id: str) -> list[Refusal]:
        """The link's refusals, newest first."""
        ...


class EndsWithLink(Protocol):
    """An open exchange or tunnel that must end when its link does; `visitor` is the identity in the pass."""

    @property
    def visitor(self) -> str | None: ...

    def cut(self) -> None:
        """End it at once; what was under way must not look complete."""
        ...
