"""Wire a worker; separate from `wiring`, so that commands load neither gateway nor web."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import limits
from fastapi import FastAPI

from guestpass.app.installation_findings import admin_beside_visitors, expiring_certificate, untrusted_proxy
from guestpass.app.link_cache import LinkCache
from guestpass.app.live import LiveFeed
from guestpass.app.overview import Overview
from guestpass.app.owner_writes import OwnerWrites
from guestpass.app.password_login import PasswordLogin
from guestpass.app.ports import Change, ChangeKind
from guestpass.app.reachability import ROUNDS, Reachability
from guestpass.app.served_names import ServedNames
from guestpass.app.visitor_sessions import SIGN_INS, VisitorSessions
from guestpass.app.visitor_slots import FREED_PER_ADDRESS, ONCE, PLACES_GIVEN, VisitorSlots
from guestpass.app.visits import NEWCOMERS_PER_ADDRESS, NEWCOMERS_PER_LINK, VisitLog
from guestpass.domain.finding import Finding
from guestpass.gateway.admission import Admission, decide_admin
from guestpass.gateway.hosts import HostTable
from guestpass.gateway.limits import LimitSettings, connections_for
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.gateway.request_handler import RequestHandler
from guestpass.gateway_wiring import Gateway, build_gateway
from guestpass.odoo.assets.cache import AssetCache
from guestpass.odoo.fairness.spool import SpoolRoom
from guestpass.outbound.check import ConnectionChecker
from guestpass.outbound.http_client import HttpClient
from guestpass.settings import Settings
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.feed import Feed, open_feed
from guestpass.storage.outages import is_refusal
from guestpass.tls import CertificateUnusable, Pair
from guestpass.user_agents import UserAgentReader
from guestpass.web.application import WebServices, create_application
from guestpass.web.application_server import ApplicationServer
from guestpass.web.dashboard.application import create_dashboard
from guestpass.web.dashboard.services import DashboardServices
from guestpass.web.dispatch import Dispatch
from guestpass.web.notices import Notices
from guestpass.wiring import Core


class OwnAnnouncer:
    """The Announcer of a server; its feed is set after the use cases are built."""

    def __init__(self) -> None:
        self.feed: Feed | None = None

    async def announce(self) -> None:
        """Apply the changes committed so far to this process's link cache."""
        if self.feed is not None:
            await self.feed.announce()


@dataclass(frozen=True, slots=True)
class Preloaded:
    """What is slow to build and the same in each worker, built before the fork; use it once in a process."""

    user_agents: UserAgentReader
    api: FastAPI
    dashboard: FastAPI


