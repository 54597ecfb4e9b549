from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.storage.racing import race
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    keep,
    make_account,
    make_environment,
    make_link,
    make_session,
    sign_in,
)

from guestpass.app.ports import Activity, OdooSession, SessionKey, Store
from guestpass.domain.environment import EnvironmentKey, OdooAddress
from guestpass.domain.link import ShareLink
from guestpass.storage.database import Database

TICK, SOON = timedelta(microseconds=1), timedelta(seconds=30)
FIRST = make_session(sealed=None, revision=0)
HERE = make_environment().odoo_address
BERTS = (LINK_ID, "bert")


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_account(), make_link(account="anna"))
    return database


async def stored(store: Store, visitor: str = "bert", link_id: str = LINK_ID) -> OdooSession | None:
    async with store.reading() as work:
        return await work.odoo_sessions.get(link_id, visitor)


async def claim(store: Store, wanted: OdooSession, claim: str, now: datetime = NOON) -> bool:
    async with store.writing() as work:
        return await work.odoo_sessions.claim(wanted, claim=claim, now=now, until=now + SOON)


async def complete(store: Store, session: OdooSession, claim: str) -> int | None:
    async with store.writing() as work:
        return await work.odoo_sessions.complete(session, claim=claim, now=NOON)


async def release(store: Store, claim: str) -> None:
    async with store.writing() as work:
        await work.odoo_sessions.release(LINK_ID, "bert", claim=claim)


async def rotate(store: Store, revision: int, sealed: bytes) -> bool:
    async with store.writing() as work:
        return await work.odoo_sessions.rotate(LINK_ID, "bert", revision=revision, sealed=sealed)


async def end(store: Store, visitor: str = "bert") -> bool:
    async with store.writing() as work:
        return await work.odoo_sessions.end(LINK_ID, visitor, NOON)


async def end_finished(store: Store, now: datetime = NOON, limit: int = 100) -> list[SessionKey]:
    async with store.writing() as work:
        looked_at = await work.odoo_sessions.scan(now, after=("", ""), count=100)
        over = [key for key, is_over in looked_at if is_over]
        assert await work.odoo_sessions.end_finished([key for key, is_over in looked_at if not is_over], now) == []
        return await work.odoo_sessions.end_finished(over[:limit], now)


async def to_be_told(store: Store, at: OdooAddress = HERE) -> list[tuple[str, str, bytes]]:
    """Of which sessions an Odoo is to be told; asking takes them."""
    async with store.writing() as work:
        few = await work.odoo_sign_outs.claim(
            at, now=NOON + timedelta(days=1), until=NOON + timedelta(days=2), limit=99
        )
    return [(each.link_id, each.visitor, each.sealed) for each in few]


async def test_a_first_sign_in_is_claimed_and_completed(database: Database) -> None:
    assert await stored(database) is None
    assert await claim(database, FIRST, "ours")
    assert await stored(database) == FIRST
    session = make_session()
    assert await complete(database, session, "ours") == 1
    assert await stored(database) == session
    assert await stored(database, "carl") is None
    assert await stored(database, link_id="b" * 16) is None


async def test_while_one_signs_in_no_other_does_and_afterwards_only_who_knows_the_session(database: Database) -> None:
    assert await claim(database, FIRST, "ours")
    assert not await claim(database, FIRST, "theirs", NOON + SOON - TICK)
    assert await complete(database, make_session(), "ours") == 1
    assert not await claim(database, FIRST, "theirs", NOON + 2 * SOON)
    assert await claim(database, make_session(), "theirs", NOON + TICK)
    assert not await claim(database, make_session(), "ours", NOON + TICK)


async def test_a_claim_that_ran_out_is_anybodys_and_its_sign_in_is_not_written(database: Database) -> None:
    assert await claim(database, FIRST, "slow")
    assert await claim(database, FIRST, "quick", NOON + SOON)
    assert await complete(database, make_session(sealed=b"slow"), "slow") is None
    assert await stored(database) == FIRST
    assert await complete(database, make_session(sealed=b"quick"), "quick") == 1
    assert await complete(database, make_session(sealed=b"slow"), "slow") is None
    assert await stored(database) == make_session(sealed=b"quick")


async def test_a_claim_that_ran_out_and_that_nobody_took_is_still_worth_its_sign_in(database: Database) -> None:
    assert await claim(database, FIRST, "slow")
    assert await complete(database, make_session(), "slow") == 1


async def test_a_session_stays_until_the_next_is_there_and_goes_to_another_account(database: Database) -> None:
    await sign_in(database, make_session())
    wanted = make_session(account="carl", account_revision=5, link_version=9, revision=1)
    assert await claim(database, wanted, "again")
    assert await stored(database) == make_session()
    after = replace(wanted, sealed=b"the next")
    assert await complete(database, after, "again") == 2
    assert await stored(database) == replace(after, revision=2)


