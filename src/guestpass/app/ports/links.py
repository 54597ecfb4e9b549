"""Ports of the store of links and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import ShareLink, ShareType, Status


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """The link of a token hash, and when a rotation retired it."""

    link_id: str
    retired_at: datetime | None


class LinkSort(StrEnum):
    """The sort orders of lists of links."""

    CREATED = "created"
    EXPIRES = "expires"
    LAST_OPENED = "lastOpened"
    LABEL = "label"
    VISITS = "visits"


SortKey = tuple[datetime | str | int | None, str]
"""A link's position in a sorted list: the sorted value and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFilter:
    """Which of an organisation's links are wanted; None for what doesn't matter.

    Each word of `text` is looked for in label, note, id and the environment's name, as `searchable` has them.
    `expires_before` leaves out what isn't active. `now` is what the status is of.
    """

    org: str
    now: datetime
    text: str | None = None
    environment_id: str | None = None
    status: Status | None = None
    share_type: ShareType | None = None
    created_by: str | None = None
    expires_before: datetime | None = None


class Links(Protocol):
    """The store of links and their tokens."""

    async def add(self, link: ShareLink, token_hash: bytes, sealed_token: bytes) -> None: ...

    async def update(self, link: ShareLink) -> bool:
        """Overwrite the fields that owners change, and no counts of visits; False when it is gone."""
        ...

    async def replace_token(self, id: str, token_hash: bytes, sealed_token: bytes, at: datetime) -> None:
        """Retire the link's token and give it another."""
        ...

    async def get(self, id: str) -> ShareLink | None: ...

    async def sealed_tokens(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The current sealed token of each link that exists."""
        ...

    async def by_environment(
        self, key: EnvironmentKey, *, now: datetime, status: Status | None = None
    ) -> list[ShareLink]:
        """The environment's links, newest first; with `status`, those in that state at `now`."""
        ...

    async def find(
        self,
        wanted: LinkFilter,
        *,
        sort: LinkSort,
        descending: bool,
        after: SortKey | None,
        limit: int,
    ) -> list[ShareLink]:
        """The first `limit` links behind `after`; those that were never opened come last either way."""
        ...

    async def count(self, wanted: LinkFilter) -> int:
        """Count all links that match."""
        ...

    async def count_active(self, org: str, now: datetime) -> dict[str, int]:
        """How many links of each environment are active at `now`; without those that have none."""
        ...

    async def by_token_hash(self, token_hash: bytes) -> TokenRecord | None: ...

    async def deactivate(self, id: str, at: datetime) -> bool:
        """One conditional statement; False when the link is gone or was deactivated before."""
        ...

    async def deactivate_many(self, org: str, ids: Sequence[str], at: datetime) -> tuple[set[str], set[str]]:
        """Those of the organisation's that are deactivated by now, and those of them that were before."""
        ...

    async def remove(self, id: str) -> bool:
        """Delete with tokens, visitors and events; False when there was none."""
        ...
