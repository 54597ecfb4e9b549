"""Letters with marks are one character on some keyboards, several on others: the same password and search."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from unicodedata import normalize

import pytest
from tests.storage.samples import SetClock, keep, make_environment
from tests.unit.app.link_service import OLGA, VAULT, PlainHasher, make

from guestpass.app.findings import Findings
from guestpass.app.links import LinkChange, LinkSearch, LinkService, OwnedLink
from guestpass.app.overview import Overview
from guestpass.app.password_login import OpeningRefused, PasswordLogin
from guestpass.app.password_tries import PasswordTries
from guestpass.app.public_urls import PublicUrls
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.errors import Invalid
from guestpass.storage.database import Database

COMPOSED, DECOMPOSED = "Größe-Zoë-é", normalize("NFD", "Größe-Zoë-é")


class KeepingHasher(PlainHasher):
    """Keeps what it would hash, and counts what it compares."""

    def __init__(self) -> None:
        super().__init__()
        self.compared = 0

    async def hash(self, password: str, org: str) -> str:  # noqa: ARG002 -- the port says so
        return password

    async def verify(self, encoded: str, password: str) -> bool:
        self.compared += 1
        return encoded == password


class NoVisits:
    def refused(self, *_: object, **__: object) -> None:
        """Nobody asks."""


@pytest.fixture
async def hasher() -> KeepingHasher:
    return KeepingHasher()


@pytest.fixture
def password_login(database: Database, clock: SetClock, hasher: KeepingHasher) -> PasswordLogin:
    tries = PasswordTries(database, clock, of_address="100/hour", of_link="1000/hour")
    return PasswordLogin(
        database, VAULT, hasher, clock, cast("VisitLog", NoVisits()), tries, cast("VisitorSlots", None)
    )


async def opens(password_login: PasswordLogin, owned: OwnedLink, password: str) -> bool:
    async def is_there() -> bool:
        return True

    try:
        await password_login.login(
            owned.url.rpartition("/")[2],
            password,
            "192.0.2.7",
            passes=(),
            is_there=is_there,
            request_id="r",
            user_agent="",
        )
    except OpeningRefused:
        return False
    return True


@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("given", [COMPOSED, DECOMPOSED])
async def test_a_password_opens_however_it_is_typed(
    links: LinkService, password_login: PasswordLogin, given: str, typed: str
) -> None:
    owned = await make(links, password=given)
    assert await opens(password_login, owned, typed)
    changed = await links.change(OLGA, "staging", owned.link.id, LinkChange(password=f"{given}, another"))
    assert await opens(password_login, changed, f"{typed}, another")
    # A space that doesn't break is one key away on a Mac (RFC 8265, section 4.2.2).
    assert await opens(password_login, changed, f"{typed},\u00a0another")
    assert not await opens(password_login, changed, f"{typed} another")


async def test_what_was_hashed_as_it_was_typed_still_opens(
    links: LinkService, password_login: PasswordLogin, database: Database
) -> None:
    owned = await make(links, password=COMPOSED)
    async with database.writing() as work:
        await work.links.update(replace(owned.link, password_hash=DECOMPOSED))
    assert await opens(password_login, owned, DECOMPOSED)


@pytest.mark.parametrize(("guess", "hashes"), [("wrong horse", 1), (COMPOSED + "!", 1), (DECOMPOSED + "!", 2)])
async def test_a_guess_costs_one_hash_but_where_it_can_be_written_in_two_ways(
    links: LinkService, password_login: PasswordLogin, hasher: KeepingHasher, guess: str, hashes: int
) -> None:
    owned = await make(links, password="correct horse")
    assert not await opens(password_login, owned, guess)
    assert hasher.compared == hashes


async def test_a_password_is_as_long_as_it_is_hashed(links: LinkService) -> None:
    # Nine bytes as some keyboards write it, six as others do.
    with pytest.raises(Invalid, match="password"):
        await make(links, password=normalize("NFD", "ééé"))


@pytest.mark.parametrize("search", [COMPOSED, DECOMPOSED, DECOMPOSED.upper(), COMPOSED.lower()])
@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
async def test_a_search_finds_it_however_it_is_written(
    links: LinkService, database: Database, clock: SetClock, written: str, search: str
) -> None:
    await keep(database, make_environment(EnvironmentKey("default", "named"), name=f"The {written}"))
    by_label, by_note = await make(links, label=f"A {written}"), await make(links, note=f"About {written}")
    by_environment = await make(links, "named")
    await make(links, label="Zoe")
    await make(links, label="Grösse")
    found = await links.find(OLGA, LinkSearch(text=search))
    assert {owned.link.id for owned in found.items} == {each.link.id for each in (by_label, by_note, by_environment)}
    overview = Overview(database, Findings(database, PublicUrls("https://share.example.com")), clock)
    assert [summary.environment.id for summary in (await overview.page(OLGA, search=search)).summaries] == ["named"]
