from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from tests.authenticators import FakeAuthenticator, sign_outs
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    CountedEntropy,
    SetClock,
    changes_after,
    keep,
    make_account,
    make_environment,
    make_link,
    make_session,
)
from tests.storage.waiting import until
from tests.unit.app.stopping_store import FailingStore, StoppingStore

from guestpass.app.accounts import password_context
from guestpass.app.link_cache import LinkEntry
from guestpass.app.ports import ChangeKind, Clock, OdooSession, Store, UnitOfWork
from guestpass.app.turns import VISITORS, Turn
from guestpass.app.visitor_sessions import (
    CLAIM,
    RETRY_REFUSED,
    SCANNED_AT_ONCE,
    SIGN_INS,
    WAIT,
    NoSession,
    VisitorSession,
    VisitorSessions,
)
from guestpass.domain.account import Account, SignInRefusal
from guestpass.domain.reasons import Reason
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import SealedSecrets
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database
from guestpass.storage.tables import odoo_sessions

SEALER = SealedSecrets(Keys.from_secret("s" * 32), CountedEntropy())
ENTROPY = CountedEntropy()
TICK = timedelta(microseconds=1)
ADDRESS = "192.0.2.7"


def demo(revision: int = 1, password: str = "demo's own", **changed: object) -> Account:
    sealed = SEALER.seal(password, password_context(KEY, "anna"))
    return make_account("anna", **{"login": "demo", "sealed_password": sealed, "revision": revision} | changed)


ENTRY = LinkEntry(make_link(account="anna"), make_environment(), account=demo())


class RunningClock(SetClock):
    """A clock by which a second passes each time that somebody looks at it."""

    def now(self) -> datetime:
        self.advance(timedelta(seconds=1))
        return self.time


@pytest.fixture
def authenticator() -> FakeAuthenticator:
    return FakeAuthenticator()


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, ENTRY.environment, demo(), ENTRY.link)
    return database


class Worker(VisitorSessions):
    """A worker that tells Odoo at once of what is over."""

    async def obtain(self, *arguments: Any, **more: Any) -> VisitorSession:
        try:
            return await super().obtain(*arguments, **more)
        finally:
            await self._sign_outs.end_due()

    async def end(self, entry: LinkEntry, visitor: str) -> None:
        await super().end(entry, visitor)
        await self._sign_outs.end_due()

    async def end_finished(self) -> int:
        ended = await super().end_finished()
        await self._sign_outs.end_due()
        return ended


def worker_over(
    database: Database, store: Store, authenticator: FakeAuthenticator, clock: Clock, sealer: SealedSecrets = SEALER
) -> Worker:
    budget = DatabaseBudget(database, clock, SIGN_INS, "sign-ins")
    return Worker(store, sealer, authenticator, sign_outs(store, clock, authenticator, sealer), budget, clock, ENTROPY)


@pytest.fixture
def worker(database: Database, authenticator: FakeAuthenticator, clock: SetClock) -> Worker:
    return worker_over(database, database, authenticator, clock)


@pytest.fixture
def second(database: Database, authenticator: FakeAuthenticator, clock: SetClock) -> Worker:
    """Another worker's, over the same database and before the same Odoo."""
    return worker_over(database, database, authenticator, clock)


async def row_of(store: Store, visitor: str = "bert") -> OdooSession | None:
    async with store.reading() as work:
        return await work.odoo_sessions.get(LINK_ID, visitor)


async def account_of(store: Store) -> Account:
    async with store.reading() as work:
        account = await work.accounts.get(KEY, "anna")
    assert account is not None
    return account


async def kinds_of_changes(store: Store) -> list[str]:
    async with store.reading() as work:
        return [f"{change.kind}:{change.id}" for change in await changes_after(work)]


async def tell(store: Store, worker: Worker) -> None:
    """Tell a worker of all changes, as the feed does."""
    async with store.reading() as work:
        worker.apply(await changes_after(work))


async def refusal(worker: Worker, entry: LinkEntry = ENTRY, visitor: str = "bert", address: str = ADDRESS) -> Reason:
    with pytest.raises(NoSession) as refused:
        await worker.obtain(entry, visitor, address)
    return refused.value.reason