def preload(settings: Settings) -> Preloaded:
    """Build it, without an event loop, thread or open file."""
    return Preloaded(UserAgentReader(), create_application(), create_dashboard(settings.admin_url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker's parts: gateway, caches, the feed that updates them, and the application."""

    core: Core
    link_cache: LinkCache
    feed: Feed
    visits: VisitLog
    sessions: VisitorSessions
    reachability: Reachability
    gateway: Gateway
    assets: AssetCache
    public: RequestHandler
    admin: RequestHandler
    application: ApplicationServer


def build_worker(
    core: Core,
    announcer: OwnAnnouncer,
    preloaded: Preloaded,
    *,
    application_path: Path,
    asset_folder: Path,
    workers: int,
    is_ready: Callable[[], bool],
    tasks: asyncio.TaskGroup,
) -> Worker:
    """Wire a worker; call it in a running loop.

    Limits of the machine are divided by `workers`; `asset_folder` is this worker's own.
    """
    settings, notices = core.settings, Notices(core.addresses.link_origins)
    assets = AssetCache(
        asset_folder,
        size_limit=-(-settings.asset_cache_size // workers),
        threads=ThreadPoolExecutor(4, thread_name_prefix="assets"),
        time=time.monotonic,
        recheck=settings.asset_recheck.total_seconds(),
    )
    link_cache = LinkCache(core.database, core.vault, core.clock.timestamp, renewed=assets.expire)
    visits = VisitLog(
        core.database,
        core.clock,
        worker=core.entropy.bytes(16).hex(),
        is_refusal=is_refusal,
        agent_of=preloaded.user_agents.read,
        addresses=settings.visitor_addresses,
        present=link_cache.present,
        of_address=LocalRate(NEWCOMERS_PER_ADDRESS, time.time),
        of_link=LocalRate(NEWCOMERS_PER_LINK, time.time),
    )
    visitor_slots = VisitorSlots(
        core.database,
        announcer,
        core.clock,
        freed=LocalRate(FREED_PER_ADDRESS, time.time),
        given=LocalRate(PLACES_GIVEN, time.time),
    )
    sessions = VisitorSessions(
        core.database,
        core.sealer,
        core.authenticator,
        core.sign_outs,
        DatabaseBudget(core.database, core.clock, SIGN_INS, "sign-in"),
        core.clock,
        core.entropy,
    )
    live = LiveFeed(core.database, lambda: feed.number)

    async def apply(changes: Sequence[Change]) -> None:
        # Visits change only numbers on open pages, and they are many.
        if ruling := [change for change in changes if change.kind is not ChangeKind.VISIT]:
            sessions.apply(ruling)
            await link_cache.apply(ruling)
        await live.apply(changes)

    async def reset() -> None:
        sessions.forget_all()
        await link_cache.reset()
        await live.reset()

    feed = announcer.feed = open_feed(core.database, apply, reset)
    grace = settings.database_grace.total_seconds()

    def is_out_of_date() -> bool:
        return core.database.lost is not None or time.monotonic() - feed.known_until > grace

    proxies = TrustedProxies(settings.trusted_proxies)
    gateway = build_gateway(
        tasks,
        public_urls=core.addresses,
        link_cache=link_cache,
        visits=visits,
        slots=visitor_slots,
        sessions=sessions,
        previews=DatabaseBudget(core.database, core.clock, ONCE, "preview"),
        entries=DatabaseBudget(core.database, core.clock, ONCE, "entry"),
        passes=core.passes,
        notices=notices,
        connector=core.connector,
        proxies=proxies,
        limits=_limits(settings, workers),
        addresses=settings.visitor_addresses,
        application=application_path,
        room=SpoolRoom(
            settings.data_dir / "spool",
            total=-(-settings.spool_limit // workers),
            per_visitor=settings.spool_limit_per_visitor,
            memory=settings.buffer_limit,
        ),
        assets=assets,
        entropy=core.entropy,
        workers=workers,
        time=core.clock.timestamp,
        is_out_of_date=is_out_of_date,
    )
    admission = Admission(core.addresses, api_on_public=settings.api_on_public)
    own_scheme = "http" if settings.tls_cert is None else "https"
    public_hosts = HostTable(
        main_url=settings.public_url,
        on_loopback=_is_loopback(settings.listen.host),
        own_scheme=own_scheme,
        addresses=core.addresses,
        former_urls=settings.former_urls,
    )
    admin_hosts = HostTable(
        main_url=settings.admin_url, on_loopback=_is_loopback(settings.admin_listen.host), own_scheme=own_scheme
    )

    async def ready() -> bool:
        if feed.blind_since is not None or is_out_of_date():
            return False
        try:
            # After an outage the database may answer before the feed is back.
            await feed.announce()
            await core.database.check_tables()
        except Exception:  # noqa: BLE001 -- whatever keeps changes from being applied; the feed has logged it
            return False
        return is_ready()

    def why_unwritable() -> str | None:
        database = core.database
        return database.unwritable or database.damage or ("its file was replaced or removed" if database.lost else None)

    def installation_findings() -> list[Finding]:
        return _installation_findings(core, proxies)

    services = preloaded.api.state.services = WebServices(
        links=core.links,
        records=core.records,
        password_tries=core.password_tries,
        environments=core.environments,
        accounts=core.accounts,
        branding=core.branding,
        findings=core.findings,
        password_login=PasswordLogin(
            core.database, core.vault, core.hasher, core.clock, visits, core.password_tries, visitor_slots
        ),
        bearer=core.bearer,
        revocation=core.revocation,
        passes=core.passes,
        addresses=core.addresses,
        notices=notices,
        clock=core.clock,
        ready=ready,
        unwritable=why_unwritable,
        serves=_served_names(core).include,
        installation_findings=installation_findings,
        owner_writes=OwnerWrites(LocalRate(settings.owner_writes, time.time)),
    )
    reachability = Reachability(
        core.database,
        announcer,
        ConnectionChecker(HttpClient(core.connector)),
        core.environments,
        DatabaseBudget(core.database, core.clock, ROUNDS, "reachability"),
        core.clock,
    )
    preloaded.dashboard.state.services = DashboardServices(
        api=services,
        sessions=core.dashboard_sessions,
        overview=Overview(core.database, core.findings, core.clock),
        reachability=reachability,
        live=live,
        admin_url=settings.admin_url,
        installation_findings=installation_findings,
    )
    return Worker(
        core=core,
        link_cache=link_cache,
        feed=feed,
        visits=visits,
        sessions=sessions,
        reachability=reachability,
        gateway=gateway,
        assets=assets,
        public=RequestHandler(gateway.services, public_hosts, admission.decide, opens_links=True),
        admin=RequestHandler(gateway.services, admin_hosts, decide_admin, opens_links=False),
        application=ApplicationServer(Dispatch(preloaded.api, preloaded.dashboard), application_path),
    )


def _limits(settings: Settings, workers: int) -> LimitSettings:
    guesses = limits.parse(settings.unknown_tokens)
    each = -(-guesses.amount // workers)
    return LimitSettings(
        connections=connections_for(settings.connections),
        connections_per_address=settings.connections_per_address,
        open_per_link=settings.connections_per_link,
        requests_per_address=settings.requests_per_address,
        requests_per_link=settings.requests_per_link,
        unknown_tokens=f"{each}/{guesses.multiples} {guesses.GRANULARITY.name}",
        unsent=settings.buffer_limit,
        patience=settings.client_patience.total_seconds(),
    )


def _installation_findings(core: Core, proxies: TrustedProxies) -> list[Finding]:
    beside = admin_beside_visitors(core.settings.admin_url, core.addresses)
    proxy = untrusted_proxy(proxies.untrusted) if proxies.untrusted is not None else None
    pair, certificate = Pair.of(core.settings), None
    # The listener logs what is wrong with it.
    with contextlib.suppress(CertificateUnusable):
        certificate = expiring_certificate(pair.expires_at(), core.clock.now()) if pair is not None else None
    return [finding for finding in (beside, proxy, certificate) if finding is not None]


def _served_names(core: Core) -> ServedNames:
    """The names of both listeners, today's and former ones, and those of links."""
    settings = core.settings
    origins = (settings.public_url, settings.admin_url, *settings.former_public_urls)
    domains = (settings.link_domain, *settings.former_link_domains)
    return ServedNames(
        core.database,
        hosts=frozenset(urlsplit(origin).hostname or "" for origin in origins),
        domains=tuple(domain.lower() for domain in domains if domain),
    )


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback
