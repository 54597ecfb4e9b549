"""The connections of a worker's clients: they are accepted, swept for time limits, and drained at the end."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from guestpass.app.link_cache import LinkCache
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.domain.reasons import Reason
from guestpass.gateway.fault_log import FaultLog
from guestpass.gateway.limits import Limits
from guestpass.wire.client_connection import WRITE_BUFFER, ClientConnection, ConnectionHandler
from guestpass.wire.descriptors import NoDescriptorError, require_descriptor
from guestpass.wire.runtime import Runtime

SWEEP_SECONDS: Final = 0.5
_ARRIVAL_SECONDS: Final = 2.0
_FAREWELL_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.1
_SWEPT_AT_ONCE: Final = 500
_ENDED_AT_ONCE: Final = 16
"""Ending a connection costs about thirty times as much as checking one."""
_MOST_IDLE: Final = 20
"""When full, close 1 in 20 connections at once."""


class Lifecycle:
    """Accepts, sweeps and drains. `is_out_of_date` says that what `link_cache` knows is too old to be acted on."""

    def __init__(
        self,
        runtime: Runtime,
        fault_log: FaultLog,
        limits: Limits,
        link_cache: LinkCache,
        *,
        is_out_of_date: Callable[[], bool],
    ) -> None:
        self._runtime = runtime
        self._loop = runtime.loop
        self._fault_log = fault_log
        self._limits = limits
        self._link_cache = link_cache
        self._is_out_of_date = is_out_of_date
        self._is_suspended = False
        self._clock_ahead = runtime.time() - runtime.loop.time()
        self.connections: set[ClientConnection] = set()
        self._not_reading: set[ClientConnection] = set()
        self._arriving: list[tuple[ClientConnection, float]] = []
        self._handshakes: dict[ClientConnection, tuple[str, asyncio.Task[None]]] = {}
        self._drained = asyncio.Event()
        self._looked_for_idle_at = 0.0
        self._lacked_descriptors = False
        fault_log.descriptors_used_up = self._log_descriptors

    # Accept

    def new_connection(self, handler: ConnectionHandler) -> ClientConnection:
        """The protocol for a connection that arrives at the listener of `handler`."""
        return ClientConnection(self._runtime, self, handler, patience=self._limits.caps.patience)

    def lets_in(self, connection: ClientConnection) -> bool:
        """Accept a new connection; False when its address, or the worker, has too many."""
        # With TLS it was counted when it began to shake hands.
        if self._handshakes.pop(connection, None) is None and not self._count(connection.peer):
            return False
        self.connections.add(connection)
        return True

    def lets_shake_hands(
        self, connection: ClientConnection, peer: str, shake: Callable[[], Coroutine[Any, Any, None]]
    ) -> bool:
        """Count a connection and run its TLS handshake; False when its address, or the worker, has too many."""
        if not self._count(peer):
            return False
        if not self._limits.take_handshake(peer):
            self._limits.leave(peer)
            self._fault_log.of_client(Reason.TOO_MANY_REQUESTS.value, peer, cause="a TLS handshake counts as a request")
            return False
        self._handshakes[connection] = peer, self._runtime.spawn_late(shake)
        return True

    def handshake_over(self, connection: ClientConnection) -> None:
        """Note that a handshake has ended; if it failed, the connection is no longer counted."""
        if (ended := self._handshakes.pop(connection, None)) is not None:
            self._limits.leave(ended[0])

    def _count(self, peer: str) -> bool:
        caps = self._limits.caps
        held = len(self.connections) + len(self._handshakes)
        if held >= caps.connections and not self._make_room():
            self._fault_log.faults.warn(
                "connections_used_up",
                connections=held,
                effect="new connections are closed",
                remedy="raise GUESTPASS_CONNECTIONS, the limit of open files (ulimit -n), or GUESTPASS_WORKERS",
            )
            return False
        if not self._limits.enter(peer):
            self._fault_log.of_client("too_many_connections", peer, limit=caps.connections_per_address)
            return False
        return True

    def _make_room(self) -> bool:
        """Close some connections that have no request: first the oldest handshakes, else idle ones."""
        if not self._handshakes:
            return self._close_idle()
        oldest = list(itertools.islice(self._handshakes, max(1, len(self._handshakes) // _MOST_IDLE)))
        for connection in oldest:
            self._give_up(connection)
        self._log_idle(len(oldest))
        return True

    def _give_up(self, connection: ClientConnection) -> None:
        """Cancel a handshake."""
        self._handshakes[connection][1].cancel()
        self.handshake_over(connection)

    def _close_idle(self) -> bool:
        """Close some of the connections that wait for a request; False when there are none."""
        now = self._loop.time()
        if now - self._looked_for_idle_at < SWEEP_SECONDS:
            return False
        idle = [(order, id(each), each) for each in self.connections if (order := each.idleness) is not None]
        if not idle:
            self._looked_for_idle_at = now
            return False
        oldest = heapq.nsmallest(max(1, len(self.connections) // _MOST_IDLE), idle)
        for _, _, connection in oldest:
            connection.close_if_idle()
            if not connection.is_open:
                self.connections.discard(connection)
        self._log_idle(len(oldest))
        return True

    def _log_idle(self, count: int) -> None:
        self._fault_log.faults.warn(
            "idle_connections_closed",
            count=count,
            cause="there was no room for others",
            remedy="raise GUESTPASS_CONNECTIONS, the limit of open files (ulimit -n), or GUESTPASS_WORKERS",
        )

    # Sweep

    async def sweep(self) -> None:
        """Enforce time limits until cancelled: one walk over all connections instead of a timer for each request."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._loop.time()
            self._forget_arrivals(now)
            self._suspend_when_out_of_date()
            self._follow_clock(now)
            self._fault_log.faults.sweep()
            ended = 0
            for number, connection in enumerate(tuple(self.connections)):
                if number % _SWEPT_AT_ONCE == 0 or ended == _ENDED_AT_ONCE:
                    ended = 0
                    await asyncio.sleep(0)
                try:
                    ended += connection.sweep(now)
                except Exception as error:  # noqa: BLE001 -- a fault at one connection must not end the worker
                    self._fault_log.of_task(error)
                    connection.abort()
            self._limit_unsent()
            self._check_descriptors()
            self._runtime.pool.sweep(now)

    def stops_reading(self, connection: ClientConnection) -> None:
        """Note that a client reads no more, and check at once whether too much waits in memory."""
        self._not_reading.add(connection)
        if len(self._not_reading) * WRITE_BUFFER > self._limits.caps.unsent:
            for each in self._not_reading:
                each.measure(self._loop.time())
            self._limit_unsent()

    def reads_again(self, connection: ClientConnection) -> None:
        """Note that the client reads again."""
        self._not_reading.discard(connection)

    def _limit_unsent(self) -> None:
        """While too much waits in memory for slow clients, cut those that have read nothing for longest."""
        unsent = sum(each.unsent for each in self.connections)
        if unsent <= self._limits.caps.unsent:
            return
        for connection in sorted(self.connections, key=lambda each: each.stuck_since):
            if unsent <= self._limits.caps.unsent:
                break
            if connection.unsent:
                unsent -= connection.unsent
                connection.cut_for_slowness("too much waited in memory for slow clients")

    def _check_descriptors(self) -> None:
        """Log that no descriptor is free: the system then closes what arrives, without an error of ours."""
        try:
            require_descriptor()
        except NoDescriptorError as error:
            self._log_descriptors(error)
        if self._lacked_descriptors:
            self._lacked_descriptors = False
            self._runtime.pool.close()
            self._looked_for_idle_at = 0.0
            self._make_room()

    def _log_descriptors(self, error: NoDescriptorError | DescriptorsUsedUp) -> None:
        """Log that none was free for a request; the next sweep closes idle connections."""
        self._lacked_descriptors = True
        self._fault_log.faults.warn(
            "descriptors_used_up",
            cause=str(error),
            connections=len(self.connections),
            effect="new connections are closed, and requests that need one to an environment get 503",
            remedy="raise the limit of open files (ulimit -n, LimitNOFILE), or lower GUESTPASS_CONNECTIONS",
        )

    def _follow_clock(self, now: float) -> None:
        """Re-check the links' ends after the clock was set forward: their timers run too long."""
        before, self._clock_ahead = self._clock_ahead, self._runtime.time() - now
        if self._clock_ahead - before >= SWEEP_SECONDS:
            self._link_cache.clock_moved()

    def _suspend_when_out_of_date(self) -> None:
        """Cut what is open while the link cache is out of date; admission refuses new requests."""
        was_suspended, self._is_suspended = self._is_suspended, self._is_out_of_date()
        if self._is_suspended and not was_suspended:
            self._fault_log.log.error(
                "visitors_suspended",
                cause="the database could not be read for GUESTPASS_DATABASE_GRACE, or its file is another one",
                effect="visitors get 503",
                remedy="bring the database back; visitors are then served again by themselves",
            )
        if self._is_suspended:
            self._link_cache.cut_all()
        elif was_suspended:
            self._fault_log.log.info("visitors_served_again")

    def forget(self, connection: ClientConnection) -> None:
        """Remove a connection that has ended."""
        self.connections.discard(connection)
        self._not_reading.discard(connection)
        self._limits.leave(connection.peer)
        if self._runtime.draining and not self.connections:
            self._drained.set()

    def await_arrival(self, connection: ClientConnection) -> None:
        """Remember a connection that was accepted; it is made in the next loop iteration."""
        self._arriving.append((connection, self._loop.time()))

    def _forget_arrivals(self, now: float) -> None:
        """Forget those that have been made, and those that were closed before."""
        self._arriving = [
            (connection, since)
            for connection, since in self._arriving
            if not connection.has_arrived and now - since < _ARRIVAL_SECONDS
        ]

    # Drain

    async def drain(self, seconds: float, stopping: asyncio.Event) -> None:
        """Wait until what is under way has ended, so many seconds at most; close the listeners before.

        A worker that is replaced has time: a connection that waits for its next request gets an answer to that one
        too, and WebSockets and event streams go on until shortly before the end. When `stopping` is set nobody takes
        its place, and the sooner it ends the sooner visitors are served again: then idle connections are closed at
        once, and what has no end of its own as soon as nothing else is under way.
        """
        self._runtime.draining = True
        end = self._loop.time() + seconds
        farewell = end - min(_FAREWELL_SECONDS, seconds / 4)
        while (now := self._loop.time()) < end:
            self._forget_arrivals(now)
            if not self.connections and (stopping.is_set() or not (self._arriving or self._handshakes)):
                break
            if now >= farewell or stopping.is_set():
                for connection in tuple(self.connections):
                    connection.close_if_idle()
                if now >= farewell or all(connection.is_endless for connection in self.connections):
                    for connection in tuple(self.connections):
                        connection.go_away()
            self._drained.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), _LOOK_SECONDS)
        if self.connections:
            self._fault_log.log.warning("requests_cut", count=len(self.connections), after_seconds=seconds)
        for connection in tuple(self.connections):
            connection.abort()
        for connection in tuple(self._handshakes):
            self._give_up(connection)
        self._runtime.pool.close()
