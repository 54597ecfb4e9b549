"""Use cases over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.authenticators import FakeAuthenticator, sign_outs
from tests.storage.migrated import new_database
from tests.storage.samples import CountedEntropy, SetClock, keep, make_environment
from tests.unit.app.announcer import NotingAnnouncer
from tests.unit.app.link_service import KEYS, PlainHasher, make_service

from guestpass.app.accounts import AccountService
from guestpass.app.links import LinkService
from guestpass.domain.environment import EnvironmentKey, Kind
from guestpass.signing.sealing import SealedSecrets
from guestpass.storage.database import Database


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def database(tmp_path: Path, clock: SetClock) -> AsyncIterator[Database]:
    database = Database(new_database(tmp_path), clock)
    yield database
    await database.close()


@pytest.fixture
def announcer(database: Database) -> NotingAnnouncer:
    return NotingAnnouncer(database)


@pytest.fixture
async def hasher() -> PlainHasher:
    return PlainHasher()


@pytest.fixture
def authenticator() -> FakeAuthenticator:
    return FakeAuthenticator()


@pytest.fixture
def accounts(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, authenticator: FakeAuthenticator
) -> AccountService:
    sealer = SealedSecrets(KEYS, CountedEntropy())
    return AccountService(
        database, announcer, sealer, authenticator, sign_outs(database, clock, authenticator, sealer), clock
    )


@pytest.fixture
async def links(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, hasher: PlainHasher, accounts: AccountService
) -> LinkService:
    """Links of an organisation that has an Odoo, another, and a site that is none; and somebody else's."""
    await keep(
        database,
        make_environment(),
        make_environment(EnvironmentKey("default", "other")),
        make_environment(EnvironmentKey("acme", "theirs")),
        make_environment(EnvironmentKey("default", "site"), kind=Kind.WEB),
    )
    return make_service(database, announcer, clock, hasher, accounts)
