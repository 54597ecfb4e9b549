"""Wake the feed by polling a SQLite file for commits."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from typing import Final

from guestpass.storage.database import Database
from guestpass.storage.feed.following import LOOK_INTERVAL_S, RETRY_INTERVAL_S, Feed
from guestpass.storage.location import SQLiteFile
from guestpass.storage.open_files import COMPANIONS

POLL_INTERVAL_S: Final = 0.015
"""How often the file is polled, in seconds.

On a small virtual machine an idle worker's feed took 0.56 % of a core and noticed a commit after 12 ms (median), 20 ms
at most; polling every 10 ms took 0.75 %.
"""


class SQLiteFeed(Feed):
    """The feed of workers that share a file.

    SQLite has no notifications. ``PRAGMA data_version`` tells a connection whether another one has
    committed; it reads shared memory, so a thread can ask often at little cost.
    """

    async def run(self) -> None:
        """Apply changes of other processes as they are committed, until cancelled."""
        assert isinstance(self._database.location, SQLiteFile)  # noqa: S101 -- `open_feed` sees to it
        wake = asyncio.Event()
        stop = threading.Event()
        watched = (self._database, asyncio.get_running_loop(), wake, stop)
        watcher = threading.Thread(target=_watch, args=watched, name="database-feed")
        watcher.start()
        try:
            await self._follow(wake, at_least_every=LOOK_INTERVAL_S)
        finally:
            stop.set()
            watcher.join()  # The thread checks `stop` every few milliseconds.


def _watch(database: Database, loop: asyncio.AbstractEventLoop, wake: asyncio.Event, stop: threading.Event) -> None:
    """Wake the loop at the start and after each commit of another connection. Runs in the feed's thread."""
    while not stop.is_set():
        # An unreadable file is reported by the reader that this wakes.
        with contextlib.suppress(sqlite3.Error):
            _watch_connection(database, loop, wake, stop)
        loop.call_soon_threadsafe(wake.set)
        stop.wait(RETRY_INTERVAL_S)


def _watch_connection(
    database: Database, loop: asyncio.AbstractEventLoop, wake: asyncio.Event, stop: threading.Event
) -> None:
    assert isinstance(database.location, SQLiteFile)  # noqa: S101 -- as above
    assert database.files is not None  # noqa: S101
    uri = f"{database.location.path.as_uri()}?mode=rw"
    lost = None
    if database.files.lost() is not None:
        # Another database has taken the path: don't open it beside this one.
        loop.call_soon_threadsafe(database.check_files)
        return
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
        cursor = connection.cursor()
        seen = None
        while not stop.is_set():
            (version,) = cursor.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                loop.call_soon_threadsafe(wake.set)
                # SQLite keeps the WAL file while this connection is open.
                database.files.remember(*COMPANIONS)
            if (found := database.files.lost()) != lost:
                lost = found
                loop.call_soon_threadsafe(database.check_files)
                loop.call_soon_threadsafe(wake.set)
            time.sleep(POLL_INTERVAL_S)  # Half the cost of `stop.wait()`.
