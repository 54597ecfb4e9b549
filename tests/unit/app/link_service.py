"""What tests of links' use cases have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.storage.samples import CountedEntropy, SetClock, history_of
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.accounts import AccountService, SignInCredentials
from guestpass.app.links import LinkService, NewLink, OwnedLink
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.access import Principal
from guestpass.domain.errors import Invalid
from guestpass.domain.link import LinkEvent
from guestpass.signing.keys import Keys
from guestpass.signing.tokens import SealedTokens
from guestpass.storage.database import Database

OLGA, STRANGER = Principal("olga"), Principal("sam", "acme")
HOUR = timedelta(hours=1)
KEYS = Keys.from_secret("s" * 32)
VAULT = SealedTokens(KEYS, CountedEntropy())
DEMO = SignInCredentials(login="demo", password="demo's own")
ADMIN = SignInCredentials(login="admin", password="admin's own", allow_admin=True)


class PlainHasher:
    """Marks instead of hashing, and can be made to wait; the real one is tried where the hashes are looked at."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.begun = asyncio.Event()

    async def hash(self, password: str, org: str) -> str:  # noqa: ARG002 -- the port says so
        self.begun.set()
        await self.may_go_on.wait()
        return f"hash of {len(password)} characters"

    @asynccontextmanager
    async def turn(self, link_id: str, address: str) -> AsyncIterator[None]:  # noqa: ARG002 -- the same
        yield

    async def verify(self, encoded: str, password: str) -> bool:
        return encoded == f"hash of {len(password)} characters"


def make_service(
    database: Database,
    announcer: NotingAnnouncer,
    clock: SetClock,
    hasher: PlainHasher,
    accounts: AccountService,
    *,
    addresses: PublicUrls | None = None,
    longest: timedelta = 8760 * HOUR,
) -> LinkService:
    return LinkService(
        store=database,
        announcer=announcer,
        vault=VAULT,
        hasher=hasher,
        addresses=addresses or PublicUrls("https://share.example.com"),
        accounts=accounts,
        clock=clock,
        entropy=CountedEntropy(),
        longest=longest,
    )


async def make(links: LinkService, environment_id: str = "staging", **given: Any) -> OwnedLink:
    return await links.create(OLGA, environment_id, NewLink(**given))


async def history(database: Database, id: str) -> list[LinkEvent]:
    async with database.reading() as work:
        return await history_of(work, id)


async def refused(call: Awaitable[object]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        await call
    return {error.field: error.message for error in caught.value.errors}
