"""Publish what has changed to open pages, which then reload it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from guestpass.app.ports import Change, ChangeKind, Store
from guestpass.domain.environment import EnvironmentKey

RESYNC = "resync"
"""Changes may have been missed: what is shown must be asked for again."""
ENVIRONMENTS = "environments"
"""Some environment changed, was added or removed."""
LINKS = "links"
"""Some link changed, was made, removed or opened."""
_LONGEST_MARK = 19  # The largest number of a change, 2**63 - 1, has as many digits.


def environment_topic(id: str) -> str:
    """The topic of one environment and of what leads to it."""
    return f"environment:{id}"


def link_topic(id: str) -> str:
    """The topic of one link."""
    return f"link:{id}"


class Subscription:
    """The topics that one open page has not received yet, each once.

    `mark` is the last change that was received: a page that has lost its connection resumes there.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._newest = mark
        self._topics: dict[str, None] = {}
        self._has_topics = asyncio.Event()

    def publish(self, topics: Iterable[str], mark: str) -> None:
        """Add the topics of changes up to `mark`; may be none."""
        self._newest = mark
        self._topics.update(dict.fromkeys(topics))
        if self._topics:
            self._has_topics.set()

    async def receive(self, seconds: float) -> tuple[str, ...]:
        """Wait for topics and return all since the last call; empty after the timeout in seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_topics.wait()
        except TimeoutError:
            pass
        self._has_topics.clear()
        self.mark = self._newest
        topics, self._topics = tuple(self._topics), {}
        return topics


class LiveFeed:
    """Turn the changes of all processes into topics for subscribers, each of one organisation.

    A `mark` is the number of the newest change, which is the same in every worker: a page that one worker rendered may
    subscribe at another. `number` returns the newest change that this process has applied.
    """

    def __init__(self, store: Store, number: Callable[[], int]) -> None:
        self._store = store
        self._number = number
        self._applied = 0
        self._subscriptions: dict[Subscription, str] = {}

    @property
    def mark(self) -> str:
        """The number of the newest change, as text."""
        return str(max(self._applied, self._number()))

    @contextmanager
    def subscribe(self, org: str, since: str) -> Iterator[Subscription]:
        """Subscribe to an organisation; where changes after the mark `since` may be missing, RESYNC comes first.

        A mark ahead of ours is from a worker that has applied more, or from before a backup was restored.
        """
        known = _number(since)
        subscription = Subscription(since if known is not None else "")
        if known != int(self.mark):
            subscription.publish((RESYNC,), self.mark)
        self._subscriptions[subscription] = org
        try:
            yield subscription
        finally:
            del self._subscriptions[subscription]

    async def apply(self, changes: Sequence[Change]) -> None:
        """Publish changes; returns at once while there are no subscribers."""
        self._applied = changes[-1].number
        mark = str(self._applied)
        if not self._subscriptions:
            return
        topics_of: dict[str, dict[str, None]] = {}
        link_ids = dict.fromkeys(change.id for change in changes if change.kind in {ChangeKind.LINK, ChangeKind.VISIT})
        for change in changes:
            if change.kind is ChangeKind.ENVIRONMENT:
                key = EnvironmentKey.parse(change.id)
                topics_of.setdefault(key.org, {}).update(dict.fromkeys((ENVIRONMENTS, environment_topic(key.id))))
        gone = False
        async with self._store.reading() as work:
            for id in link_ids:
                link = await work.links.get(id)
                if link is None:
                    gone = True
                    continue
                topics = (LINKS, link_topic(id), environment_topic(link.environment.id))
                topics_of.setdefault(link.environment.org, {}).update(dict.fromkeys(topics))
        for subscription, org in self._subscriptions.items():
            # A removed link's organisation is unknown, so publish it to all; it names no link.
            subscription.publish((*topics_of.get(org, ()), *((LINKS, ENVIRONMENTS) if gone else ())), mark)

    async def reset(self) -> None:
        """Publish RESYNC: changes were missed, and their numbers may have gone back."""
        self._applied = 0
        for subscription in self._subscriptions:
            subscription.publish((RESYNC,), self.mark)


def _number(mark: str) -> int | None:
    """The number of a mark; None for a text that can't be one of ours."""
    return int(mark) if mark.isascii() and mark.isdecimal() and len(mark) <= _LONGEST_MARK else None
