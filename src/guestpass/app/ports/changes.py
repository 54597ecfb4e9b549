"""Ports of the change feed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ChangeKind(StrEnum):
    """What a row of the `changes` table is about."""

    LINK = "link"
    VISIT = "visit"  # of a link, whose numbers changed; it concerns nobody but who looks at them
    ENVIRONMENT = "environment"
    BRANDING = "branding"
    ODOO_SESSION = "odoo_session"


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed; the reader loads the thing itself.

    `id` is a link's id, ``str(EnvironmentKey)``, or a link's id and a visitor's with a slash between them.
    """

    number: int
    kind: ChangeKind
    id: str


class ChangeLog(Protocol):
    """The ordered table of changes, by which workers learn of each other's writes."""

    async def append(self, kind: ChangeKind, *ids: str) -> None:
        """Add changes of a kind, in this order."""
        ...

    async def last(self) -> int:
        """The highest number that was ever given out, 0 when none was."""
        ...


class Announcer(Protocol):
    """Called after a commit, so that this process applies its changes before the caller gets an answer."""

    async def announce(self) -> None:
        """Wait until this process's link cache has the changes committed so far."""
        ...
