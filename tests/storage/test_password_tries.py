"""Who may try a link's password how often, over several workers that share a database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from itertools import islice
from typing import cast

import pytest
from sqlalchemy import func, select
from tests.storage.samples import (
    KEY,
    NOON,
    CountedEntropy,
    SetClock,
    history_of,
    keep,
    make_environment,
    make_link,
    visit_log,
)

from guestpass.app.counters import Limit
from guestpass.app.fair_queue import FairQueue
from guestpass.app.password_login import OpeningRefused, PasswordLogin, VisitorGone
from guestpass.app.password_tries import PasswordTries
from guestpass.app.ports import UnitOfWork
from guestpass.app.turns import VISITORS, Turn
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.domain.access import Principal
from guestpass.domain.link import EventKind, ShareType
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.signing.keys import Keys
from guestpass.signing.tokens import SealedTokens
from guestpass.storage.database import Database
from guestpass.storage.tables import rate_counters

LINK, RIGHT, WRONG = "aaaaaaaaaaaaaaaa", "correct horse", "battery staple"
HERE, OLGA = "192.0.2.7", Principal("olga")
VAULT = SealedTokens(Keys.from_secret("s" * 32), CountedEntropy())
TOKEN = VAULT.new()


class CountedHashes:
    """Compares at once instead of hashing, two at a time and in fair turns as the real one; counts what it does."""

    def __init__(self) -> None:
        self._queue = FairQueue(2)
        self.under_way = self.most = 0
        self.asked = asyncio.Event()
        self.made: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, link_id: str, address: str) -> AsyncIterator[None]:
        self.asked.set()
        async with self._queue.turn(link_id, address):
            yield

    async def hash(self, password: str, org: str) -> str:
        raise NotImplementedError

    async def verify(self, encoded: str, password: str) -> bool:
        self.made[password] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(5):
            await asyncio.sleep(0)
        self.under_way -= 1
        return encoded == password


class CountedStore:
    """The database, and how many units of work have begun that may write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writes = 0

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._database.reading()

    @asynccontextmanager
    async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
        self.writes += 1
        async with self._database.writing(turn) as work:
            yield work


class Workers:
    """Two workers at one database, and a link with a password."""

    def __init__(self, databases: Sequence[Database], clock: SetClock, *, of_address: str, of_link: str) -> None:
        self.clock = clock
        self.database = databases[0]
        self.hashes = CountedHashes()
        self.stores = [CountedStore(database) for database in databases]
        self.tries = [PasswordTries(store, clock, of_address=of_address, of_link=of_link) for store in self.stores]
        self._openings = [
            PasswordLogin(store, VAULT, self.hashes, clock, visit_log(store, clock), tries, cast("VisitorSlots", None))
            for store, tries in zip(self.stores, self.tries, strict=True)
        ]
        self._turn = 0

    async def attempt(
        self,
        password: str,
        address: str = HERE,
        *,
        passes: Sequence[VisitorPass] = (),
        is_there: Callable[[], bool] = lambda: True,
    ) -> Reason | None:
        """Try it at one worker after the other; why it did not open, None where it did."""

        async def there() -> bool:
            return is_there()

        self._turn += 1
        try:
            await self._openings[self._turn % len(self._openings)].login(
                TOKEN, password, address, passes=passes, is_there=there, request_id="r", user_agent=""
            )
        except OpeningRefused as refused:
            return refused.reason
        return None

    async def at_once(self, password: str, addresses: Iterable[str]) -> Counter[Reason | None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.attempt(password, address)) for address in addresses]
        return Counter(task.result() for task in tasks)

    async def guess(self, addresses: Iterable[str], times: int = 1) -> int:
        """Try a wrong one from each of these, one after the other; how many were tried."""
        before = self.hashes.made[WRONG]
        for address in addresses:
            for _ in range(times):
                assert await self.attempt(WRONG, address) in {Reason.PASSWORD_WRONG, Reason.TRIES_USED_UP}
        return self.hashes.made[WRONG] - before

    async def locked(self) -> int:
        """How often the history tells of being locked, and nothing of where from."""
        async with self.database.reading() as work:
            locked = [each for each in await history_of(work, LINK) if each.kind is EventKind.LOCKED]
        assert {(each.actor, each.detail) for each in locked} <= {("guestpass", None)}
        return len(locked)

    async def counters(self) -> int:
        async with self.database.reading() as work:
            return (await work.connection.execute(select(func.count()).select_from(rate_counters))).scalar_one()


Make = Callable[..., Workers]