async def test_a_failed_first_sign_in_leaves_nothing(database: Database) -> None:
    assert await claim(database, FIRST, "ours")
    await release(database, "theirs")
    assert not await claim(database, FIRST, "theirs")
    await release(database, "ours")
    assert await stored(database) is None
    assert await complete(database, make_session(), "ours") is None
    assert await claim(database, FIRST, "theirs")


async def test_a_failed_later_sign_in_leaves_what_was_there(database: Database) -> None:
    await sign_in(database, make_session())
    assert await claim(database, make_session(), "ours")
    await release(database, "theirs")
    assert not await claim(database, make_session(), "theirs")
    await release(database, "ours")
    assert await stored(database) == make_session()
    assert await complete(database, make_session(sealed=b"late"), "ours") is None
    assert await claim(database, make_session(), "theirs")


async def test_nobody_is_signed_in_to_an_environment_that_is_gone(database: Database) -> None:
    await sign_in(database, make_session())
    async with database.writing() as work:
        assert await work.environments.remove(KEY)
    assert await stored(database) is None
    assert not await claim(database, FIRST, "ours")
    assert await complete(database, make_session(), "ours") is None
    assert await stored(database) is None


async def test_a_rotation_is_written_by_who_knew_the_last_one(database: Database) -> None:
    await sign_in(database, make_session())
    await sign_in(database, make_session(visitor="carl"))
    assert await rotate(database, 1, b"second")
    assert not await rotate(database, 1, b"also second")
    assert not await rotate(database, 3, b"fourth")
    assert await stored(database) == make_session(sealed=b"second", revision=2)
    assert await rotate(database, 2, b"third")
    assert await stored(database) == make_session(sealed=b"third", revision=3)
    assert await stored(database, "carl") == make_session(visitor="carl")


async def test_a_session_is_ended_once_and_alone(database: Database) -> None:
    await sign_in(database, make_session())
    await sign_in(database, make_session(visitor="carl"))
    assert await end(database)
    assert not await end(database)
    assert await to_be_told(database) == [(*BERTS, make_session().sealed)]
    assert await rotate(database, 1, b"after the end") is False
    assert await stored(database) is None
    assert await stored(database, "carl") == make_session(visitor="carl")


async def test_a_session_outlives_its_link_until_it_is_told_as_ended(database: Database) -> None:
    await sign_in(database, make_session())
    assert await end_finished(database) == []
    async with database.writing() as work:
        assert await work.links.remove(LINK_ID)
    assert await stored(database) == make_session()
    assert await end_finished(database) == [BERTS]
    assert await end_finished(database) == []
    assert await stored(database) is None


OVER = NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("link", "now", "ended"),
    [
        (make_link("b" * 16, account="anna", expires_at=OVER), OVER - TICK, False),
        (make_link("b" * 16, account="anna", expires_at=OVER), OVER, True),
        (make_link("b" * 16, account="anna", deactivated_at=NOON), NOON, True),
        (make_link("b" * 16, account="anna", version=4), NOON, True),
        (make_link("b" * 16, account="anna", version=2), NOON, True),
        (make_link("b" * 16, account="eva"), NOON, True),
        (make_link("b" * 16, account=None), NOON, True),
    ],
)
async def test_a_session_ends_with_its_link(database: Database, link: ShareLink, now: datetime, *, ended: bool) -> None:
    await keep(database, link)
    session = make_session(link.id)
    await sign_in(database, session)
    await sign_in(database, make_session())
    assert await end_finished(database, now) == ([(link.id, "bert")] if ended else [])
    assert await to_be_told(database) == ([(link.id, "bert", session.sealed)] if ended else [])
    assert await stored(database, link_id=link.id) == (None if ended else session)
    assert await stored(database) == make_session()


async def test_a_session_ends_with_the_credentials_that_it_was_made_with(database: Database) -> None:
    await keep(database, make_account("carl", revision=7), make_link("b" * 16, account="carl"))
    theirs = make_session("b" * 16, account="carl", account_revision=7)
    await sign_in(database, make_session())
    await sign_in(database, theirs)
    assert await end_finished(database) == []
    await keep(database, make_account(revision=3))
    assert await end_finished(database) == [BERTS]
    async with database.writing() as work:
        assert await work.accounts.remove(KEY, "carl")
    assert await end_finished(database) == [("b" * 16, "bert")]


async def test_who_is_signed_in_as_another_account_just_now_is_left_alone(database: Database) -> None:
    await sign_in(database, make_session())
    async with database.writing() as work:
        await work.links.update(make_link(account="carl"))
    assert await claim(database, make_session(account="carl"), "ours")
    assert await end_finished(database, NOON + SOON - TICK) == []
    assert await end_finished(database, NOON + SOON) == [BERTS]


async def test_who_is_signed_in_with_new_credentials_just_now_is_left_alone(database: Database) -> None:
    await sign_in(database, make_session())
    await keep(database, make_account(revision=3))
    assert await claim(database, make_session(account_revision=3), "ours")
    assert await end_finished(database, NOON + SOON - TICK) == []
    assert await end_finished(database, NOON + SOON) == [BERTS]


