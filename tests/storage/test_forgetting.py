"""What is promised to be forgotten is gone from every column of every table, and from SQLite's files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select
from tests.authenticators import FakeAuthenticator
from tests.storage.hearing import counting
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    SetClock,
    history_of,
    keep,
    make_account,
    make_environment,
    make_link,
    make_session,
    sign_in,
    visit_log,
)
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.counters import Charge, Exhausted, Limit
from guestpass.app.link_records import LinkRecords
from guestpass.app.password_tries import PasswordTries, Trier
from guestpass.app.ports import ChangeKind, DashboardSession
from guestpass.app.sign_outs import SignOuts
from guestpass.app.visitor_sessions import SIGN_INS, VisitorSessions
from guestpass.domain.access import Principal
from guestpass.domain.finding import Finding
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import AddressDetail, Agent
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import SealedSecrets
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database
from guestpass.storage.pruning import BATCH, CLOCKS_APART, Pruning
from guestpass.storage.retention import VisitRetention
from guestpass.system import SystemEntropy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEPT = 30 * DAY
OLGA = Principal("olga")
ENDED, ACTIVE = LINK_ID, "b" * 16
ADDRESSES = {"visitor": "198.51.100.77", "refused": "198.51.101.78", "owner": "198.51.103.80"}
GUESSER = "198.51.102.79"
"""Known by a hash alone, as long as no refusal tells of it."""
BROWSER, SYSTEM = "Forgettable Browser 7", "Forgettable System"
VISITORS = ["visitor-that-came", "visitor-sent-out", "visitor-signed-in"]
REQUEST = "request-that-was-refused"
FORMER = "203.0.113.99"
"""What a former version wrote into a history."""
TRY, SIGN_IN = Limit("10/15minute", "password-address"), Limit(SIGN_INS, "sign-in")
KEYS = [TRY.counter(ENDED, GUESSER).key, SIGN_IN.counter(ENDED, ADDRESSES["visitor"]).key]
"""Hashes of addresses, which whoever tries all addresses can tell."""


class Installation:
    """A database in which visitors and owners have left whatever they can."""

    def __init__(self, database: Database, clock: SetClock) -> None:
        self.database, self.clock = database, clock
        self.rounds = Pruning(database, clock)
        self.retention = VisitRetention(database, clock, KEPT)
        sealer, authenticator, entropy = (
            SealedSecrets(Keys.from_secret("s" * 32), SystemEntropy()),
            FakeAuthenticator(),
            SystemEntropy(),
        )
        self.sign_ins = DatabaseBudget(database, clock, SIGN_INS, "sign-in")
        self.sign_outs = SignOuts(database, sealer, authenticator, clock, entropy)
        self.sessions = VisitorSessions(database, sealer, authenticator, self.sign_outs, self.sign_ins, clock, entropy)
        self.tries = PasswordTries(database, clock, of_address="10/15minute", of_link="60/hour")
        self.log = visit_log(
            database,
            clock,
            agent_of=lambda _: Agent(BROWSER, SYSTEM),
            addresses=AddressDetail.FULL,
            of_address=LocalRate("1/hour", NOON.timestamp),
        )

    async def use(self) -> None:
        """Do everything by which something of a person is kept."""
        environment = make_environment()
        await keep(self.database, environment, make_account(), make_link(ENDED, account="anna"))
        await keep(self.database, make_link(ACTIVE, expires_at=NOON + 365 * DAY))
        at = NOON.timestamp()
        for visitor in VISITORS:
            self.log.opened(ENDED, visitor, at, address=ADDRESSES["visitor"], user_agent="as it came")
        for id in (ENDED, ACTIVE):
            self.log.refused(id, at, "network", ADDRESSES["refused"], request_id=REQUEST, user_agent="as it came")
        for _ in range(2):
            self.log.distinguish(ENDED, ADDRESSES["visitor"])
        self.log.found(environment, Finding("unreachable", "It can't be reached.", "Start it."))
        self.log.learned(KEY, "session_id")
        self.log.refused_call(KEY, "sale.order", "write", at)
        await self.log.flush()
        await self._guess()
        await LinkRecords(self.database, NotingAnnouncer(self.database), self.clock, AddressDetail.FULL).end_visit(
            OLGA, KEY.id, ENDED, VISITORS[1]
        )
        await self._sign_in()
        async with self.database.writing() as work:
            await work.dashboard_sessions.invite(b"i" * 32, OLGA, until=NOON + HOUR)
            session = DashboardSession("session", OLGA, None, ADDRESSES["owner"], NOON, NOON + 12 * HOUR)
            await work.dashboard_sessions.add(session, b"s" * 32)
            await work.revoked_tokens.add("token-withdrawn", revoked_at=NOON, expires_at=NOON + DAY)
            for id in (ENDED, ACTIVE):
                await work.visits.add_events([LinkEvent(id, NOON, EventKind.LOCKED, "guestpass", FORMER)])
            await work.changes.append(ChangeKind.ODOO_SESSION, f"{ENDED}/{VISITORS[2]}")

    async def _guess(self) -> None:
        """Until the address gets no more tries, and one that a killed worker left pending."""
        trier = Trier(ENDED, GUESSER)
        while isinstance(charged := await self.tries.charge(trier), Charge):
            await self.tries.settle(trier, charged, right=False)
        assert isinstance(charged, Exhausted)
        assert isinstance(await self.tries.charge(Trier(ENDED, ADDRESSES["visitor"], VISITORS[0])), Charge)

    async def _sign_in(self) -> None:
        await self.sign_ins.spend(ENDED, ADDRESSES["visitor"])
        await sign_in(self.database, make_session(ENDED, VISITORS[2]))
        # Whoever was about to sign this one in was killed.
        async with self.database.writing() as work:
            wanted = make_session(ENDED, VISITORS[0], sealed=None, revision=0)
            assert await work.odoo_sessions.claim(wanted, claim="claim", now=NOON, until=NOON + HOUR)

    async def keep_house(self) -> None:
        """One round of what workers do in the background."""
        while await self.sessions.end_finished():
            pass
        await self.sign_outs.end_due()
        await self.retention.remove()
        await self.rounds.prune()

    async def found(self, needles: Sequence[str]) -> dict[str, set[str]]:
        """In which columns of the database as it really is each of these stands."""
        everything = MetaData()
        found = {needle: set[str]() for needle in needles}
        async with self.database.reading() as work:
            await work.connection.run_sync(everything.reflect)
            for table in everything.sorted_tables:
                for row in (await work.connection.execute(select(table))).mappings():
                    for name, value in row.items():
                        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                        for needle in needles:
                            if needle in text:
                                found[needle].add(f"{table.name}.{name}")
        return found


@pytest.fixture
async def used(database: Database, clock: SetClock) -> Installation:
    installation = Installation(database, clock)
    await installation.use()
    return installation


NEEDLES = [*ADDRESSES.values(), BROWSER, SYSTEM, *VISITORS, REQUEST, FORMER, *KEYS, "token-withdrawn"]


async def test_the_database_holds_nobody_after_their_time(used: Installation, clock: SetClock) -> None:
    assert all((await used.found(NEEDLES)).values()), "each is kept somewhere, or this test would prove nothing"
    assert await used.found([GUESSER]) == {GUESSER: set()}
    # The link ended after a week.
    clock.time = NOON + 7 * DAY + KEPT
    await used.keep_house()
    assert await used.found(NEEDLES) == {needle: set() for needle in NEEDLES}
    async with used.database.reading() as work:
        kinds = [event.kind for event in await history_of(work, ENDED)]
    assert sorted(kinds) == [EventKind.LOCKED, EventKind.LOCKED, EventKind.VISIT_ENDED], "what happened stays"


async def test_what_is_over_sooner_goes_sooner_though_nobody_does_anything(used: Installation, clock: SetClock) -> None:
    clock.time = NOON + HOUR + CLOCKS_APART
    await used.keep_house()
    clock.time = NOON + DAY + CLOCKS_APART + HOUR
    await used.keep_house()
    soon = [ADDRESSES["owner"], "token-withdrawn", *KEYS]
    assert await used.found(soon) == {needle: set() for needle in soon}
    # Visitors of a link that still opens are known to its owner, and so is who was turned away lately.
    assert (await used.found([ADDRESSES["visitor"]]))[ADDRESSES["visitor"]] == {"visitors.address"}
    assert (await used.found([REQUEST]))[REQUEST] == {"refusals.request_id"}


async def test_the_files_hold_nobody_after_their_time(sqlite_url: str, tmp_path: Path, clock: SetClock) -> None:
    database, other = Database(sqlite_url, clock), Database(sqlite_url, clock)
    used = Installation(database, clock)
    await used.use()
    # Another worker has the file open, so that its log is not removed with the last connection.
    async with other.reading() as work:
        assert await work.links.get(ENDED)

    def in_files() -> set[str]:
        data = b"".join(file.read_bytes() for file in sorted(tmp_path.glob("guestpass.db*")))
        return {needle for needle in NEEDLES if needle.encode() in data}

    assert in_files() == set(NEEDLES)
    clock.time = NOON + 7 * DAY + KEPT
    await used.keep_house()
    assert in_files() == set()
    await database.close()
    await other.close()


async def test_many_rows_go_in_batches_and_none_before_its_time(database: Database, clock: SetClock) -> None:
    def session(number: int, until: timedelta) -> DashboardSession:
        return DashboardSession(f"session{number}", OLGA, None, "192.0.2.7", NOON, NOON + until)

    tick = timedelta(microseconds=1)

    async with database.writing() as work:
        for number in range(BATCH + 20):
            await work.dashboard_sessions.add(session(number, HOUR - number * tick), b"%32d" % number)
        late = session(BATCH + 20, HOUR + tick)
        await work.dashboard_sessions.add(late, b"%32d" % (BATCH + 20))
    clock.time = NOON + HOUR + CLOCKS_APART
    with counting() as sent:
        assert await Pruning(database, clock).prune() == BATCH + 20
    assert len([text for text in sent.texts if text.startswith("DELETE FROM dashboard_sessions")]) == 2
    async with database.reading() as work:
        assert await work.dashboard_sessions.all(now=NOON) == [late]
