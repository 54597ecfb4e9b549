"""What the request handlers of one worker need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guestpass.app.link_cache import LinkCache
from guestpass.app.ports import Budget
from guestpass.app.public_urls import PublicUrls
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.app.visits import VisitLog
from guestpass.gateway.cookies import CookieReader
from guestpass.gateway.entry_tickets import EntryTickets
from guestpass.gateway.fault_log import FaultLog
from guestpass.gateway.limits import Limits
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.profile import Profiles
from guestpass.gateway.responder import Responder
from guestpass.signing.passes import PassSigner
from guestpass.wire.pool import Upstream
from guestpass.wire.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayServices:
    """`application` is our own. `previews` lets each ticket of an owner's preview through once.

    `is_out_of_date` says that what `link_cache` knows is too old to be acted on.
    """

    runtime: Runtime
    fault_log: FaultLog
    public_urls: PublicUrls
    link_cache: LinkCache
    visits: VisitLog
    slots: VisitorSlots
    previews: Budget
    entry_tickets: EntryTickets
    passes: PassSigner
    cookies: CookieReader
    proxies: TrustedProxies
    limits: Limits
    profiles: Profiles
    responder: Responder
    application: Upstream
    is_out_of_date: Callable[[], bool]
