"""Connections to upstreams, kept for the next request where the upstream allows it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from guestpass.domain.environment import Environment
from guestpass.gateway.connector import CONNECT_TIMEOUT, Connector, Origin, UnreachableError
from guestpass.gateway.descriptors import raise_if_used_up
from guestpass.gateway.outgoing import Outbox
from guestpass.gateway.upstream_side import FULL, SLOW, UpstreamConnection

IDLE_SECONDS: Final = 30.0
_FRESH_SECONDS: Final = 1.0
_MAX_IDLE: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Upstream:
    """Where to connect, and for whom: environments never share connections, nor do revisions of one.

    Compared by identity, which costs a look-up of the pool much less than the hash of its parts.
    """

    owner: str
    revision: int
    at: Origin | Path

    @classmethod
    def of_environment(cls, environment: Environment, url: str) -> Upstream:
        """The upstream behind one of the environment's addresses."""
        return cls(str(environment.key), environment.revision, Origin.of(environment, url))


class Pool:
    """Idle connections by upstream; the last one given back is taken first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connector: Connector, outbox: Outbox) -> None:
        # Kept, since until Python 3.12 each question for the running loop is a system call.
        self._loop = loop
        self._connector = connector
        self._new = partial(UpstreamConnection, outbox)
        self._idle: dict[Upstream, list[UpstreamConnection]] = {}

    def take(self, upstream: Upstream, *, repeatable: bool) -> UpstreamConnection | None:
        """An idle connection.

        The upstream may be closing it at this very moment. A request that can't be repeated (RFC 9110, section
        9.2.2) only gets one that was in use a second ago and whose end has not arrived: once it is sent, nobody could
        tell any more whether it was read.
        """
        idle = self._idle.get(upstream)
        while idle:
            connection = idle.pop()
            if connection.lost:
                continue
            if connection.has_unread_bytes:
                # Nobody asked for them, so they are no answer to whoever asks now (RFC 9112, section 9.5).
                connection.abort()
                continue
            if not repeatable:
                if self._loop.time() - connection.idle_since > _FRESH_SECONDS:
                    idle.append(connection)
                    return None
                if connection.has_ended:
                    connection.abort()
                    continue
            return connection
        return None

    async def connect(self, upstream: Upstream) -> UpstreamConnection:
        """A new connection; raises UnreachableError and DescriptorsUsedUp."""
        if isinstance(upstream.at, Origin):
            return await self._connector.connect(upstream.at, self._new)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await self._loop.create_unix_connection(self._new, str(upstream.at))
        except OSError as error:
            raise_if_used_up(error)
            raise UnreachableError(str(error)) from None
        return connection

    def give_back(self, upstream: Upstream, connection: UpstreamConnection) -> None:
        """Keep a connection whose last exchange ended cleanly."""
        idle = self._idle.setdefault(upstream, [])
        if connection.lost or len(idle) >= _MAX_IDLE:
            connection.close()
            return
        connection.resume_reading(SLOW | FULL)
        connection.idle_since = self._loop.time()
        idle.append(connection)

    def sweep(self, now: float) -> None:
        """Close what has been idle for long, or is closed already."""
        for upstream, idle in list(self._idle.items()):
            kept = []
            for connection in idle:
                if connection.lost:
                    continue
                if now - connection.idle_since > IDLE_SECONDS:
                    connection.close()
                else:
                    kept.append(connection)
            if kept:
                self._idle[upstream] = kept
            else:
                del self._idle[upstream]

    def close(self) -> None:
        """Close every idle connection."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
