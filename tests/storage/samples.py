"""A clock and chance that tests control, and things to keep."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from guestpass.app.ports import Change, Clock, OdooSession, Store, UnitOfWork
from guestpass.app.visits import VisitLog
from guestpass.domain.account import Account
from guestpass.domain.environment import BusPlace, Environment, EnvironmentKey, Kind
from guestpass.domain.link import EventKind, LinkEvent, ShareLink, ShareType
from guestpass.storage.changes import SQLChangeLog
from guestpass.storage.outages import is_refusal

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
KEY = EnvironmentKey("default", "staging")
LINK_ID = "aaaaaaaaaaaaaaaa"
_WORKERS = itertools.count()


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


class CountedEntropy:
    """Bytes that differ at each call and are the same in each run."""

    def __init__(self) -> None:
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        self._calls += 1
        return hashlib.shake_256(b"%d" % self._calls).digest(count)


def make_environment(key: EnvironmentKey = KEY, **changed: Any) -> Environment:
    environment = Environment(
        key=key,
        name="Staging",
        url="http://10.0.0.5:8069",
        websocket_url="http://10.0.0.5:8072",
        kind=Kind.ODOO,
        description="The acceptance system\nof the spring release",
        tls_verify=False,
        body_limit=3 * 1024**3,
        response_timeout=timedelta(seconds=90, microseconds=1),
        maintenance=None,
        revision=4,
        created_at=NOON,
        created_by="olga",
        public_url="https://odoo.example.com",
        database="staging",
        allow_paths=("/jsonrpc", "/xmlrpc/2/common"),
        max_concurrent=12,
        read_only_allow=("res.partner/get_totals", "sale.order/preview"),
        odoo_version="18.0",
        canonical_url="https://www.example.com",
        websocket_on=BusPlace.GEVENT,
        found_websocket_url="http://10.0.0.5:8072",
        checked_at=NOON + timedelta(minutes=1),
    )
    return replace(environment, **changed)


def make_link(id: str = LINK_ID, **changed: Any) -> ShareLink:
    link = ShareLink(
        id=id,
        environment=KEY,
        share_type=ShareType.PASSWORD,
        label="For Møller & Søn",
        password_hash="$argon2id$made-up",
        version=3,
        created_at=NOON,
        created_by="olga",
        expires_at=NOON + timedelta(hours=168),
    )
    return replace(link, **changed)


def make_account(name: str = "anna", **changed: Any) -> Account:
    account = Account(
        environment=KEY,
        name=name,
        login="anna@example.com",
        sealed_password=b"\x00sealed\xff",
        is_admin=False,
        revision=2,
        created_at=NOON,
        created_by="olga",
    )
    return replace(account, **changed)


def make_session(link_id: str = LINK_ID, visitor: str = "bert", **changed: Any) -> OdooSession:
    """A session that has been signed in once; it belongs to `make_link`."""
    session = OdooSession(
        link_id=link_id,
        visitor=visitor,
        environment=KEY,
        account="anna",
        account_revision=2,
        link_version=3,
        sealed=b"\x00sealed id\xff",
        revision=1,
    )
    return replace(session, **changed)


def token_hash_of(link_id: str) -> bytes:
    return hashlib.sha256(link_id.encode()).digest()


async def keep(store: Store, *things: Environment | ShareLink | Account) -> None:
    """Insert in the order given; each link gets a token hash made of its id."""
    async with store.writing() as work:
        for thing in things:
            if isinstance(thing, Environment):
                await work.environments.add(thing)
            elif isinstance(thing, Account):
                await work.accounts.put(thing)
            else:
                await work.links.add(thing, token_hash_of(thing.id), b"sealed:" + thing.id.encode())


async def link_of(store: Store, id: str = LINK_ID) -> ShareLink:
    async with store.reading() as work:
        link = await work.links.get(id)
    assert link is not None
    return link


def visit_log(store: Store, clock: Clock, **given: Any) -> VisitLog:
    """The log of a worker of its own."""
    return VisitLog(store, clock, worker=f"worker {next(_WORKERS)}", is_refusal=is_refusal, **given)


async def history_of(work: UnitOfWork, link_id: str = LINK_ID) -> list[LinkEvent]:
    """All events of a link, oldest first."""
    return (await work.visits.newest_events(link_id, kinds=list(EventKind), before=None, limit=100_000))[::-1]


async def changes_after(work: UnitOfWork, number: int = 0) -> list[Change]:
    """The changes that a feed which has read up to this number would apply."""
    assert isinstance(work.changes, SQLChangeLog)
    return [change for row in await work.changes.since(number + 1) if (change := row.change) is not None]


async def sign_in(store: Store, session: OdooSession) -> None:
    """Keep a session as its first sign-in leaves it, with revision 1."""
    async with store.writing() as work:
        fresh = replace(session, sealed=None, revision=0)
        assert await work.odoo_sessions.claim(fresh, claim="first", now=NOON, until=NOON + timedelta(seconds=30))
        assert await work.odoo_sessions.complete(session, claim="first", now=NOON) == 1
