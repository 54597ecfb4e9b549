"""What all connections of one worker share, and the sweep that gives them time limits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from guestpass.app.link_cache import LinkCache, LinkEntry
from guestpass.app.notices import NoticeRenderer
from guestpass.app.ports import Budget, Entropy
from guestpass.app.public_urls import PublicUrls
from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import Environment, EnvironmentKey, Kind
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.domain.reasons import Reason
from guestpass.domain.visit import AddressDetail, shown_address
from guestpass.gateway.cookies import CookieReader
from guestpass.gateway.entry_tickets import EntryTickets
from guestpass.gateway.limits import Limits
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.upstreams import upstream_of
from guestpass.odoo.assets.cache import AssetCache
from guestpass.odoo.fairness.spool import SpoolRoom
from guestpass.odoo.profile import OdooProfile
from guestpass.signing.passes import PassSigner
from guestpass.storage.outages import OUTAGES, cause_of
from guestpass.telemetry import Faults
from guestpass.wire.client_connection import WRITE_BUFFER, ClientConnection
from guestpass.wire.connector import Connector
from guestpass.wire.descriptors import NoDescriptorError, require_descriptor
from guestpass.wire.heads import RequestHead
from guestpass.wire.pool import Pool, Upstream
from guestpass.wire.run_queue import RunQueue
from guestpass.wire.write_buffer import FlushQueue

SWEEP_SECONDS: Final = 0.5
_ARRIVAL_SECONDS: Final = 2.0
_FAREWELL_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.1
_SWEPT_AT_ONCE: Final = 500
_ENDED_AT_ONCE: Final = 16
"""To end a connection costs some thirty times as much as to look at one."""
_MOST_IDLE: Final = 20
"""One of so many connections is closed at once where there is no room for another."""


class Way:
    """How requests go to an environment.

    `learn` is called with the name of a cookie that it turns out to set HttpOnly; `response_timeout` are seconds.
    """

    __slots__ = ("_bus", "_bus_paths", "_plain", "environment", "learn", "response_timeout")

    def __init__(
        self, environment: Environment, plain: Upstream, bus: Upstream, learn: Callable[[bytes], None]
    ) -> None:
        self.environment = environment
        self._plain = plain
        self._bus = bus
        is_odoo = environment.kind is Kind.ODOO
        self._bus_paths = (b"/websocket", b"/longpolling/") if is_odoo else (b"/websocket",)
        self.learn = learn
        self.response_timeout = environment.response_timeout.total_seconds()

    def upstream_for(self, target: bytes) -> Upstream:
        """Where a request goes: `websocketUrl` serves ``/websocket*``, and ``/longpolling/*`` of older Odoos."""
        return self._bus if target.startswith(self._bus_paths) else self._plain


class Gateway:
    """The data plane of one worker, of which a machine has `workers`.

    `time` is the wall clock in Unix seconds, `desk` the socket of our application. `previews` lets each ticket of an
    owner's preview through once, `entries` each that leads to a link's own host. `shows` says how much of clients'
    addresses the log may have. `is_out_of_date` says that what `directory` knows is too old to be acted on.
    """

    def __init__(
        self,
        *,
        addresses: PublicUrls,
        directory: LinkCache,
        visits: VisitLog,
        places: VisitorSlots,
        previews: Budget,
        entries: Budget,
        passes: PassSigner,
        notices: NoticeRenderer,
        connector: Connector,
        proxies: TrustedProxies,
        crowd: Limits,
        shows: AddressDetail,
        desk: Path,
        spool: SpoolRoom,
        assets: AssetCache,
        sessions: VisitorSessions,
        entropy: Entropy,
        workers: int,
        time: Callable[[], float],
        is_out_of_date: Callable[[], bool],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.addresses = addresses
        self.secure = addresses.secure
        self.shares_origin = addresses.link_domain is None
        self.directory = directory
        self.visits = visits
        self.places = places
        self.previews = previews
        self.passes = passes
        self.notices = notices
        self.proxies = proxies
        self.crowd = crowd
        self._shows = shows
        self.workers = workers
        self.time = time
        self.loop = asyncio.get_running_loop()
        self.is_out_of_date = is_out_of_date
        self._is_suspended = False
        self._clock_ahead = time() - self.loop.time()
        self.cookies = CookieReader(passes, secure=self.secure, shares_origin=self.shares_origin)
        self.outbox = FlushQueue(self.loop)
        self.run_queue = RunQueue(self.loop)
        self.pool = Pool(self.loop, connector, self.outbox)
        self.desk = Upstream("desk", 0, desk)
        self.connections: set[ClientConnection] = set()
        self._not_reading: set[ClientConnection] = set()
        self.draining = False
        self._drained = asyncio.Event()
        self._arriving: list[tuple[ClientConnection, float]] = []
        self._handshakes: dict[ClientConnection, tuple[str, asyncio.Task[None]]] = {}
        self.log = structlog.get_logger("guestpass.gateway")
        self.faults = Faults(self.log)
        self.entries = EntryTickets(entries, time, self.tell_of_database)
        self._looked_for_idle_at = 0.0
        self._lacked_descriptors = False
        spool.failed = self._tell_of_spool
        self.odoo = OdooProfile(self, spool, assets, connector, sessions, entropy)
        self._tasks = tasks
        self._request_ids = map(f"{secrets.token_hex(4)}-{{:x}}".format, itertools.count(1))
        self._ways: dict[int, Way] = {}
        self._upstreams: dict[tuple[EnvironmentKey, datetime, int, str | None], tuple[Upstream, Upstream]] = {}

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine, owned by the worker's task group; a mistake in it ends one request and no more."""
        self._tasks.create_task(self._guard(work))

    def next_request_id(self) -> str:
        """An id for one request, unique over workers: what a page shows, the log has."""
        return next(self._request_ids)

    def tell_of_database(self, error: Exception) -> str:
        """Say in the log that the database didn't answer, under the id of a request, which this returns."""
        request_id = self.next_request_id()
        self.faults.tell("database_unavailable", request_id=request_id, exc_info=error)
        return request_id

    def way_to(self, environment: Environment) -> Way:
        """How requests go to an environment; found by the very object, which is the same for request after request."""
        way = self._ways.get(id(environment))
        if way is None or way.environment is not environment:
            if len(self._ways) > 10_000:
                self._ways.clear()
            plain, bus = self._upstreams_of(environment)
            way = self._ways[id(environment)] = Way(environment, plain, bus, self._learner(environment.key))
        return way

    def _upstreams_of(self, environment: Environment) -> tuple[Upstream, Upstream]:
        # Revisions begin anew where an environment is removed and another gets its id.
        key = (environment.key, environment.created_at, environment.revision, environment.websocket_upstream)
        pair = self._upstreams.get(key)
        if pair is None:
            if len(self._upstreams) > 10_000:
                self._upstreams.clear()
            plain = upstream_of(environment, environment.url)
            websocket = environment.websocket_upstream
            pair = (plain, upstream_of(environment, websocket) if websocket else plain)
            self._upstreams[key] = pair
        return pair

    def _learner(self, key: EnvironmentKey) -> Callable[[bytes], None]:
        return lambda name: self.visits.learned(key, name.decode("latin-1"))

    def turned_away(self, link: LinkEntry, reason: Reason, peer: str, head: RequestHead, request_id: str) -> None:
        """A person did not get in; the page that says so names the same request."""
        self.visits.refused(
            link.link.id,
            self.time(),
            reason.value,
            self.proxies.client_address(peer, head),
            request_id=request_id,
            user_agent=head.values.get(b"user-agent", b"").decode("latin-1"),
        )

    def lets_in(self, connection: ClientConnection) -> bool:
        """Take a new connection; False where there must be no more, from its address or at all."""
        # With TLS it was counted when it began to shake hands.
        if self._handshakes.pop(connection, None) is None and not self._count(connection.peer):
            return False
        self.connections.add(connection)
        return True

    def lets_shake_hands(
        self, connection: ClientConnection, peer: str, shake: Callable[[], Coroutine[Any, Any, None]]
    ) -> bool:
        """Count a connection that begins with a handshake, and run that; False where there must be no more."""
        if not self._count(peer):
            return False
        if not self.crowd.take_handshake(peer):
            self.crowd.leave(peer)
            self.tell_of_client(Reason.TOO_MANY_REQUESTS.value, peer, cause="a TLS handshake counts as a request")
            return False
        self._handshakes[connection] = peer, self._tasks.create_task(self._run_handshake(shake))
        return True

    async def _run_handshake(self, shake: Callable[[], Coroutine[Any, Any, None]]) -> None:
        # Made here, so that one which is given up before it begins is none that nobody awaited.
        await self._guard(shake())

    def handshake_over(self, connection: ClientConnection) -> None:
        """A handshake has ended; where it came to nothing, the connection has too."""
        if (ended := self._handshakes.pop(connection, None)) is not None:
            self.crowd.leave(ended[0])

    def _count(self, peer: str) -> bool:
        caps = self.crowd.caps
        held = len(self.connections) + len(self._handshakes)
        if held >= caps.connections and not self._make_room():
            self.faults.tell(
                "connections_used_up",
                connections=held,
                effect="new connections are closed",
                remedy="raise GUESTPASS_CONNECTIONS, the limit of open files (ulimit -n), or GUESTPASS_WORKERS",
            )
            return False
        if not self.crowd.enter(peer):
            self.tell_of_client("too_many_connections", peer, limit=caps.connections_per_address)
            return False
        return True

    def tell_of_client(self, event: str, address: str, **facts: object) -> None:
        """Say what a client does; not of each one apart, since whoever has many addresses would fill the log."""
        self.faults.tell(event, address=shown_address(address, self._shows), **facts)

    def _tell_of_spool(self, error: OSError) -> None:
        self.faults.tell(
            "spool_failed",
            cause=error.strerror or str(error),
            effect="large uploads to Odoo get 503, and large answers to slow visitors are cut",
            remedy="make room on the disk with GUESTPASS_DATA_DIR/spool, or lower GUESTPASS_SPOOL_LIMIT",
        )

    def _make_room(self) -> bool:
        """Let go of some who ask for nothing: first of those who have not even shaken hands, the oldest."""
        if not self._handshakes:
            return self._close_idle()
        oldest = list(itertools.islice(self._handshakes, max(1, len(self._handshakes) // _MOST_IDLE)))
        for connection in oldest:
            self._give_up(connection)
        self._tell_of_idle(len(oldest))
        return True

    def _give_up(self, connection: ClientConnection) -> None:
        """End a handshake."""
        self._handshakes[connection][1].cancel()
        self.handshake_over(connection)

    def _close_idle(self) -> bool:
        """Close some of the connections that wait for a request, those first that are missed least."""
        now = self.loop.time()
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
        self._tell_of_idle(len(oldest))
        return True

    def _tell_of_idle(self, count: int) -> None:
        self.faults.tell(
            "idle_connections_closed",
            count=count,
            cause="there was no room for others",
            remedy="raise GUESTPASS_CONNECTIONS, the limit of open files (ulimit -n), or GUESTPASS_WORKERS",
        )

    async def sweep(self) -> None:
        """Enforce time limits until cancelled: one walk over all connections instead of a timer for each request."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self.loop.time()
            self._forget_arrivals(now)
            self._suspend_when_out_of_date()
            self._follow_clock(now)
            self.faults.sweep()
            ended = 0
            for number, connection in enumerate(tuple(self.connections)):
                if number % _SWEPT_AT_ONCE == 0 or ended == _ENDED_AT_ONCE:
                    ended = 0
                    await asyncio.sleep(0)
                ended += connection.sweep(now)
            self._limit_unsent()
            self._look_for_descriptors()
            self.pool.sweep(now)

    def stops_reading(self, connection: ClientConnection) -> None:
        """A client does not take what it has asked for; look at once whether that is too much of all."""
        self._not_reading.add(connection)
        if len(self._not_reading) * WRITE_BUFFER > self.crowd.caps.unsent:
            for each in self._not_reading:
                each.measure(self.loop.time())
            self._limit_unsent()

    def reads_again(self, connection: ClientConnection) -> None:
        """The client takes more."""
        self._not_reading.discard(connection)

    def _limit_unsent(self) -> None:
        """Where too much waits in memory for slow clients, let go of those that took nothing for longest."""
        unsent = sum(each.unsent for each in self.connections)
        if unsent <= self.crowd.caps.unsent:
            return
        for connection in sorted(self.connections, key=lambda each: each.stuck_since):
            if unsent <= self.crowd.caps.unsent:
                break
            if connection.unsent:
                unsent -= connection.unsent
                connection.cut_for_slowness("too much waited in memory for slow clients")

    def _look_for_descriptors(self) -> None:
        """Without a free descriptor the system closes whatever arrives, and nothing else tells of it."""
        try:
            require_descriptor()
        except NoDescriptorError as error:
            self._tell_of_descriptors(error)
        if self._lacked_descriptors:
            self._lacked_descriptors = False
            self.pool.close()
            self._looked_for_idle_at = 0.0
            self._make_room()

    def _tell_of_descriptors(self, error: NoDescriptorError | DescriptorsUsedUp) -> None:
        """There was none for somebody; the sweep lets go of those that nobody needs at the moment."""
        self._lacked_descriptors = True
        self.faults.tell(
            "descriptors_used_up",
            cause=str(error),
            connections=len(self.connections),
            effect="new connections are closed, and requests that need one to an environment get 503",
            remedy="raise the limit of open files (ulimit -n, LimitNOFILE), or lower GUESTPASS_CONNECTIONS",
        )

    def _follow_clock(self, now: float) -> None:
        """Where the machine's clock was set forward, links have ended whose timers run on for long."""
        before, self._clock_ahead = self._clock_ahead, self.time() - now
        if self._clock_ahead - before >= SWEEP_SECONDS:
            self.directory.clock_moved()

    def _suspend_when_out_of_date(self) -> None:
        """End what is open through links that nobody can vouch for; new requests are refused by admission."""
        was_suspended, self._is_suspended = self._is_suspended, self.is_out_of_date()
        if self._is_suspended and not was_suspended:
            self.log.error(
                "visitors_suspended",
                cause="the database could not be read for GUESTPASS_DATABASE_GRACE, or its file is another one",
                effect="visitors get 503",
                remedy="bring the database back; visitors are then served again by themselves",
            )
        if self._is_suspended:
            self.directory.cut_all()
        elif was_suspended:
            self.log.info("visitors_served_again")

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (NoDescriptorError, DescriptorsUsedUp) as error:
            self._tell_of_descriptors(error)
        except OUTAGES as error:
            self.faults.tell("database_unavailable", cause=cause_of(error))
        except Exception:
            self.log.exception("unexpected_error")

    def forget(self, connection: ClientConnection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        self._not_reading.discard(connection)
        self.crowd.leave(connection.peer)
        if self.draining and not self.connections:
            self._drained.set()

    def await_arrival(self, connection: ClientConnection) -> None:
        """A connection was accepted; it joins the others in the next turn."""
        self._arriving.append((connection, self.loop.time()))

    def _forget_arrivals(self, now: float) -> None:
        """Those that have joined the others, and those that were gone by then."""
        self._arriving = [
            (connection, since)
            for connection, since in self._arriving
            if not connection.has_arrived and now - since < _ARRIVAL_SECONDS
        ]

    async def drain(self, seconds: float, stopping: asyncio.Event) -> None:
        """Let what is under way end, for so long at most; the listeners must have been closed.

        A worker that is replaced has time: a connection that waits for its next request gets an answer to that one
        too, and WebSockets and event streams go on until shortly before the end. When `stopping` is set nobody takes
        its place, and the sooner it ends the sooner visitors are served again: then idle connections are closed at
        once, and what has no end of its own as soon as nothing else is under way.
        """
        self.draining = True
        end = self.loop.time() + seconds
        farewell = end - min(_FAREWELL_SECONDS, seconds / 4)
        while (now := self.loop.time()) < end:
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
            self.log.warning("requests_cut", count=len(self.connections), after_seconds=seconds)
        for connection in tuple(self.connections):
            connection.abort()
        for connection in tuple(self._handshakes):
            self._give_up(connection)
        self.pool.close()
        self.odoo.close()
