"""Who is let in by a link's password: what is refused before and after it was right, and what becomes of the place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.storage.samples import (
    LINK_ID,
    NOON,
    SetClock,
    keep,
    make_environment,
    make_link,
    token_hash_of,
    visit_log,
)
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.password_login import OpeningRefused, PasswordLogin, VisitorGone
from guestpass.app.password_tries import PasswordTries
from guestpass.app.ports import TokenVault
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.domain.link import ShareLink, ShareType
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.storage.database import Database

RIGHT, WRONG, HERE = "correct horse", "battery staple", "192.0.2.7"
LINK = make_link(share_type=ShareType.PASSWORD, password_hash=RIGHT, max_visitors=1)


class Vault:
    """Knows tokens by the link's id."""

    def is_well_formed(self, token: str) -> bool:
        return token.isalnum()

    def hash(self, token: str) -> bytes:
        return token_hash_of(token)


class Hasher:
    """Compares instead of hashing, and counts."""

    def __init__(self) -> None:
        self.compared = 0

    @asynccontextmanager
    async def turn(self, _link_id: str, _address: str) -> AsyncIterator[None]:
        yield

    async def hash(self, password: str, org: str) -> str:
        raise NotImplementedError

    async def verify(self, encoded: str, password: str) -> bool:
        self.compared += 1
        return encoded == password


@dataclass
class LinkLogin:
    """A link's login, over a real database."""

    database: Database
    clock: SetClock
    hasher: Hasher
    login: PasswordLogin
    slots: VisitorSlots
    visits: Any
    is_there: bool = True

    async def _is_there(self) -> bool:
        return self.is_there

    async def attempt(self, password: str | None, *, token: str = LINK_ID, address: str = HERE) -> ShareLink:
        return await self.login.login(
            token,
            password,
            address,
            passes=(),
            is_there=self._is_there,
            request_id="a08817c2-1",
            user_agent="Mozilla/5.0",
        )

    async def enter(self, visitor: str, link: ShareLink = LINK) -> None:
        await self.login.let_in(
            LINK_ID,
            link,
            visitor,
            HERE,
            is_there=self._is_there,
            request_id="a08817c2-1",
            user_agent="Mozilla/5.0",
        )

    async def refusals(self) -> list[tuple[str, str | None]]:
        await self.visits.flush()
        async with self.database.reading() as work:
            return [(each.reason, each.request_id) for each in await work.refusals.of_link(LINK_ID)]

    async def taken(self) -> int:
        async with self.database.reading() as work:
            return (await work.places.places_taken([LINK_ID], self.clock.now())).get(LINK_ID, 0)


@pytest.fixture
async def link_login(database: Database, announcer: NotingAnnouncer, clock: SetClock) -> LinkLogin:
    await keep(database, make_environment(), LINK)
    hasher, visits = Hasher(), visit_log(database, clock)
    slots = VisitorSlots(database, announcer, clock, given=LocalRate("1000000/hour", clock.time.timestamp))
    tries = PasswordTries(database, clock, of_address="3/10minute", of_link="100/10minute")
    login = PasswordLogin(database, cast("TokenVault", Vault()), hasher, clock, visits, tries, slots)
    return LinkLogin(database, clock, hasher, login, slots, visits)


async def _reason(attempt: Any) -> Reason:
    with pytest.raises(OpeningRefused) as refused:
        await attempt
    return refused.value.reason


async def _change(link_login: LinkLogin, **changed: Any) -> None:
    async with link_login.database.writing() as work:
        assert await work.links.update(replace(LINK, **changed))


async def test_the_right_password_opens_and_a_wrong_one_is_among_the_refusals(link_login: LinkLogin) -> None:
    assert (await link_login.attempt(RIGHT)).id == LINK_ID
    assert await link_login.refusals() == []
    assert await _reason(link_login.attempt(WRONG)) is Reason.PASSWORD_WRONG
    assert await link_login.refusals() == [("password_wrong", "a08817c2-1")]


async def test_who_types_nothing_is_asked_again_and_has_tried_nothing(link_login: LinkLogin) -> None:
    for nothing in (None, ""):
        assert await _reason(link_login.attempt(nothing)) is Reason.PASSWORD_NEEDED
    assert link_login.hasher.compared == 0
    assert await link_login.refusals() == []


