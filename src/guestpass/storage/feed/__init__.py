"""The feed: each worker hears of what any process on any machine committed, and acts on it at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from guestpass.storage.database import Database
from guestpass.storage.feed.following import Apply, Feed, Reset
from guestpass.storage.feed.sqlite import SQLiteFeed
from guestpass.storage.location import SQLiteFile

__all__ = ["Feed", "SQLiteFeed", "open_feed"]


def open_feed(
    database: Database, apply: Apply, reset: Reset, *, monotonic: Callable[[], float] = time.monotonic
) -> Feed:
    """The feed of this kind of database."""
    if isinstance(database.location, SQLiteFile):
        return SQLiteFeed(database, apply, reset, monotonic=monotonic)
    # With the driver, which takes 13 MiB.
    from guestpass.storage.feed.postgres import PostgresFeed  # noqa: PLC0415

    return PostgresFeed(database, apply, reset, monotonic=monotonic)