async def test_a_session_ends_with_its_visit_and_no_other_does(database: Database) -> None:
    await sign_in(database, make_session())
    await sign_in(database, make_session(visitor="eva"))
    async with database.writing() as work:
        await work.visits.record([Activity(LINK_ID, visitor, ((NOON, True),), NOON) for visitor in ("bert", "eva")])
        assert await work.places.end(LINK_ID, "bert", NOON)
    assert await end_finished(database) == [BERTS]
    assert await stored(database, "eva") == make_session(visitor="eva")


async def test_a_sign_in_under_way_ends_too_and_is_not_written(database: Database) -> None:
    assert await claim(database, FIRST, "ours")
    async with database.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
    assert await end_finished(database) == [BERTS]
    assert await to_be_told(database) == [], "there is no session yet"
    assert await complete(database, make_session(), "ours") is None
    assert await stored(database) is None


async def test_ended_sessions_are_taken_a_few_at_a_time(database: Database) -> None:
    second = EnvironmentKey("default", "second")
    await keep(database, make_environment(second), make_link("b" * 16, environment=second))
    sessions = [make_session("b" * 16, f"visitor{number}", environment=second) for number in range(5)]
    for session in sessions:
        await sign_in(database, session)
    async with database.writing() as work:
        assert await work.links.remove("b" * 16)
    rounds = [await end_finished(database, limit=2) for _ in range(4)]
    assert [len(taken) for taken in rounds] == [2, 2, 1, 0]
    assert [visitor for taken in rounds for _, visitor in taken] == [session.visitor for session in sessions]


@pytest.mark.parametrize("how", ["ended", "replaced", "environment"])
async def test_an_odoo_is_to_be_told_where_the_session_was_made(database: Database, how: str) -> None:
    moved = make_environment(
        url="https://10.0.0.9", database="live", public_url="https://odoo.example.com", tls_verify=False
    )
    async with database.writing() as work:
        await work.environments.update(moved)
    await sign_in(database, make_session())
    if how == "replaced":
        assert await claim(database, make_session(), "ours")
        assert await complete(database, make_session(sealed=b"the next"), "ours") == 2
    async with database.writing() as work:
        if how == "ended":
            assert await work.odoo_sessions.end(*BERTS, NOON)
        elif how == "environment":
            await work.odoo_sessions.end_all(KEY, NOON)
        await work.environments.update(make_environment())
        assert await work.environments.remove(KEY)
        there = OdooAddress(KEY, "https://10.0.0.9", "https://odoo.example.com", tls_verify=False)
        assert await work.odoo_sign_outs.due(NOON, limit=9) == [there]
    assert await to_be_told(database, there) == [(*BERTS, make_session().sealed)]
    assert await stored(database) is None


@pytest.mark.parametrize(("ahead", "is_due"), [(timedelta(hours=1), False), (timedelta(days=30), True)])
async def test_what_was_written_while_the_clock_was_ahead_is_told(
    database: Database, ahead: timedelta, is_due: bool
) -> None:
    at = make_environment().odoo_address
    async with database.writing() as work:
        await work.odoo_sign_outs.add(at, LINK_ID, "anna", b"sealed", NOON + ahead)
        assert await work.odoo_sign_outs.due(NOON, limit=9) == [at] * is_due
        assert len(await work.odoo_sign_outs.claim(at, now=NOON, until=NOON + timedelta(minutes=2), limit=9)) == is_due


async def test_several_processes_take_each_sign_out_once(database: Database, database_url: str) -> None:
    visitors = [f"visitor{number:02}" for number in range(50)]
    async with database.writing() as work:
        for visitor in visitors:
            await work.odoo_sign_outs.add(HERE, LINK_ID, visitor, b"sealed", NOON)
    taken: list[list[str]] = await race(database_url, "claim_sign_outs")
    assert sorted(visitor for few in taken for visitor in few) == visitors


async def test_of_several_processes_one_signs_a_visitor_in(database: Database, database_url: str) -> None:
    claims = [own for own in await race(database_url, "claim") if own is not None]
    assert len(claims) == 1
    assert await complete(database, make_session(), claims[0]) == 1


async def test_of_several_processes_one_writes_a_rotation(database: Database, database_url: str) -> None:
    await sign_in(database, make_session())
    written = [own for own in await race(database_url, "rotate") if own is not None]
    assert len(written) == 1
    assert await stored(database) == make_session(sealed=written[0].encode(), revision=2)


async def test_of_several_processes_one_ends_a_session(database: Database, database_url: str) -> None:
    await sign_in(database, make_session())
    assert len([own for own in await race(database_url, "end") if own is not None]) == 1


async def test_several_processes_take_each_ended_session_once(database: Database, database_url: str) -> None:
    visitors = [f"visitor{number:02}" for number in range(50)]
    for visitor in visitors:
        await sign_in(database, make_session(visitor=visitor))
    async with database.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
    taken: list[list[str]] = await race(database_url, "end_finished")
    assert sorted(visitor for few in taken for visitor in few) == visitors
    assert max(len(few) for few in taken) == 7
