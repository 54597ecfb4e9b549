"""What the profiles of all Odoo environments of one worker share."""

from __future__ import annotations

from dataclasses import dataclass

from guestpass.app.ports import Entropy
from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.app.visits import VisitLog
from guestpass.gateway.fault_log import FaultLog
from guestpass.odoo.assets.cache import AssetCache
from guestpass.odoo.fairness.examiner import Examiner
from guestpass.odoo.fairness.spool import SpoolRoom
from guestpass.wire.connector import Connector
from guestpass.wire.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class OdooServices:
    """`secure` says that visitors come by https."""

    runtime: Runtime
    fault_log: FaultLog
    visits: VisitLog
    slots: VisitorSlots
    sessions: VisitorSessions
    connector: Connector
    entropy: Entropy
    assets: AssetCache
    room: SpoolRoom
    examiner: Examiner
    secure: bool