@pytest.fixture
async def workers(open_database: Callable[[], Database], clock: SetClock) -> Make:
    first = open_database()
    await keep(first, make_environment())
    link = make_link(
        LINK, share_type=ShareType.PASSWORD, password_hash=RIGHT, allowed_ips=(), expires_at=NOON + timedelta(days=90)
    )
    async with first.writing() as work:
        await work.links.add(link, VAULT.hash(TOKEN), b"sealed")

    def make(*, of_address: str = "10/15minute", of_link: str = "200/hour") -> Workers:
        return Workers([first, open_database()], clock, of_address=of_address, of_link=of_link)

    return make


def networks(network: str, length: int) -> Iterable[str]:
    """One address in each network of this length."""
    of = (IPv6Network if ":" in network else IPv4Network)(network)
    return (str(each[-1]) for each in of.subnets(new_prefix=length))


# Right passwords


async def test_right_passwords_of_one_office_all_open_at_once(workers: Make) -> None:
    office = workers()
    assert await office.at_once(RIGHT, [HERE] * 30) == {None: 30}
    assert office.hashes.made == {RIGHT: 30}
    assert office.hashes.most <= 2
    assert await office.locked() == 0
    # One to charge, one to give back, and nothing is left of it.
    assert sum(store.writes for store in office.stores) == 60
    assert await office.counters() == 0


async def test_right_passwords_of_an_audience_all_open_at_once(workers: Make) -> None:
    audience = workers()
    addresses = [f"192.0.{number // 100}.{number % 100}" for number in range(300)]
    assert await audience.at_once(RIGHT, addresses) == {None: 300}
    assert await audience.locked() == 0
    assert await audience.tries[0].locked_until(OLGA, KEY.id, LINK) is None


async def test_with_a_single_try_left_right_passwords_wait_for_each_other(workers: Make) -> None:
    office = workers(of_address="1/hour", of_link="1/hour")
    assert await office.at_once(RIGHT, [HERE] * 8) == {None: 8}
    assert await office.locked() == 0


# Wrong ones


async def test_wrong_passwords_of_one_address_are_tried_so_often_whatever_the_hurry(workers: Make) -> None:
    guessing = workers()
    assert await guessing.at_once(WRONG, [HERE] * 40) == {Reason.PASSWORD_WRONG: 10, Reason.TRIES_USED_UP: 30}
    assert guessing.hashes.made == {WRONG: 10}
    assert await guessing.locked() == 1
    # Nor is the right one tried any more, and what is refused writes nothing.
    writes = sum(store.writes for store in guessing.stores)
    assert await guessing.at_once(RIGHT, [HERE] * 5) == {Reason.TRIES_USED_UP: 5}
    assert sum(store.writes for store in guessing.stores) == writes
    guessing.clock.advance(timedelta(minutes=15))
    assert await guessing.at_once(WRONG, [HERE] * 40) == {Reason.PASSWORD_WRONG: 10, Reason.TRIES_USED_UP: 30}
    assert await guessing.locked() == 2


async def test_right_ones_among_wrong_ones_give_nobody_more_wrong_ones(workers: Make) -> None:
    office = workers()
    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(office.attempt(RIGHT if number % 2 else WRONG))
    assert office.hashes.made[WRONG] == 10
    assert await office.locked() == 1


async def test_a_history_tells_of_many_guessers_only_so_often(workers: Make) -> None:
    guessing = workers(of_address="1/minute")
    await guessing.guess(islice(networks("198.51.100.0/24", 32), 30))
    assert await guessing.locked() == 24


# Whom guessers leave alone


async def test_25_addresses_that_guess_shut_out_nobody_who_has_not(workers: Make) -> None:
    link = workers(of_link="20/hour")
    # Each has three of its own, and what they share is used up soon after.
    assert await link.guess((f"198.51.{number}.7" for number in range(25)), times=5) == 25 * 3 + 20
    assert await link.guess((f"203.0.{number}.7" for number in range(5)), times=5) == 5 * 3
    assert await link.locked() == 1
    assert await link.tries[0].locked_until(OLGA, KEY.id, LINK) == NOON + timedelta(hours=1)
    # Somebody who mistypes twice gets in all the same; only who has failed more often waits.
    assert [await link.attempt(each) for each in (WRONG, WRONG, RIGHT)] == [Reason.PASSWORD_WRONG] * 2 + [None]
    assert await link.attempt(WRONG) is Reason.PASSWORD_WRONG
    assert await link.attempt(RIGHT) is Reason.TRIES_USED_UP
    link.clock.advance(timedelta(hours=1))
    assert await link.attempt(RIGHT) is None


@pytest.mark.parametrize(
    ("network", "length", "count", "first"),
    [
        ("2001:db8:1:1100::/59", 64, 32, 12),
        ("2001:db8:1::/48", 56, 32, 48),
        ("198.51.100.0/24", 32, 40, 64),
    ],
)
async def test_a_network_of_addresses_has_so_many_first_tries_and_no_more(
    workers: Make, network: str, length: int, count: int, first: int
) -> None:
    link = workers(of_link="5/hour")
    assert await link.guess(islice(networks(network, length), count), times=4) == first + 5
    assert await link.attempt(RIGHT, next(iter(networks(network, length)))) is Reason.TRIES_USED_UP
    # Others are let in as ever.
    assert await link.attempt(RIGHT, HERE) is None
    assert await link.attempt(RIGHT, "2001:db8:2::1") is None


