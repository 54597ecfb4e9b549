"""The gateway without sockets: bytes in, bytes out, on a client's connection and on those to its environment.

Everything between is the real thing; only transports, the network and the database are played.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, TypeVar, cast

from tests.storage.samples import visit_log

from guestpass.app.link_cache import LinkCache
from guestpass.app.ports import Budget, Store, TokenRecord
from guestpass.app.public_urls import PublicUrls
from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.domain.environment import Environment, EnvironmentKey, Kind
from guestpass.domain.link import ShareLink, ShareType
from guestpass.domain.visit import AddressDetail
from guestpass.gateway.address_policy import AddressPolicy
from guestpass.gateway.admission import Admission
from guestpass.gateway.hosts import HostTable
from guestpass.gateway.limits import LimitSettings
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.request_handler import RequestHandler
from guestpass.gateway_wiring import Gateway, build_gateway
from guestpass.odoo.assets.cache import AssetCache
from guestpass.odoo.fairness.spool import SpoolRoom
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.signing.tokens import SealedTokens
from guestpass.system import SystemClock, SystemEntropy
from guestpass.web.notices import Notices
from guestpass.wire.connector import Connector, UnreachableError, UpstreamOrigin
from guestpass.wire.resolver import Resolver

P = TypeVar("P", bound=asyncio.Protocol)
NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINK_ID: Final = "aaaaaaaaaaaaaaaa"
BODY_LIMIT: Final = 1000
RESPONSE_SECONDS: Final = 720
HOST: Final = b"share.example.com"
_KEY: Final = EnvironmentKey("default", "staging")
_TICKS: Final = 12  # more turns of the loop than anything here takes to settle
_ADDRESSES: Final = PublicUrls("http://share.example.com", None)
_NOTICES: Final = Notices()
_ENTROPY: Final = SystemEntropy()
_KEYS: Final = Keys.from_secret("a secret of these tests, long enough")
_PASSES: Final = PassSigner(_KEYS, _ENTROPY)
_VAULT: Final = SealedTokens(_KEYS, _ENTROPY)
TOKEN: Final = _VAULT.new()
OTHER_ID: Final = "bbbbbbbbbbbbbbbb"
OTHER_TOKEN: Final = _VAULT.new()
_TOKEN_HASHES: Final = {_VAULT.hash(TOKEN): LINK_ID, _VAULT.hash(OTHER_TOKEN): OTHER_ID}
PASS: Final = b"guestpass=" + _PASSES.write(_PASSES.issue(LINK_ID, 1, int(NOW.timestamp()))).encode()

_ENVIRONMENT: Final = Environment(
    key=_KEY,
    name="Staging",
    url="http://10.0.0.5:8069",
    websocket_url=None,
    kind=Kind.WEB,
    description=None,
    tls_verify=True,
    body_limit=BODY_LIMIT,
    response_timeout=timedelta(seconds=RESPONSE_SECONDS),
    maintenance=None,
    revision=1,
    created_at=NOW,
    created_by="olga",
)
_LINK: Final = ShareLink(
    id=LINK_ID,
    environment=_KEY,
    share_type=ShareType.TOKEN,
    label=None,
    password_hash=None,
    version=1,
    created_at=NOW,
    created_by="olga",
    expires_at=NOW + timedelta(days=7),
)


class _NoSocket:
    """What stands for a wire's socket: there is no kernel in which bytes could wait."""

    def fileno(self) -> int:
        raise OSError(errno.EBADF, "no socket")

    def setsockopt(self, *_: object) -> None:
        """Nothing to set."""


class Wire(asyncio.Transport):
    """The transport under a protocol: keeps what is written, and delivers what arrives unless reading is paused."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("203.0.113.9", 40_000), "socket": _NoSocket()})
        self.protocol = protocol
        self._inbox: list[bytes] = []
        self._reading = True
        self._ending = False
        self.written = b""
        self.takes_nothing = False  # the other side reads no more, so what is written waits here
        self.takes_at_most: int | None = None  # bytes after which the protocol is to pause
        self.finished_writing = False
        self.lost = False
        self.aborted = False
        protocol.connection_made(self)

    # The test's side

    def deliver(self, data: bytes) -> None:
        """Let bytes arrive."""
        self._inbox.append(data)
        self._pump()

    def deliver_end(self) -> None:
        """Let the other side close its sending half."""
        if not self._ending and not self.protocol.eof_received():
            self.close()

    def break_off(self) -> None:
        """Let the connection be reset."""
        self._ending = True
        self._lose(ConnectionResetError())

    def take(self) -> bytes:
        """What was written since the last call."""
        data, self.written = self.written, b""
        return data

    @property
    def is_paused(self) -> bool:
        return not self._reading

    # The protocol's side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._ending:
            assert not self.finished_writing, "written after the sending half was closed"
            self.written += bytes(data)
            if self.takes_at_most is not None and len(self.written) > self.takes_at_most:
                self.takes_at_most = None
                self.protocol.pause_writing()

    def close(self) -> None:
        if not self._ending:
            self._ending = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def abort(self) -> None:
        self.aborted = True
        if not self.lost:
            self._ending = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def is_closing(self) -> bool:
        return self._ending

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        asyncio.get_running_loop().call_soon(self._pump)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.finished_writing = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is full here but by `takes_at_most`; back-pressure is tested on real sockets."""

    def get_write_buffer_size(self) -> int:
        return len(self.written) if self.takes_nothing else 0

    def _pump(self) -> None:
        while self._inbox and self._reading and not self._ending:
            self.protocol.data_received(self._inbox.pop(0))

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)


