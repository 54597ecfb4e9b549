from __future__ import annotations

import pytest
from tests.storage.samples import LINK_ID, keep, make_environment, make_link

from guestpass.app.live import RESYNC, LiveFeed
from guestpass.app.ports import Change, ChangeKind
from guestpass.domain.environment import EnvironmentKey
from guestpass.storage.database import Database


class Feed:
    """A LiveFeed over the number that a feed would have."""

    def __init__(self, database: Database) -> None:
        self.number = 0
        self.live = LiveFeed(database, lambda: self.number)

    async def tell(self, kind: ChangeKind, id: str) -> None:
        """One more change, as the feed hands it on: its own number grows once it was applied."""
        await self.live.apply([Change(self.number + 1, kind, id)])
        self.number += 1


@pytest.fixture
def feed(database: Database) -> Feed:
    return Feed(database)


async def test_a_change_is_told_to_its_organisation_alone(feed: Feed, database: Database) -> None:
    await keep(database, make_environment(), make_link())
    with feed.live.subscribe("default", "0") as ours, feed.live.subscribe("acme", "0") as theirs:
        await feed.tell(ChangeKind.ENVIRONMENT, "default/staging")
        assert set(await ours.receive(0)) == {"environments", "environment:staging"}
        for kind in (ChangeKind.LINK, ChangeKind.VISIT):
            await feed.tell(kind, LINK_ID)
            assert set(await ours.receive(0)) == {"links", f"link:{LINK_ID}", "environment:staging"}
        assert await theirs.receive(0) == ()


async def test_that_a_link_is_gone_is_told_without_its_name(feed: Feed) -> None:
    """Nobody knows any more whose it was."""
    with feed.live.subscribe("default", "0") as ours, feed.live.subscribe("acme", "0") as theirs:
        await feed.tell(ChangeKind.LINK, LINK_ID)
        assert set(await ours.receive(0)) == {"links", "environments"}
        assert set(await theirs.receive(0)) == {"links", "environments"}


async def test_what_is_told_many_times_meanwhile_is_heard_once(feed: Feed) -> None:
    with feed.live.subscribe("default", "0") as subscription:
        for _ in range(1000):
            await feed.tell(ChangeKind.ENVIRONMENT, str(EnvironmentKey("default", "staging")))
        assert len(await subscription.receive(0)) == 2
        assert await subscription.receive(0) == ()


async def test_who_was_not_there_is_told_to_ask_again(feed: Feed) -> None:
    mark = feed.live.mark
    with feed.live.subscribe("default", mark) as subscription:
        assert await subscription.receive(0) == ()
    await feed.tell(ChangeKind.ENVIRONMENT, "default/staging")
    # What is ahead may be of a database that was there before a backup was restored, or of a worker that knows more:
    # then it is asked for once too often, which does no harm.
    for missed in (mark, str(int(feed.live.mark) + 5), "", "nonsense", "-1", "٣", "9" * 5000):
        with feed.live.subscribe("default", missed) as subscription:
            assert await subscription.receive(0) == (RESYNC,)
            assert subscription.mark == feed.live.mark
    with feed.live.subscribe("default", feed.live.mark) as subscription:
        assert await subscription.receive(0) == ()


async def test_what_is_told_carries_its_own_moment(feed: Feed) -> None:
    """Who reconnects with the mark that came with the last event has missed nothing, whatever was told since."""
    with feed.live.subscribe("default", "0") as subscription:
        assert subscription.mark == "0"
        await feed.tell(ChangeKind.ENVIRONMENT, "default/staging")
        await subscription.receive(0)
        await feed.tell(ChangeKind.ENVIRONMENT, "default/staging")
        assert subscription.mark == "1"
        assert await subscription.receive(0) == ("environments", "environment:staging")
        # What others did is nothing to be told, and nothing to be asked for again.
        await feed.tell(ChangeKind.ENVIRONMENT, "acme/theirs")
        assert await subscription.receive(0) == ()
        assert subscription.mark == feed.live.mark == "3"


async def test_what_was_missed_stays_missed_until_it_was_told(feed: Feed) -> None:
    await feed.tell(ChangeKind.ENVIRONMENT, "default/staging")
    with feed.live.subscribe("default", "0") as subscription:
        assert subscription.mark == "0"
        assert await subscription.receive(0) == (RESYNC,)
        assert subscription.mark == "1"


async def test_after_a_restore_everybody_asks_again_and_numbers_begin_where_they_are(feed: Feed) -> None:
    with feed.live.subscribe("default", "0") as subscription:
        await feed.live.apply([Change(40, ChangeKind.ENVIRONMENT, "default/staging")])
        await subscription.receive(0)
        await feed.live.reset()
        feed.number = 12
        assert await subscription.receive(0) == (RESYNC,)
        assert feed.live.mark == "12"
        await feed.live.apply([Change(13, ChangeKind.ENVIRONMENT, "acme/theirs")])
        await subscription.receive(0)
        assert subscription.mark == "13"
