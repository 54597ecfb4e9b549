"""What all connections of one worker share, and the sweep that gives them time limits."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from guestpass.app.addresses import Addresses
from guestpass.app.directory import Directory, LinkEntry
from guestpass.app.notices import NoticeRenderer
from guestpass.app.places import Places
from guestpass.app.ports import Budget, Entropy
from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import Environment, EnvironmentKey, Kind
from guestpass.domain.reasons import Reason
from guestpass.gateway.client_side import ClientConnection
from guestpass.gateway.connector import Connector
from guestpass.gateway.cookies import CookieReader
from guestpass.gateway.heads import RequestHead
from guestpass.gateway.odoo.assets import AssetCache
from guestpass.gateway.odoo.profile import OdooProfile
from guestpass.gateway.odoo.spool import SpoolRoom
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.pool import Pool, Upstream
from guestpass.signing.passes import PassSigner
from guestpass.telemetry import Faults

SWEEP_SECONDS: Final = 0.5
_ARRIVAL_SECONDS: Final = 12.0
_FAREWELL_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.1


class Gateway:
    """The data plane of one worker, of which a machine has `workers`.

    `time` is the wall clock in Unix seconds, `desk` the socket of our application. `previews` lets each ticket of an
    owner's preview through once. `is_out_of_date` says that what `directory` knows is too old to be acted on.
    """

    def __init__(
        self,
        *,
        addresses: Addresses,
        directory: Directory,
        visits: VisitLog,
        places: Places,
        previews: Budget,
        passes: PassSigner,
        notices: NoticeRenderer,
        connector: Connector,
        proxies: TrustedProxies,
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
        self.workers = workers
        self.time = time
        self.loop = asyncio.get_running_loop()
        self.is_out_of_date = is_out_of_date
        self._is_suspended = False
        self._clock_ahead = time() - self.loop.time()
        self.cookies = CookieReader(passes, secure=self.secure)
        self.pool = Pool(connector)
        self.desk = Upstream("desk", 0, desk)
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self._drained = asyncio.Event()
        self._arriving: list[tuple[ClientConnection, float]] = []
        self.log = structlog.get_logger("guestpass.gateway")
        self.faults = Faults(self.log)
        self.odoo = OdooProfile(self, spool, assets, connector, sessions, entropy)
        self._tasks = tasks
        self._request_ids = map(f"{secrets.token_hex(4)}-{{:x}}".format, itertools.count(1))
        self._upstreams: dict[tuple[EnvironmentKey, datetime, int, str | None], tuple[Upstream, Upstream]] = {}

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine, owned by the worker's task group; a mistake in it ends one request and no more."""
        self._tasks.create_task(self._guard(work))

    def next_request_id(self) -> str:
        """An id for one request, unique over workers: what a page shows, the log has."""
        return next(self._request_ids)

    def upstream_for(self, environment: Environment, target: bytes) -> Upstream:
        """Where a request goes: `websocketUrl` serves ``/websocket*``, and ``/longpolling/*`` of older Odoos."""
        # Revisions begin anew where an environment is removed and another gets its id.
        key = (environment.key, environment.created_at, environment.revision, environment.websocket_upstream)
        pair = self._upstreams.get(key)
        if pair is None:
            if len(self._upstreams) > 10_000:
                self._upstreams.clear()
            plain = Upstream.of_environment(environment, environment.url)
            websocket = environment.websocket_upstream
            pair = (plain, Upstream.of_environment(environment, websocket) if websocket else plain)
            self._upstreams[key] = pair
        is_bus = target.startswith(b"/websocket") or (
            environment.kind is Kind.ODOO and target.startswith(b"/longpolling/")
        )
        return pair[is_bus]

    def learner(self, key: EnvironmentKey) -> Callable[[bytes], None]:
        """What is called with the name of a cookie that an environment turns out to set HttpOnly."""
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

    async def sweep(self) -> None:
        """Enforce time limits until cancelled: one walk over all connections instead of a timer for each request."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self.loop.time()
            self._forget_arrivals(now)
            self._suspend_when_out_of_date()
            self._follow_clock(now)
            self.faults.sweep()
            for connection in tuple(self.connections):
                connection.sweep(now)
            self.pool.sweep(now)

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
                cause="the database could not be read for GUESTPASS_DATABASE_GRACE",
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
        except Exception:
            self.log.exception("unexpected_error")

    def forget(self, connection: ClientConnection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._drained.set()

    def await_arrival(self, connection: ClientConnection) -> None:
        """A connection was accepted; it joins the others when its TLS handshake is complete, or in the next turn."""
        self._arriving.append((connection, self.loop.time()))

    def _forget_arrivals(self, now: float) -> None:
        """Those that have joined the others, and those whose handshake came to nothing."""
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
            if not self.connections and (stopping.is_set() or not self._arriving):
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
        self.pool.close()
        self.odoo.close()
