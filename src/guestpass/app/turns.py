"""The order in which writers take the write lock: visitors first, fairly among links and owners."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from guestpass.domain.access import Principal


class Lane(IntEnum):
    """Priorities of writers, the first served first; lower ones are served now and then as well.

    Visitors wait in front of a page, owners' programs can wait a little, and for background work nobody waits.
    """

    VISITORS = 0
    OWNERS = 1
    BACKGROUND = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """A writer's place in the order: groups of a lane alternate, and so do the members of a group."""

    lane: Lane
    group: str = ""
    member: str = ""


VISITORS: Final = Turn(Lane.VISITORS)
OWNERS: Final = Turn(Lane.OWNERS)
BACKGROUND: Final = Turn(Lane.BACKGROUND)


def visitors_of(link_id: str) -> Turn:
    """The turn of a link's visitors."""
    return Turn(Lane.VISITORS, link_id)


def owner(principal: Principal) -> Turn:
    """The turn of a principal: organisations alternate, and so do the principals of each."""
    return Turn(Lane.OWNERS, principal.org, principal.sub)
