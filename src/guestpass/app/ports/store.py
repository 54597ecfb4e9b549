"""The database."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from guestpass.app.ports.changes import ChangeLog
from guestpass.app.ports.counters import Batches, Counters
from guestpass.app.ports.environments import Accounts, Brandings, Environments, Reachabilities
from guestpass.app.ports.links import Links
from guestpass.app.ports.odoo import OdooSessions, OdooSignOuts
from guestpass.app.ports.owners import DashboardSessions, RevokedTokens
from guestpass.app.ports.visits import Places, Refusals, Visits
from guestpass.app.turns import VISITORS, Turn


class UnitOfWork(Protocol):
    """One consistent view of the store."""

    @property
    def environments(self) -> Environments: ...
    @property
    def links(self) -> Links: ...
    @property
    def visits(self) -> Visits: ...
    @property
    def places(self) -> Places: ...
    @property
    def refusals(self) -> Refusals: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def brandings(self) -> Brandings: ...
    @property
    def odoo_sessions(self) -> OdooSessions: ...
    @property
    def odoo_sign_outs(self) -> OdooSignOuts: ...
    @property
    def revoked_tokens(self) -> RevokedTokens: ...
    @property
    def reachabilities(self) -> Reachabilities: ...
    @property
    def dashboard_sessions(self) -> DashboardSessions: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def changes(self) -> ChangeLog: ...


class Store(Protocol):
    """The database. A unit of work commits when its block ends and rolls back when it raises."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction that only reads."""
        ...

    def writing(self, turn: Turn = VISITORS) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction that may write; holds the write lock from its first statement on.

        `turn` says who waits for it, and so who goes first.
        """
        ...