class _PlayedNetwork(Connector):
    """Gives a wire to whoever connects, one turn of the loop later."""

    def __init__(self) -> None:
        super().__init__(AddressPolicy(allow=(), deny=(), own_listeners=()), Resolver())
        self.wires: list[Wire] = []
        self.is_down = False
        self.greeting = b""

    async def connect(self, origin: UpstreamOrigin, factory: Callable[[], P]) -> P:
        assert (origin.host, origin.port) == ("10.0.0.5", 8069)
        await asyncio.sleep(0)
        if self.is_down:
            raise UnreachableError("the network is down")
        protocol = factory()
        wire = Wire(protocol)
        self.wires.append(wire)
        if self.greeting:
            wire.deliver(self.greeting)
            await asyncio.sleep(0)
        return protocol


_NETWORK: Final = _PlayedNetwork()
_NO_PROXIES: Final = TrustedProxies(())


class _TwoLinks:
    """As much of a Store as the link cache asks: one environment and two links to it, which the tokens open."""

    def __init__(self, link: ShareLink) -> None:
        self._links = {each.id: each for each in (link, replace(_LINK, id=OTHER_ID))}

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        async def link(id: str) -> ShareLink | None:
            return self._links.get(id)

        async def by_token_hash(token_hash: bytes) -> TokenRecord | None:
            id = _TOKEN_HASHES.get(token_hash)
            return TokenRecord(id, None) if id is not None else None

        async def environment(_: EnvironmentKey) -> Environment:
            return _ENVIRONMENT

        async def names(_: EnvironmentKey) -> frozenset[str]:
            return frozenset()

        async def branding(_: str) -> None:
            return None

        yield SimpleNamespace(
            links=SimpleNamespace(get=link, by_token_hash=by_token_hash),
            environments=SimpleNamespace(get=environment, http_only_cookies=names),
            places=SimpleNamespace(ended=names),
            brandings=SimpleNamespace(get=branding),
        )


@dataclass(slots=True)
class Playbook:
    """One client's wire, and those that the gateway opens to the environment."""

    gateway: Gateway
    handler: RequestHandler
    client: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.connect()

    def connect(self) -> Wire:
        """One more client."""
        return Wire(self.gateway.lifecycle.new_connection(self.handler))

    @property
    def upstreams(self) -> list[Wire]:
        return _NETWORK.wires

    def network_is_down(self) -> None:
        """From now on nobody can be connected to."""
        _NETWORK.is_down = True

    def network_greets(self, greeting: bytes) -> None:
        """From now on whoever is connected to says this at once, unasked."""
        _NETWORK.greeting = greeting

    def end_link(self) -> None:
        """Cut what is open through the link, as its end does."""
        entry = self.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        entry.cut()

    async def settle(self, ticks: int = _TICKS) -> None:
        """Let what is under way go on, for so many turns of the loop."""
        for _ in range(ticks):
            await asyncio.sleep(0)

    async def after(self, seconds: float) -> None:
        """Let so much time pass, as far as time limits are concerned."""
        now = self.gateway.runtime.loop.time() + seconds
        for connection in tuple(self.gateway.lifecycle.connections):
            connection.sweep(now)
        await self.settle()


@asynccontextmanager
async def playing(
    caps: LimitSettings | None = None,
    *,
    sessions: VisitorSessions | None = None,
    slots: object = None,
    previews: object = None,
    entries: object = None,
    link: ShareLink | None = None,
    public_urls: PublicUrls = _ADDRESSES,
    application: Path = Path("nowhere.sock"),
    assets: AssetCache | None = None,
    is_out_of_date: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Playbook]:
    """A gateway with one environment behind two links, and with the default limits where no others are given.

    Nobody is signed in through the links unless there are `sessions`. `link` is the one that TOKEN opens, `application`
    the socket of our own.
    """
    _NETWORK.wires, _NETWORK.is_down, _NETWORK.greeting = [], False, b""
    store, caps = cast("Store", _TwoLinks(link or _LINK)), caps or LimitSettings()
    link_cache = LinkCache(store, _VAULT, NOW.timestamp)
    await link_cache.load(LINK_ID)
    async with asyncio.TaskGroup() as tasks:
        gateway = build_gateway(
            tasks,
            public_urls=public_urls,
            link_cache=link_cache,
            visits=visit_log(store, SystemClock()),
            slots=cast("VisitorSlots", slots),
            sessions=cast("VisitorSessions", sessions),
            previews=cast("Budget", previews),
            entries=cast("Budget", entries),
            passes=_PASSES,
            notices=_NOTICES,
            connector=_NETWORK,
            proxies=_NO_PROXIES,
            limits=caps,
            addresses=AddressDetail.FULL,
            application=application,
            room=SpoolRoom(Path("nowhere"), total=1024**2, per_visitor=1024**2),
            assets=assets
            or AssetCache(Path("nowhere"), size_limit=1024**2, threads=ThreadPoolExecutor(1), time=lambda: 0.0),
            entropy=_ENTROPY,
            workers=1,
            time=NOW.timestamp,
            is_out_of_date=is_out_of_date,
        )
        hosts = HostTable(main_url=public_urls.public_url, on_loopback=False, addresses=public_urls)
        decide = Admission(public_urls, api_on_public=False).decide
        yield Playbook(gateway, RequestHandler(gateway.services, hosts, decide, opens_links=True))
        for connection in tuple(gateway.lifecycle.connections):
            connection.abort()
    link_cache.close()


def request(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A request of a visitor who holds the pass."""
    return b"\r\n".join([line, b"Host: " + HOST, b"Cookie: " + PASS, *fields, b"", body])
