"""Whose turn it is where only one can write: visitors before owners, and each of those as often as the others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from guestpass.domain.access import Principal


class Lane(IntEnum):
    """Who waits, in the order in which they go first. A lane that others overtake is served all the same, now and then.

    What somebody waits for in front of a page goes before what an owner's program does, and that before what nobody
    waits for.
    """

    VISITORS = 0
    OWNERS = 1
    BACKGROUND = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """Who wants to write. Groups of a lane take turns, and so do the members of a group."""

    lane: Lane
    group: str = ""
    member: str = ""


VISITORS: Final = Turn(Lane.VISITORS)
OWNERS: Final = Turn(Lane.OWNERS)
BACKGROUND: Final = Turn(Lane.BACKGROUND)


def visitors_of(link_id: str) -> Turn:
    """What visitors of this link need before they are let in."""
    return Turn(Lane.VISITORS, link_id)


def owner(principal: Principal) -> Turn:
    """What a principal changes: organisations take turns, and the principals of each."""
    return Turn(Lane.OWNERS, principal.org, principal.sub)
