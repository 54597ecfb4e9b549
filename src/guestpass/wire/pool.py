"""Connections to upstreams, kept for the next request of the same visitor where the upstream allows it.

What somebody has said on a connection can change what is understood of the next request there: the rest of a body that
the application left unread, or a sign-in that holds for the connection (docs/decisions/0025).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from guestpass.wire.connector import CONNECT_TIMEOUT, Connector, UnreachableError, UpstreamOrigin
from guestpass.wire.descriptors import raise_if_used_up
from guestpass.wire.upstream_connection import FULL, SLOW, UpstreamConnection
from guestpass.wire.write_buffer import FlushQueue

IDLE_SECONDS: Final = 30.0
_FRESH_SECONDS: Final = 1.0
_MAX_IDLE: Final = 256
"""Idle connections to one upstream, of all visitors together."""

Holder = tuple[str, str | None] | None
"""The only user of a connection: a visitor, by the ids of link and visitor; None for requests to our application."""


@dataclass(frozen=True, slots=True, eq=False)
class Upstream:
    """An address to connect to, and its owner: environments never share connections, nor do revisions of one.

    Compared by identity, which costs a look-up of the pool much less than the hash of its parts.
    """

    owner: str
    revision: int
    at: UpstreamOrigin | Path


class _Kept:
    """One upstream's idle connections by holder, least recently used first, and their number."""

    __slots__ = ("by_holder", "count")

    def __init__(self) -> None:
        self.by_holder: dict[Holder, list[UpstreamConnection]] = {}
        self.count = 0


class Pool:
    """Idle connections by upstream and holder, reused last in, first out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connector: Connector, outbox: FlushQueue) -> None:
        # Kept, since until Python 3.12 each question for the running loop is a system call.
        self._loop = loop
        self._connector = connector
        self._new = partial(UpstreamConnection, outbox)
        self._idle: dict[Upstream, _Kept] = {}

    def take(
        self, upstream: Upstream, holder: Holder, preferred: UpstreamConnection | None, *, repeatable: bool
    ) -> UpstreamConnection | None:
        """Return an idle connection of the holder, the preferred one if it is idle; None if there is none.

        The upstream may be closing it at this very moment. A request that can't be repeated (RFC 9110, section
        9.2.2) only gets one that was in use a second ago and whose end has not arrived: once it is sent, nobody can
        tell any more whether it was read.
        """
        kept = self._idle.get(upstream)
        if kept is None:
            return None
        idle = kept.by_holder.get(holder)
        while idle:
            if preferred is None and not idle[-1].signs_in:
                connection = idle.pop()
            elif (chosen := _take_from(idle, preferred)) is not None:
                connection = chosen
            else:
                return None
            kept.count -= 1
            if connection.lost:
                continue
            if repeatable:
                if connection.has_unread_bytes:
                    # They are no response to a request that has yet to be sent (RFC 9112, section 9.5).
                    connection.abort()
                    continue
            else:
                if self._loop.time() - connection.idle_since > _FRESH_SECONDS:
                    idle.append(connection)
                    kept.count += 1
                    return None
                if connection.has_ended:
                    connection.abort()
                    continue
            return connection
        return None

    async def connect(self, upstream: Upstream) -> UpstreamConnection:
        """Make a connection; raises UnreachableError and NoDescriptorError."""
        if isinstance(upstream.at, UpstreamOrigin):
            return await self._connector.connect(upstream.at, self._new)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await self._loop.create_unix_connection(self._new, str(upstream.at))
        except OSError as error:
            raise_if_used_up(error)
            raise UnreachableError(str(error)) from None
        return connection

    def give_back(self, upstream: Upstream, holder: Holder, connection: UpstreamConnection) -> None:
        """Keep a connection whose last exchange ended cleanly; beyond the limit, close another one."""
        if connection.lost:
            connection.close()
            return
        kept = self._idle.get(upstream)
        if kept is None:
            kept = self._idle[upstream] = _Kept()
        if connection.pausing:
            connection.resume_reading(SLOW | FULL)
        connection.idle_since = self._loop.time()
        idle = kept.by_holder.pop(holder, None) or []
        idle.append(connection)
        kept.by_holder[holder] = idle
        kept.count += 1
        if kept.count > _MAX_IDLE:
            # Close one of this holder if it has more than an equal share, else the one idle for longest.
            holds_more = len(idle) > 1 and len(idle) * len(kept.by_holder) > _MAX_IDLE
            gives_way = idle if holds_more else next(filter(None, kept.by_holder.values()))
            gives_way.pop(0).close()
            kept.count -= 1

    def sweep(self, now: float) -> None:
        """Close connections that have been idle for IDLE_SECONDS, and forget those that are closed."""
        for upstream, kept in list(self._idle.items()):
            for holder, idle in list(kept.by_holder.items()):
                still = []
                for connection in idle:
                    if connection.lost:
                        continue
                    if now - connection.idle_since > IDLE_SECONDS:
                        connection.close()
                    else:
                        still.append(connection)
                kept.count -= len(idle) - len(still)
                if still:
                    kept.by_holder[holder] = still
                else:
                    del kept.by_holder[holder]
            if not kept.by_holder:
                del self._idle[upstream]

    def close(self) -> None:
        """Close every idle connection."""
        for kept in self._idle.values():
            for idle in kept.by_holder.values():
                for connection in idle:
                    connection.close()
        self._idle.clear()


def _take_from(idle: list[UpstreamConnection], preferred: UpstreamConnection | None) -> UpstreamConnection | None:
    """Take the preferred one, else the last on which no client signs in: such a one is its client's alone."""
    if preferred is not None and preferred in idle:
        idle.remove(preferred)
        return preferred
    for position in range(len(idle) - 1, -1, -1):
        if not idle[position].signs_in:
            return idle.pop(position)
    return None
