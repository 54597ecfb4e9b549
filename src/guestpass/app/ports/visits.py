"""Ports of the stores of visits, places and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import Refusal, Visitor


class SlotResult(Enum):
    """The result of taking a place."""

    TAKEN = "taken"
    RECLAIMED = "reclaimed"  # taken from expired reservations, whose visits have ended
    HELD = "held"  # the visitor has it already
    FULL = "full"
    GONE = "gone"  # the link is gone or has another version, or the visit was ended


@dataclass(frozen=True, slots=True)
class Origin:
    """A visitor's address, browser and system; None where unknown or not to be stored."""

    address: str | None
    browser: str | None
    system: str | None


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of one visitor since the worker's last write.

    `starts` are the times at which a visit began, oldest first: each a pair of time and whether it was an opening
    (always a visit) or a request after silence as far as this worker knows (a visit only where the database knows of no
    later request). `further` counts more openings by the hour's beginning, and `newcomers` the new visitors where
    `visitor` is OTHERS. `last_seen` is the newest request, `present_at` the newest moment at which something was open;
    None where there was none. `origin` is the newest opening's. `link_version` is the pass's, None where it was not
    seen, and `came_back` is whether a request has brought the pass.
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
    """The store of visitors and of links' histories."""

    async def record(self, activities: Sequence[Activity]) -> None:
        """Record activities, exactly once over any number of workers.

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
        """Count all visitors of a link."""
        ...

    async def live(self, link_ids: Sequence[str], since: datetime) -> dict[str, int]:
        """Count each link's visitors seen or present after `since`; links without any are left out."""
        ...

    async def live_by_environment(self, org: str, since: datetime) -> dict[str, int]:
        """Count them by environment of an organisation."""
        ...

    async def hours(self, link_id: str, since: datetime) -> dict[datetime, int]:
        """Count visits by the hour in which they began, from `since` on; hours without any are left out."""
        ...

    async def add_events(self, events: Sequence[LinkEvent]) -> None:
        """Append to links' histories; events of links that are gone are dropped."""
        ...

    async def newest_events(
        self, link_id: str, *, kinds: Sequence[EventKind], before: tuple[datetime, int] | None, limit: int
    ) -> list[LinkEvent]:
        """The newest `limit` events of these kinds that lie before `before` (time, number), newest first."""
        ...


class Places(Protocol):
    """The store of links' places and of ended visits."""

    async def take_place(
        self, link_id: str, visitor: str, version: int, at: datetime, *, reserved_until: datetime
    ) -> SlotResult:
        """Take a place for a pass of this version; exact over any number of workers.

        Visitors hold a place while their visit is not ended and their pass is of the link's present version. Until a
        request brings the pass it is reserved until `reserved_until`; after that, a full link gives it to others.
        """
        ...

    async def free_place(
        self, link_id: str, visitor: str, at: datetime, *, reserved_until: datetime | None = None
    ) -> None:
        """End the reservation of a visitor who left before the answer came.

        With `reserved_until`, only if it was not renewed by another request of the same browser.
        """
        ...

    async def give_place_back(self, link_id: str, visitor: str, *, reserved_until: datetime) -> None:
        """Delete a visitor who took a place, got no answer, and has sent no request since."""
        ...

    async def places_taken(self, link_ids: Sequence[str], now: datetime) -> dict[str, int]:
        """Count the taken places of each link, as `take_place` does; links without any are left out."""
        ...

    async def end(self, link_id: str, visitor: str, at: datetime) -> bool:
        """End a visit and free its place; False where there was none, or it was ended already."""
        ...

    async def leave(
        self, link_id: str, visitor: str, version: int, at: datetime, *, distinguished: bool = True
    ) -> bool:
        """End the visit of somebody who leaves, also where no row of theirs was written yet.

        Visitors who are not `distinguished` are not listed.
        """
        ...

    async def ended(self, link_id: str) -> frozenset[str]:
        """Return the visitors whose visits were ended and whose passes are of the present version."""
        ...

    async def ended_of(self, link_id: str, given: Sequence[str]) -> frozenset[str]:
        """Return those of the given visitors whose visits were ended, whatever the version of their passes."""
        ...


class Refusals(Protocol):
    """The store of refusals, the newest REFUSALS_KEPT of each link."""

    async def add(self, refusals: Sequence[Refusal]) -> None:
        """Append, and delete the oldest beyond the bound; refusals at removed links are dropped."""
        ...

    async def of_link(self, link_id: str) -> list[Refusal]:
        """The link's refusals, newest first."""
        ...


class EndsWithLink(Protocol):
    """An open exchange or tunnel that must end when its link does; `visitor` is the identity in the pass."""

    @property
    def visitor(self) -> str | None: ...

    def cut(self) -> None:
        """End it at once, so that the client sees an incomplete response."""
        ...
