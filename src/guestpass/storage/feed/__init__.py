"""The feed of changes: each worker applies what any process on any machine has committed."""

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
    """Return the feed for this kind of database."""
    if isinstance(database.location, SQLiteFile):
        return SQLiteFeed(database, apply, reset, monotonic=monotonic)
    # Loaded here: it loads the driver, which takes 13 MiB.
    from guestpass.storage.feed.postgres import PostgresFeed  # noqa: PLC0415

    return PostgresFeed(database, apply, reset, monotonic=monotonic)