async def replace_credentials(store: Store, authenticator: FakeAuthenticator, password: str) -> LinkEntry:
    """The owner gives the account another password; returns what the directory makes of it."""
    authenticator.passwords["demo"] = password
    account = demo(revision=2, password=password)
    await keep(store, account)
    return LinkEntry(ENTRY.link, ENTRY.environment, account=account)


# A sign-in and what comes of it.


async def test_a_visitor_is_signed_in_once_and_his_session_is_kept_sealed(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    assert worker.peek(ENTRY, "bert") is None
    session = await worker.obtain(ENTRY, "bert", ADDRESS)
    assert session == VisitorSession(b"session 1", 1, "anna", 1, ENTRY.link.version, ENTRY.environment)
    assert worker.peek(ENTRY, "bert") == session
    assert await worker.obtain(ENTRY, "bert", ADDRESS) == session
    assert authenticator.tried == [("demo", "demo's own", ADDRESS)]
    row = await row_of(database)
    assert row is not None
    assert row.sealed is not None
    assert b"session" not in row.sealed
    assert b"session" not in repr(session).encode().replace(b"VisitorSession", b"").replace(b"'session", b"")
    assert await kinds_of_changes(database) == [f"{ChangeKind.ODOO_SESSION}:{LINK_ID}/bert"]


async def test_each_visitor_has_a_session_of_his_own(worker: Worker, authenticator: FakeAuthenticator) -> None:
    ids = [(await worker.obtain(ENTRY, visitor, ADDRESS)).id for visitor in ("bert", "carl", "bert")]
    assert ids == [b"session 1", b"session 2", b"session 1"]
    assert authenticator.sessions == {"session 1", "session 2"}


async def test_a_sealed_session_opens_for_its_visitor_only(worker: Worker, database: Database) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    row = await row_of(database)
    assert row is not None
    assert row.sealed is not None
    for context in (f"odoo-session:{LINK_ID}:carl", f"odoo-session:{'b' * 16}:bert", "account:default/staging/anna"):
        with pytest.raises(ValueError, match="was not sealed"):
            SEALER.open(row.sealed, context)


async def test_a_worker_that_starts_anew_goes_on_with_what_is_kept(
    worker: Worker, second: Worker, authenticator: FakeAuthenticator
) -> None:
    session = await worker.obtain(ENTRY, "bert", ADDRESS)
    assert await second.obtain(ENTRY, "bert", ADDRESS) == session
    assert len(authenticator.tried) == 1


async def test_what_another_secret_key_sealed_is_replaced(
    worker: Worker, database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    account = replace(demo(), sealed_password=OTHER_SEALER.seal("demo's own", password_context(KEY, "anna")))
    await keep(database, account)
    entry = LinkEntry(ENTRY.link, ENTRY.environment, account=account)
    other = worker_over(database, database, authenticator, clock, OTHER_SEALER)
    assert (await other.obtain(entry, "bert", ADDRESS)).id == b"session 2"


OTHER_SEALER = SealedSecrets(Keys.from_secret("t" * 32), CountedEntropy())


async def test_many_requests_at_once_wait_for_one_sign_in(worker: Worker, authenticator: FakeAuthenticator) -> None:
    sessions = await asyncio.gather(*(worker.obtain(ENTRY, "bert", ADDRESS) for _ in range(20)))
    assert len(authenticator.tried) == 1
    assert {session.id for session in sessions} == {b"session 1"}


async def test_a_link_without_an_account_signs_nobody_in(worker: Worker, authenticator: FakeAuthenticator) -> None:
    entry = LinkEntry(ENTRY.link, ENTRY.environment, account=None)
    assert await refusal(worker, entry) is Reason.SIGN_IN_REFUSED
    assert authenticator.tried == []


# Two workers.


async def test_of_two_workers_one_signs_in_and_the_other_waits_for_it(
    worker: Worker, database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    at_the_authenticator, let_in = asyncio.Event(), asyncio.Event()

    async def wait_at_the_authenticator() -> None:
        at_the_authenticator.set()
        await let_in.wait()

    authenticator.meanwhile = wait_at_the_authenticator
    seen = StoppingStore(database)
    waiting = worker_over(database, seen, authenticator, clock)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        first = group.create_task(worker.obtain(ENTRY, "bert", ADDRESS))
        await at_the_authenticator.wait()
        other = group.create_task(waiting.obtain(ENTRY, "bert", ADDRESS))
        # It looks again only after it has seen that somebody else is about to sign in.
        await until(lambda: seen.reads >= 2)
        let_in.set()
    assert first.result() == other.result()
    assert len(authenticator.tried) == 1


async def test_a_rotation_is_everybodys(
    worker: Worker, second: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    assert await second.obtain(ENTRY, "bert", ADDRESS) == before
    await worker.moved(LINK_ID, "bert", before, b"the next")
    assert worker.peek(ENTRY, "bert") == replace(before, id=b"the next", revision=2)
    await tell(database, second)
    assert second.peek(ENTRY, "bert") is None
    assert (await second.obtain(ENTRY, "bert", ADDRESS)).id == b"the next"
    assert len(authenticator.tried) == 1


async def test_who_meets_an_ended_session_reads_again_before_he_signs_in_anew(
    worker: Worker, second: Worker, authenticator: FakeAuthenticator
) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    await second.obtain(ENTRY, "bert", ADDRESS)
    await worker.moved(LINK_ID, "bert", before, b"the next")
    # No change has told the second worker: Odoo has, by not knowing the id any more.
    after = await second.obtain(ENTRY, "bert", ADDRESS, instead_of=before)
    assert after.id == b"the next"
    assert len(authenticator.tried) == 1


async def test_a_session_that_odoo_ended_is_replaced_once(
    worker: Worker, second: Worker, authenticator: FakeAuthenticator
) -> None:
    ended = await worker.obtain(ENTRY, "bert", ADDRESS)
    await second.obtain(ENTRY, "bert", ADDRESS)
    renewed = await asyncio.gather(
        *(each.obtain(ENTRY, "bert", ADDRESS, instead_of=ended) for each in (worker, second, worker, second))
    )
    assert {(session.id, session.revision) for session in renewed} == {(b"session 2", 2)}
    assert len(authenticator.tried) == 2


async def test_of_two_rotations_the_first_that_is_written_counts(
    worker: Worker, second: Worker, authenticator: FakeAuthenticator
) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    await second.obtain(ENTRY, "bert", ADDRESS)
    await worker.moved(LINK_ID, "bert", before, b"first")
    await second.moved(LINK_ID, "bert", before, b"too late")
    assert second.peek(ENTRY, "bert") is None
    assert (await second.obtain(ENTRY, "bert", ADDRESS)).id == b"first"
    assert len(authenticator.tried) == 1


async def test_a_rotation_does_not_bring_back_what_was_ended(
    worker: Worker, second: Worker, database: Database
) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    await second.end(ENTRY, "bert")
    await worker.moved(LINK_ID, "bert", before, b"the next")
    assert await row_of(database) is None
    assert worker.peek(ENTRY, "bert") is None


async def test_after_missed_changes_everything_is_read_anew(worker: Worker, second: Worker) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    await second.obtain(ENTRY, "bert", ADDRESS)
    await worker.moved(LINK_ID, "bert", before, b"the next")
    second.forget_all()
    assert (await second.obtain(ENTRY, "bert", ADDRESS)).id == b"the next"


async def claim_and_die(store: Store, clock: Clock) -> None:
    """What a worker leaves that ends in the midst of a sign-in."""
    now = clock.now()
    async with store.writing() as work:
        wanted = make_session(sealed=None, revision=0, account="anna", account_revision=1)
        assert await work.odoo_sessions.claim(wanted, claim="the dead", now=now, until=now + CLAIM)


async def test_the_claim_of_a_worker_that_died_runs_out(
    worker: Worker, database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    await claim_and_die(database, clock)
    clock.advance(CLAIM)
    assert (await worker.obtain(ENTRY, "bert", ADDRESS)).id == b"session 1"
    assert len(authenticator.tried) == 1


async def test_until_then_a_visitor_waits_for_a_while_and_is_told_to_try_again(
    database: Database, authenticator: FakeAuthenticator
) -> None:
    clock = RunningClock()
    await claim_and_die(database, clock)
    assert await refusal(worker_over(database, database, authenticator, clock)) is Reason.UNAVAILABLE
    assert NOON + WAIT <= clock.time < NOON + CLAIM
    assert authenticator.tried == []


async def test_who_took_too_long_gives_his_session_back(
    worker: Worker, second: Worker, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    async def dawdle() -> None:
        if len(authenticator.tried) == 1:
            clock.advance(CLAIM)
            await second.obtain(ENTRY, "bert", ADDRESS)

    authenticator.meanwhile = dawdle
    assert await refusal(worker) is Reason.UNAVAILABLE
    assert authenticator.sessions == {"session 2"}
    assert (await worker.obtain(ENTRY, "bert", ADDRESS)).id == b"session 2"
    assert len(authenticator.tried) == 2


async def test_a_mistake_in_the_midst_of_a_sign_in_leaves_no_claim(
    worker: Worker, authenticator: FakeAuthenticator
) -> None:
    async def stumble() -> None:
        if len(authenticator.tried) == 1:
            raise OSError("stumbled")

    authenticator.meanwhile = stumble
    with pytest.raises(OSError, match="stumbled"):
        await worker.obtain(ENTRY, "bert", ADDRESS)
    assert (await worker.obtain(ENTRY, "bert", ADDRESS)).revision == 1


async def test_who_goes_away_in_the_midst_of_a_sign_in_leaves_no_claim(
    worker: Worker, authenticator: FakeAuthenticator
) -> None:
    at_the_authenticator = asyncio.Event()

    async def wait_forever() -> None:
        if len(authenticator.tried) == 1:
            at_the_authenticator.set()
            await asyncio.Event().wait()

    authenticator.meanwhile = wait_forever
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(worker.obtain(ENTRY, "bert", ADDRESS))
        await at_the_authenticator.wait()
        task.cancel()
    assert (await worker.obtain(ENTRY, "bert", ADDRESS)).revision == 1


# What Odoo refuses.


@pytest.mark.parametrize(
    "why", [SignInRefusal.CREDENTIALS, SignInRefusal.SECOND_FACTOR, SignInRefusal.DATABASE, SignInRefusal.THROTTLED]
)
async def test_an_account_that_odoo_refuses_is_tried_once_a_minute_by_all_workers_for_all_visitors(
    worker: Worker,
    second: Worker,
    database: Database,
    authenticator: FakeAuthenticator,
    clock: SetClock,
    why: SignInRefusal,
) -> None:
    authenticator.refusal = why
    assert await refusal(worker) is Reason.SIGN_IN_REFUSED
    refused = await account_of(database)
    assert (refused.refused_at, refused.refusal) == (NOON, why)
    assert await kinds_of_changes(database) == [f"{ChangeKind.ENVIRONMENT}:{KEY}"]
    told = LinkEntry(ENTRY.link, ENTRY.environment, account=refused)
    # Memory may not have heard of the refusal; that must not bring another try.
    for number, (each, entry) in enumerate((each, entry) for each in (worker, second) for entry in (ENTRY, told)):
        for time in (NOON, NOON + RETRY_REFUSED):
            clock.time = time
            assert await refusal(each, entry, f"visitor {number}") is Reason.SIGN_IN_REFUSED
    assert len(authenticator.tried) == 1

    clock.time = NOON + RETRY_REFUSED + TICK
    reasons = await asyncio.gather(*(refusal(each, told, f"v{n}") for n in range(3) for each in (worker, second)))
    assert set(reasons) == {Reason.SIGN_IN_REFUSED}
    assert len(authenticator.tried) == 2
    assert (await account_of(database)).refused_at == clock.time

    clock.advance(RETRY_REFUSED + TICK)
    authenticator.refusal = None
    assert (await second.obtain(told, "bert", ADDRESS)).revision == 1
    accepted = await account_of(database)
    assert (accepted.refused_at, accepted.refusal) == (None, None)
    assert (await worker.obtain(ENTRY, "carl", ADDRESS)).revision == 1


async def test_a_crowd_makes_fewer_failures_than_odoo_bears(
    worker: Worker, second: Worker, authenticator: FakeAuthenticator
) -> None:
    authenticator.refusal = SignInRefusal.CREDENTIALS
    reasons = await asyncio.gather(*(refusal((worker, second)[n % 2], ENTRY, f"visitor {n}") for n in range(40)))
    assert set(reasons) == {Reason.SIGN_IN_REFUSED}
    # With the fifth Odoo shuts its authenticator to everybody.
    assert len(authenticator.tried) < 5


async def test_who_became_an_administrator_is_signed_out_again(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    authenticator.admins.add("demo")
    assert await refusal(worker) is Reason.SIGN_IN_REFUSED
    assert authenticator.sessions == set()
    assert (await account_of(database)).refusal is SignInRefusal.ADMINISTRATOR
    await keep(database, account := demo(is_admin=True))
    await worker.obtain(LinkEntry(ENTRY.link, ENTRY.environment, account=account), "bert", ADDRESS)


async def test_a_refusal_costs_nothing_of_the_budget(
    worker: Worker, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    authenticator.refusal = SignInRefusal.CREDENTIALS
    for _ in range(100):
        assert await refusal(worker) is Reason.SIGN_IN_REFUSED
    authenticator.refusal = None
    clock.advance(RETRY_REFUSED + TICK)
    await worker.obtain(ENTRY, "bert", ADDRESS)


async def test_an_odoo_that_is_not_there_is_no_refusal(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    authenticator.refusal = SignInRefusal.UNREACHABLE
    assert await refusal(worker) is Reason.UPSTREAM_UNREACHABLE
    assert (await account_of(database)).refused_at is None
    authenticator.refusal = None
    await worker.obtain(ENTRY, "bert", ADDRESS)


async def test_sign_ins_have_a_budget_for_each_link_and_address(
    worker: Worker, second: Worker, database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    for number in range(60):
        await (worker, second)[number % 2].obtain(ENTRY, f"visitor {number}", ADDRESS)
    assert await refusal(worker) is Reason.SIGN_INS_USED_UP
    assert await refusal(second) is Reason.SIGN_INS_USED_UP
    assert len(authenticator.tried) == 60
    # Who has a session keeps it, and another address and another link have budgets of their own.
    assert (await worker.obtain(ENTRY, "visitor 0", ADDRESS)).revision == 1
    await worker.obtain(ENTRY, "bert", "192.0.2.8")
    await keep(database, other := make_link("b" * 16, account="anna"))
    await worker.obtain(LinkEntry(other, ENTRY.environment, account=demo()), "bert", ADDRESS)
    clock.advance(timedelta(minutes=10))
    await worker.obtain(ENTRY, "carl", ADDRESS)


# Ends.


async def test_a_visit_that_ends_is_told_to_odoo_and_leaves_the_others(
    worker: Worker, second: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    await worker.obtain(ENTRY, "carl", ADDRESS)
    await second.end(ENTRY, "bert")
    assert authenticator.sessions == {"session 2"}
    assert await row_of(database) is None
    await tell(database, worker)
    assert worker.peek(ENTRY, "bert") is None
    await worker.end(ENTRY, "bert")
    assert (await worker.obtain(ENTRY, "carl", ADDRESS)).id == b"session 2"


async def test_a_visit_that_ends_during_a_sign_in_leaves_no_session(
    worker: Worker, second: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    async def leave() -> None:
        await second.end(ENTRY, "bert")

    authenticator.meanwhile = leave
    assert await refusal(worker) is Reason.UNAVAILABLE
    assert authenticator.sessions == set()
    assert await row_of(database) is None


async def test_sessions_of_replaced_credentials_do_not_go_on(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    entry = await replace_credentials(database, authenticator, "another")
    assert worker.peek(entry, "bert") is None
    session = await worker.obtain(entry, "bert", ADDRESS)
    assert (session.id, session.account_revision) == (b"session 2", 2)
    assert authenticator.sessions == {"session 2"}, "Odoo is told of the end of the one that was replaced"


async def test_sessions_of_replaced_credentials_end_also_where_nobody_comes_back(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    assert await worker.end_finished() == 0
    entry = await replace_credentials(database, authenticator, "another")
    await worker.obtain(entry, "carl", ADDRESS)
    assert await worker.end_finished() == 1
    assert authenticator.sessions == {"session 2"}
    assert await row_of(database) is None
    assert await row_of(database, "carl") is not None


async def test_a_sign_in_under_way_outlasts_the_end_of_the_session_that_it_replaces(
    worker: Worker, second: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    entry = await replace_credentials(database, authenticator, "another")

    async def sweep() -> None:
        await second.end_finished()

    authenticator.meanwhile = sweep
    assert (await worker.obtain(entry, "bert", ADDRESS)).id == b"session 2"
    assert authenticator.sessions == {"session 2"}


async def test_a_worker_that_has_not_heard_of_new_credentials_does_not_try_the_old_ones(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    entry = await replace_credentials(database, authenticator, "another")
    assert await refusal(worker, ENTRY) is Reason.UNAVAILABLE
    assert authenticator.tried == []
    await worker.obtain(entry, "bert", ADDRESS)


async def test_an_account_that_is_gone_signs_nobody_in(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    async with database.writing() as work:
        assert await work.accounts.remove(KEY, "anna")
    assert await refusal(worker) is Reason.UNAVAILABLE
    assert authenticator.tried == []


@pytest.mark.parametrize("how", ["deactivated", "expired", "removed"])
async def test_sessions_end_with_their_link_and_odoo_is_told(
    worker: Worker, second: Worker, database: Database, authenticator: FakeAuthenticator, clock: SetClock, how: str
) -> None:
    await keep(database, other := make_link("b" * 16, account="anna", expires_at=NOON + timedelta(days=30)))
    await worker.obtain(ENTRY, "bert", ADDRESS)
    await worker.obtain(LinkEntry(other, ENTRY.environment, account=demo()), "bert", ADDRESS)
    assert await second.end_finished() == 0
    async with database.writing() as work:
        if how == "deactivated":
            assert await work.links.deactivate(LINK_ID, clock.now())
        elif how == "removed":
            assert await work.links.remove(LINK_ID)
    if how == "expired":
        clock.time = ENTRY.link.expires_at
    assert await second.end_finished() == 1
    assert await second.end_finished() == 0
    assert authenticator.sessions == {"session 2"}
    assert await row_of(database) is None


async def test_a_link_of_another_version_signs_its_visitors_in_anew(
    worker: Worker, authenticator: FakeAuthenticator
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    link = replace(ENTRY.link, version=ENTRY.link.version + 1)
    entry = LinkEntry(link, ENTRY.environment, account=demo())
    assert worker.peek(entry, "bert") is None
    assert (await worker.obtain(entry, "bert", ADDRESS)).id == b"session 2"
    assert authenticator.sessions == {"session 2"}


async def test_nobody_is_signed_in_to_an_environment_that_was_removed(
    database: Database, authenticator: FakeAuthenticator
) -> None:
    clock = RunningClock()
    worker = worker_over(database, database, authenticator, clock)
    await worker.obtain(ENTRY, "bert", ADDRESS)
    async with database.writing() as work:
        assert await work.environments.remove(KEY)
    assert await row_of(database) is None
    worker.forget_all()
    assert await refusal(worker) is Reason.UNAVAILABLE
    assert len(authenticator.tried) == 1


async def test_many_sessions_end_a_few_at_a_time(
    worker: Worker, database: Database, authenticator: FakeAuthenticator
) -> None:
    for number in range(60):
        await worker.obtain(ENTRY, f"visitor {number}", f"192.0.2.{number}")
    async with database.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
    assert [await worker.end_finished() for _ in range(3)] == [50, 10, 0]
    assert authenticator.sessions == set()


async def test_the_session_of_a_preview_ends_with_it_and_not_with_the_link(
    worker: Worker, second: Worker, clock: SetClock, authenticator: FakeAuthenticator
) -> None:
    over = clock.now() + timedelta(minutes=15)
    await worker.obtain(ENTRY, "preview-olga", ADDRESS, ends_at=over)
    await worker.obtain(ENTRY, "bert", ADDRESS)
    clock.time = over - TICK
    assert await second.end_finished() == 0
    clock.time = over
    assert await second.end_finished() == 1
    assert authenticator.sessions == {"session 2"}


# Many sessions, of which few end.


@pytest.fixture
async def crowded(database: Database) -> Database:
    """More sessions of a link that stays, before all others, than a round looks at."""
    await keep(database, make_link("0" * 16, account="anna", expires_at=NOON + timedelta(days=30)))
    row = {
        "link_id": "0" * 16,
        "org": KEY.org,
        "environment_id": KEY.id,
        "account": "anna",
        "account_revision": 1,
        "link_version": ENTRY.link.version,
        "revision": 1,
    }
    async with database.writing() as work:
        rows = [row | {"visitor": f"visitor {number:04}"} for number in range(2 * SCANNED_AT_ONCE + 1)]
        await work.connection.execute(insert(odoo_sessions), rows)
    return database


@pytest.mark.parametrize("how", ["deactivated", "expired", "removed"])
async def test_what_a_link_ends_with_ends_in_the_next_round_however_many_others_there_are(
    worker: Worker, second: Worker, crowded: Database, authenticator: FakeAuthenticator, clock: SetClock, how: str
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    async with crowded.writing() as work:
        if how == "deactivated":
            assert await work.links.deactivate(LINK_ID, clock.now())
        elif how == "removed":
            assert await work.links.remove(LINK_ID)
        if how != "expired":
            await work.changes.append(ChangeKind.LINK, LINK_ID)
    if how == "expired":
        clock.time = ENTRY.link.expires_at
    await tell(crowded, second)
    assert await second.end_finished() == 1
    assert authenticator.sessions == set()


async def test_an_end_that_was_not_heard_of_is_met_with_by_and_by(
    worker: Worker, second: Worker, crowded: Database, authenticator: FakeAuthenticator
) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    assert await second.end_finished() == 0
    async with crowded.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
    assert [await second.end_finished() for _ in range(2)] == [0, 1]
    assert authenticator.sessions == set()
    await worker.obtain(ENTRY, "carl", ADDRESS)
    assert [await second.end_finished() for _ in range(3)] == [0, 0, 1], "it begins anew at the end"


async def test_where_more_end_than_a_round_ends_the_others_are_not_forgotten(
    worker: Worker, second: Worker, crowded: Database
) -> None:
    for number in range(60):
        await worker.obtain(ENTRY, f"visitor {number}", f"192.0.2.{number}")
    async with crowded.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
        await work.changes.append(ChangeKind.LINK, LINK_ID)
    await tell(crowded, second)
    assert [await second.end_finished() for _ in range(2)] == [50, 10]


async def test_a_round_that_fails_forgets_no_end(
    worker: Worker, crowded: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    store = FailingStore(crowded)
    sweeping = worker_over(crowded, store, authenticator, clock)
    await worker.obtain(ENTRY, "bert", ADDRESS)
    async with crowded.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
        await work.changes.append(ChangeKind.LINK, LINK_ID)
    await tell(crowded, sweeping)
    with pytest.raises(OSError, match="full"):
        await sweeping.end_finished()
    assert authenticator.sessions == {"session 1"}
    store.failing = False
    assert await sweeping.end_finished() == 1
    assert authenticator.sessions == set()


async def test_a_round_that_ends_nothing_keeps_no_writer_waiting(worker: Worker, crowded: Database) -> None:
    await worker.obtain(ENTRY, "bert", ADDRESS)
    async with crowded.writing(), asyncio.timeout(60):
        assert [await worker.end_finished() for _ in range(4)] == [0, 0, 0, 0]


# An environment that is somewhere else now.

ELSEWHERE = [{"url": "http://10.0.0.9:8069"}, {"database": "live"}, {"public_url": "https://other.example.com"}]


async def move(store: Store, entry: LinkEntry, *, heard: bool = True, **fields: Any) -> None:
    """What a change of the environment does to the database, and to a memory that has heard of it."""
    environment = replace(ENTRY.environment, **fields)
    async with store.writing() as work:
        await work.odoo_sessions.end_all(KEY, NOON)
        await work.environments.update(environment)
    if heard:
        entry.environment = environment


@pytest.fixture
def entry() -> LinkEntry:
    return LinkEntry(ENTRY.link, ENTRY.environment, account=demo())


@pytest.mark.parametrize("fields", ELSEWHERE)
async def test_a_session_is_used_where_it_was_made_and_nowhere_else(
    worker: Worker,
    second: Worker,
    database: Database,
    authenticator: FakeAuthenticator,
    entry: LinkEntry,
    fields: dict[str, Any],
) -> None:
    await worker.obtain(entry, "bert", ADDRESS)
    await move(database, entry, **fields)
    for each in (worker, second):
        assert each.peek(entry, "bert") is None
        assert (await each.obtain(entry, "bert", ADDRESS)).id == b"session 2"
    assert authenticator.told == [(ENTRY.environment.odoo_address, "session 1")]


@pytest.mark.parametrize("fields", ELSEWHERE)
async def test_a_worker_that_has_not_heard_of_the_change_uses_no_session_of_the_other_odoo(
    worker: Worker,
    database: Database,
    authenticator: FakeAuthenticator,
    clock: SetClock,
    entry: LinkEntry,
    fields: dict[str, Any],
) -> None:
    second = worker_over(database, reading := StoppingStore(database), authenticator, clock)
    late = LinkEntry(ENTRY.link, ENTRY.environment, account=demo())
    await move(database, entry, **fields)
    assert (await worker.obtain(entry, "bert", ADDRESS)).id == b"session 1"
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = group.create_task(second.obtain(late, "bert", ADDRESS))
        seen = group.create_task(second.obtain(late, "carl", ADDRESS))
        await until(lambda: reading.reads >= 4)
        assert not waiting.done()
        late.environment = entry.environment
    assert waiting.result().id == b"session 1"
    assert seen.result().environment == entry.environment
    assert len(authenticator.tried) == 2, "nobody was signed in at the former one"


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("fields", ELSEWHERE)
async def test_a_sign_in_under_way_ends_where_it_was_made(
    worker: Worker,
    database: Database,
    authenticator: FakeAuthenticator,
    entry: LinkEntry,
    fields: dict[str, Any],
    *,
    heard: bool,
) -> None:
    async def move_meanwhile() -> None:
        if len(authenticator.tried) == 1:
            await move(database, entry, heard=heard, **fields)

    authenticator.meanwhile = move_meanwhile
    assert await refusal(worker, entry) is Reason.UNAVAILABLE
    assert authenticator.told == [(ENTRY.environment.odoo_address, "session 1")]
    assert authenticator.sessions == set()
    assert await row_of(database) is None


async def test_a_session_that_moved_while_it_was_ended_ends_too(
    worker: Worker, database: Database, authenticator: FakeAuthenticator, entry: LinkEntry
) -> None:
    before = await worker.obtain(entry, "bert", ADDRESS)
    await move(database, entry, url="http://10.0.0.9:8069")
    await worker.moved(LINK_ID, "bert", before, b"the next")
    await worker.end_finished()
    at = ENTRY.environment.odoo_address
    assert sorted(authenticator.told, key=str) == sorted([(at, "session 1"), (at, "the next")], key=str)


# Sessions that nobody can write down.


class ClosingStore(FailingStore):
    """Can be written until Odoo has answered."""

    def __init__(self, store: Database, authenticator: FakeAuthenticator) -> None:
        super().__init__(store)
        self.failing = False
        authenticator.meanwhile = self.close

    async def close(self) -> None:
        self.failing = True


async def test_a_sign_in_that_can_not_be_written_down_leaves_no_session(
    database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    worker = VisitorSessions(
        store := ClosingStore(database, authenticator),
        SEALER,
        authenticator,
        teller := sign_outs(store, clock, authenticator, SEALER),
        DatabaseBudget(database, clock, SIGN_INS, "sign-ins"),
        clock,
        ENTROPY,
    )
    with pytest.raises(OSError, match="full"):
        await worker.obtain(ENTRY, "bert", ADDRESS)
    assert authenticator.sessions == {"session 1"}
    await teller.end_due()
    assert authenticator.sessions == set()


async def test_who_goes_away_when_odoo_has_answered_leaves_no_session(
    database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    answered = asyncio.Event()

    class Stopped(FailingStore):
        @asynccontextmanager
        async def writing(self, turn: Turn = VISITORS) -> AsyncIterator[UnitOfWork]:
            if authenticator.sessions and not answered.is_set():
                answered.set()
                await asyncio.Event().wait()
            async with database.writing(turn) as work:
                yield work

    worker = worker_over(database, Stopped(database), authenticator, clock)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(worker.obtain(ENTRY, "bert", ADDRESS))
        await answered.wait()
        task.cancel()
    assert authenticator.sessions == set()
    assert told_ids(authenticator) == ["session 1"]


async def test_a_moved_session_that_can_not_be_written_down_ends(
    worker: Worker, database: Database, authenticator: FakeAuthenticator, clock: SetClock
) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    store = FailingStore(database)
    late = worker_over(database, store, authenticator, clock)
    with pytest.raises(OSError, match="full"):
        await late.moved(LINK_ID, "bert", before, b"the next")
    store.failing = False
    await late.end_finished()
    assert told_ids(authenticator) == ["the next"]


async def test_a_session_that_odoo_seems_to_have_ended_is_ended(
    worker: Worker, authenticator: FakeAuthenticator
) -> None:
    before = await worker.obtain(ENTRY, "bert", ADDRESS)
    await worker.obtain(ENTRY, "bert", ADDRESS, instead_of=before)
    assert authenticator.sessions == {"session 2"}


def told_ids(authenticator: FakeAuthenticator) -> list[str]:
    return [id for _, id in authenticator.told]