async def test_a_provider_of_addresses_has_so_many_first_tries_and_no_more(workers: Make) -> None:
    link = workers(of_link="5/hour")
    async with link.database.writing() as work:
        for _ in range(1020):
            await work.counters.add([Limit("1024/day", "password-network").counter(LINK, "2001:db8::/32")], NOON)
    assert await link.guess(f"2001:db8:{number}::1" for number in range(12)) == 4 + 5
    assert await link.attempt(RIGHT, "2001:db8:ffff::1") is Reason.TRIES_USED_UP
    assert await link.attempt(RIGHT, "2001:db9::1") is None


async def test_right_passwords_take_no_first_try_of_their_network(workers: Make) -> None:
    link = workers(of_link="1/hour")
    await link.guess([HERE, HERE, HERE, HERE])
    for address in islice(networks("2001:db8:1:1100::/56", 64), 20):
        assert await link.attempt(RIGHT, address) is None


# Who was in before


def pass_of(visitor: str, link_id: str = LINK, version: int = 1) -> VisitorPass:
    return VisitorPass(link_id, version, visitor, 0)


async def test_who_was_in_before_has_tries_of_their_own(workers: Make) -> None:
    link = workers(of_link="1/hour")
    await link.guess([HERE] * 20)
    assert await link.attempt(RIGHT) is Reason.TRIES_USED_UP
    anna = [pass_of("anna")]
    assert await link.attempt(RIGHT, passes=anna) is None
    wrong = [await link.attempt(WRONG, passes=anna) for _ in range(6)]
    assert wrong == [Reason.PASSWORD_WRONG] * 5 + [Reason.TRIES_USED_UP]
    assert await link.attempt(RIGHT, passes=[pass_of("bert")]) is None


@pytest.mark.parametrize("worthless", [pass_of("anna", "bbbbbbbbbbbbbbbb"), pass_of("preview-anna"), pass_of("ended")])
async def test_other_passes_bring_no_tries(workers: Make, worthless: VisitorPass) -> None:
    link = workers()
    async with link.database.writing() as work:
        await work.places.take_place(LINK, "ended", 3, NOON, reserved_until=NOON)
        await work.places.end(LINK, "ended", NOON)
    await link.guess([HERE] * 20)
    assert await link.attempt(RIGHT, passes=[worthless]) is Reason.TRIES_USED_UP
    assert await link.attempt(RIGHT, passes=[worthless, pass_of("anna")]) is None


async def test_many_passes_bring_so_many_tries_and_no_more(workers: Make) -> None:
    link = workers(of_link="1/hour")
    await link.guess([HERE] * 20)
    before = link.hashes.made[WRONG]
    for number in range(60):
        await link.attempt(WRONG, passes=[pass_of(f"visitor {number}")])
    assert link.hashes.made[WRONG] - before == 50


# Waiting for a turn


async def test_who_has_gone_is_charged_nothing(workers: Make) -> None:
    link = workers()
    with pytest.raises(VisitorGone):
        await link.attempt(WRONG, is_there=lambda: False)
    assert (link.hashes.made, await link.counters()) == ({}, 0)


async def test_a_link_that_ended_meanwhile_tries_nothing(workers: Make) -> None:
    link = workers()
    async with asyncio.TaskGroup() as group, link.hashes.turn("1", "1"), link.hashes.turn("2", "2"):
        link.hashes.asked.clear()
        waiting = group.create_task(link.attempt(RIGHT))
        await asyncio.wait_for(link.hashes.asked.wait(), 20)
        async with link.database.writing() as work:
            await work.links.deactivate(LINK, NOON)
    assert waiting.result() is Reason.LINK_DEACTIVATED
    assert (link.hashes.made, await link.counters()) == ({}, 0)


async def test_an_owner_gives_everybody_all_tries_again(workers: Make) -> None:
    link = workers(of_link="5/hour")
    addresses = [HERE, *islice(networks("2001:db8:1:1100::/56", 64), 10)]
    tried = await link.guess(addresses, times=20)
    anna = [pass_of("anna")]
    for _ in range(5):
        assert await link.attempt(WRONG, passes=anna) is Reason.PASSWORD_WRONG
    await link.tries[0].unlock(OLGA, KEY.id, LINK)
    assert await link.guess(addresses, times=20) == tried
    assert await link.attempt(WRONG, passes=anna) is Reason.PASSWORD_WRONG
