"""Wire a worker's gateway: what its request handlers share, and the profile of each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guestpass.app.link_cache import LinkCache
from guestpass.app.notices import NoticeRenderer
from guestpass.app.ports import Budget, Entropy
from guestpass.app.public_urls import PublicUrls
from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import Kind
from guestpass.domain.visit import AddressDetail
from guestpass.gateway.cookies import CookieReader
from guestpass.gateway.entry_tickets import EntryTickets
from guestpass.gateway.fault_log import FaultLog
from guestpass.gateway.lifecycle import Lifecycle
from guestpass.gateway.limits import Limits, LimitSettings
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.profile import PlainProfiles, ProfileMaker, Profiles
from guestpass.gateway.responder import Responder
from guestpass.gateway.services import GatewayServices
from guestpass.gateway.upstream_table import UpstreamTable
from guestpass.odoo.assets.cache import AssetCache
from guestpass.odoo.fairness.examiner import Examiner
from guestpass.odoo.fairness.spool import SpoolRoom
from guestpass.odoo.profile import OdooProfiles
from guestpass.odoo.services import OdooServices
from guestpass.signing.passes import PassSigner
from guestpass.wire.connector import Connector
from guestpass.wire.pool import Upstream
from guestpass.wire.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway of a worker, shared by its listeners; `services` is for their request handlers."""

    runtime: Runtime
    lifecycle: Lifecycle
    services: GatewayServices


def build_gateway(
    tasks: asyncio.TaskGroup,
    *,
    public_urls: PublicUrls,
    link_cache: LinkCache,
    visits: VisitLog,
    slots: VisitorSlots,
    sessions: VisitorSessions,
    previews: Budget,
    entries: Budget,
    passes: PassSigner,
    notices: NoticeRenderer,
    connector: Connector,
    proxies: TrustedProxies,
    limits: LimitSettings,
    addresses: AddressDetail,
    application: Path,
    room: SpoolRoom,
    assets: AssetCache,
    entropy: Entropy,
    workers: int,
    time: Callable[[], float],
    is_out_of_date: Callable[[], bool],
) -> Gateway:
    """Wire it; call it inside the running loop. `application` is the socket of our own, `time` the wall clock."""
    fault_log = FaultLog(addresses)
    runtime = Runtime(tasks, connector, time=time, failed=fault_log.of_task)
    limiter = Limits(limits, proxies, time)
    upstreams = UpstreamTable()
    odoo = OdooServices(
        runtime=runtime,
        fault_log=fault_log,
        visits=visits,
        slots=slots,
        sessions=sessions,
        connector=connector,
        entropy=entropy,
        assets=assets,
        room=room,
        examiner=Examiner(),
        secure=public_urls.secure,
    )
    makers: dict[Kind, ProfileMaker] = {
        Kind.WEB: PlainProfiles(runtime, upstreams),
        Kind.ODOO: OdooProfiles(odoo, upstreams, notices, workers=workers),
    }
    services = GatewayServices(
        runtime=runtime,
        fault_log=fault_log,
        public_urls=public_urls,
        link_cache=link_cache,
        visits=visits,
        slots=slots,
        previews=previews,
        entry_tickets=EntryTickets(entries, time, fault_log.of_database),
        passes=passes,
        cookies=CookieReader(passes, secure=public_urls.secure, shares_origin=public_urls.link_domain is None),
        proxies=proxies,
        limits=limiter,
        profiles=Profiles(makers, visits, kind_of_gone=Kind.ODOO),
        responder=Responder(notices, link_cache, visits, proxies, fault_log, time),
        application=Upstream("application", 0, application),
        is_out_of_date=is_out_of_date,
    )
    lifecycle = Lifecycle(runtime, fault_log, limiter, link_cache, is_out_of_date=is_out_of_date)
    return Gateway(runtime, lifecycle, services)