async def test_whose_tries_are_used_up_waits_and_nothing_is_compared(link_login: LinkLogin) -> None:
    for _ in range(3):
        assert await _reason(link_login.attempt(WRONG)) is Reason.PASSWORD_WRONG
    compared = link_login.hasher.compared
    with pytest.raises(OpeningRefused) as refused:
        await link_login.attempt(RIGHT)
    assert refused.value.reason is Reason.TRIES_USED_UP
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 600
    assert link_login.hasher.compared == compared
    assert (await link_login.attempt(RIGHT, address="198.51.100.3")).id == LINK_ID, "others have their own"


async def test_a_link_that_has_lost_its_password_opens_with_any(link_login: LinkLogin) -> None:
    await _change(link_login, password_hash=None, share_type=ShareType.TOKEN)
    assert (await link_login.attempt(WRONG)).password_hash is None
    assert link_login.hasher.compared == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"deactivated_at": NOON}, Reason.LINK_DEACTIVATED),
        ({"expires_at": NOON - timedelta(seconds=1)}, Reason.LINK_EXPIRED),
        ({"allowed_ips": ("10.0.0.0/8",)}, Reason.ADDRESS_REFUSED),
    ],
)
async def test_a_link_that_is_not_open_to_them_is_none_with_the_right_password_either(
    link_login: LinkLogin, changed: dict[str, Any], reason: Reason
) -> None:
    await _change(link_login, **changed)
    assert await _reason(link_login.attempt(RIGHT)) is reason
    assert link_login.hasher.compared == 0


@pytest.mark.parametrize("token", ["../etc", "unknown"])
async def test_what_is_no_token_of_a_link_is_unknown(link_login: LinkLogin, token: str) -> None:
    assert await _reason(link_login.attempt(RIGHT, token=token)) is Reason.UNKNOWN_LINK


async def test_who_has_gone_before_their_turn_has_tried_nothing(link_login: LinkLogin) -> None:
    link_login.is_there = False
    with pytest.raises(VisitorGone):
        await link_login.attempt(WRONG)
    assert link_login.hasher.compared == 0


async def test_a_full_link_lets_nobody_in_and_its_owner_reads_of_it(link_login: LinkLogin) -> None:
    await link_login.enter("anna")
    assert await link_login.taken() == 1
    assert await _reason(link_login.enter("bert")) is Reason.LINK_FULL
    assert await link_login.refusals() == [("link_full", "a08817c2-1")]
    await link_login.enter("anna")
    assert await link_login.taken() == 1


async def test_who_leaves_before_the_answer_gives_the_place_back(link_login: LinkLogin) -> None:
    link_login.is_there = False
    with pytest.raises(VisitorGone):
        await link_login.enter("anna")
    assert await link_login.taken() == 0


async def test_a_link_that_got_another_version_meanwhile_lets_nobody_in(link_login: LinkLogin) -> None:
    await _change(link_login, version=2)
    assert await _reason(link_login.enter("anna")) is Reason.UNAVAILABLE
    await _change(link_login, version=2, deactivated_at=NOON)
    assert await _reason(link_login.enter("anna")) is Reason.LINK_DEACTIVATED


async def test_a_link_that_has_given_too_many_places_says_how_long_to_wait(link_login: LinkLogin) -> None:
    given = LocalRate("1/hour", link_login.clock.time.timestamp)
    link_login.slots._given = given
    assert given.spend(LINK_ID) is None
    with pytest.raises(OpeningRefused) as refused:
        await link_login.enter("anna")
    assert refused.value.reason is Reason.LINK_OVERRUN
    assert refused.value.retry_after is not None


async def test_the_visits_that_a_pass_replaces_end_and_its_own_does_not(link_login: LinkLogin) -> None:
    def of(visitor: str) -> VisitorPass:
        return VisitorPass(LINK_ID, LINK.version, visitor, int(NOON.timestamp()))

    await link_login.enter("anna")
    await link_login.login.leave([of("anna")], of("anna"))
    assert await link_login.taken() == 1
    await link_login.login.leave([of("anna")], of("bert"))
    assert await link_login.taken() == 0


async def test_where_visitors_take_places_each_is_counted_alone(link_login: LinkLogin) -> None:
    assert link_login.login.distinguish(LINK, HERE)
