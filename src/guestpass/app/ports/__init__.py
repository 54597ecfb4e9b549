"""What the use cases need from outside, as small protocols, by subject."""

from __future__ import annotations

from guestpass.app.ports.changes import Announcer, Change, ChangeKind, ChangeLog
from guestpass.app.ports.counters import Batches, Budget, Charged, Counter, Counters, Standing
from guestpass.app.ports.environments import (
    Accounts,
    Brandings,
    EnvironmentCheck,
    Environments,
    Reachabilities,
    ReachabilityCheck,
    RefusedCall,
    Unreachable,
)
from guestpass.app.ports.links import LinkFilter, Links, LinkSort, SortKey, TokenRecord
from guestpass.app.ports.odoo import (
    Counted,
    NotAskedError,
    NotSignedOut,
    OdooAuthenticator,
    OdooSession,
    OdooSessions,
    OdooSignOut,
    OdooSignOuts,
    SessionEndedError,
    SessionKey,
    SignedIn,
    SignInRefused,
)
from guestpass.app.ports.owners import DashboardSession, DashboardSessions, RevokedTokens
from guestpass.app.ports.secrets import PasswordHasher, Sealer, SessionTokens, TokenVault
from guestpass.app.ports.store import Store, UnitOfWork
from guestpass.app.ports.system import Clock, Entropy, Rate
from guestpass.app.ports.visits import Activity, EndsWithLink, Origin, Places, Refusals, SlotResult, Visits

__all__ = [
    "Accounts",
    "Activity",
    "Announcer",
    "Batches",
    "Brandings",
    "Budget",
    "Change",
    "ChangeKind",
    "ChangeLog",
    "Charged",
    "Clock",
    "Counted",
    "Counter",
    "Counters",
    "DashboardSession",
    "DashboardSessions",
    "EndsWithLink",
    "Entropy",
    "EnvironmentCheck",
    "Environments",
    "LinkFilter",
    "LinkSort",
    "Links",
    "NotAskedError",
    "NotSignedOut",
    "OdooAuthenticator",
    "OdooSession",
    "OdooSessions",
    "OdooSignOut",
    "OdooSignOuts",
    "Origin",
    "PasswordHasher",
    "Places",
    "Rate",
    "Reachabilities",
    "ReachabilityCheck",
    "Refusals",
    "RefusedCall",
    "RevokedTokens",
    "Sealer",
    "SessionEndedError",
    "SessionKey",
    "SessionTokens",
    "SignInRefused",
    "SignedIn",
    "SlotResult",
    "SortKey",
    "Standing",
    "Store",
    "TokenRecord",
    "TokenVault",
    "UnitOfWork",
    "Unreachable",
    "Visits",
]
