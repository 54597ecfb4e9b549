from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from tests.storage.racing import race
from tests.storage.samples import KEY, LINK_ID, NOON, keep, make_account, make_environment, make_link

from guestpass.app.ports import Store
from guestpass.domain.account import Account, AccountRight, SignInRefusal
from guestpass.domain.environment import EnvironmentKey
from guestpass.storage.database import Database

SECOND, THEIRS = EnvironmentKey("default", "second"), EnvironmentKey("other", "staging")
TICK = timedelta(microseconds=1)


@pytest.fixture
async def database(database: Database) -> Database:
    await keep(database, make_environment(), make_environment(SECOND), make_environment(THEIRS))
    return database


async def stored(store: Store, name: str = "anna", key: EnvironmentKey = KEY) -> Account | None:
    async with store.reading() as work:
        return await work.accounts.get(key, name)


@pytest.mark.parametrize(
    "account",
    [
        make_account(),
        make_account(is_admin=True, login="Ægir Ö", revision=2**31 - 1),
        make_account(is_internal=True, rights=frozenset(AccountRight)),
        make_account(refused_at=NOON + TICK, refusal=SignInRefusal.SECOND_FACTOR),
    ],
)
async def test_an_account_comes_back_as_it_was_given(database: Database, account: Account) -> None:
    await keep(database, account)
    assert await stored(database) == account
    assert await stored(database, "bert") is None
    assert await stored(database, key=SECOND) is None


async def test_the_same_name_again_overwrites_that_one_and_no_other(database: Database) -> None:
    others = make_account("bert"), make_account(environment=SECOND), make_account(environment=THEIRS)
    await keep(database, make_account(refused_at=NOON, refusal=SignInRefusal.CREDENTIALS), *others)
    after = make_account(login="b", sealed_password=b"other", is_admin=True, revision=3, created_by="piet")
    await keep(database, after)
    assert await stored(database) == after
    for other in others:
        assert await stored(database, other.name, other.environment) == other


async def test_an_account_needs_its_environment(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await keep(database, make_account(environment=EnvironmentKey("default", "absent")))


async def test_accounts_are_listed_by_environment_and_name(database: Database) -> None:
    bert, anna = make_account("bert"), make_account("anna")
    aaron, theirs = make_account("aaron", environment=SECOND), make_account("anna", environment=THEIRS)
    await keep(database, aaron, bert, theirs, anna)
    async with database.reading() as work:
        assert await work.accounts.all(KEY) == [anna, bert]
        assert await work.accounts.of_org("default") == [aaron, anna, bert]
        assert await work.accounts.of_org("default", id="staging") == [anna, bert]
        assert await work.accounts.of_org("other") == [theirs]
        assert await work.accounts.all(EnvironmentKey("default", "absent")) == []


async def test_removing_takes_one_account_and_an_environment_takes_its_own(database: Database) -> None:
    await keep(database, make_account(), make_account("bert"), make_account(environment=SECOND))
    async with database.writing() as work:
        assert await work.accounts.remove(KEY, "anna")
        assert not await work.accounts.remove(KEY, "anna")
        assert [account.name for account in await work.accounts.all(KEY)] == ["bert"]
        assert await work.environments.remove(KEY)
    async with database.reading() as work:
        assert await work.accounts.of_org("default") == [make_account(environment=SECOND)]


async def test_only_active_links_that_sign_in_as_it_are_counted(database: Database) -> None:
    ends = NOON + timedelta(hours=1)
    links = [
        make_link("a" * 16, account="anna", expires_at=ends),
        make_link("b" * 16, account="anna", expires_at=ends),
        make_link("c" * 16, account="anna", deactivated_at=NOON),
        make_link("d" * 16, account="bert"),
        make_link("e" * 16),
        make_link("f" * 16, account="anna", environment=SECOND),
        make_link("g" * 16, account="anna", environment=THEIRS),
    ]
    await keep(database, *links)
    async with database.reading() as work:
        assert await work.accounts.links_using(KEY, "anna", now=ends - TICK) == 2
        assert await work.accounts.links_using(KEY, "anna", now=ends) == 0
        assert await work.accounts.links_using(KEY, "carl", now=NOON) == 0


async def test_a_refusal_is_written_down_and_taken_back(database: Database) -> None:
    account = make_account()
    await keep(database, account, make_account("bert"))
    for why in SignInRefusal:
        async with database.writing() as work:
            assert await work.accounts.refuse(KEY, "anna", account.revision, NOON, why)
        assert await stored(database) == replace(account, refused_at=NOON, refusal=why)
    async with database.writing() as work:
        assert await work.accounts.accept(KEY, "anna", account.revision)
        assert not await work.accounts.accept(KEY, "anna", account.revision)
    assert await stored(database) == account
    assert await stored(database, "bert") == make_account("bert")


async def test_what_was_said_of_former_credentials_is_not_said_of_new_ones(database: Database) -> None:
    account = make_account(refused_at=NOON, refusal=SignInRefusal.DATABASE)
    await keep(database, account)
    async with database.writing() as work:
        assert not await work.accounts.refuse(KEY, "anna", account.revision - 1, NOON, SignInRefusal.CREDENTIALS)
        assert not await work.accounts.accept(KEY, "anna", account.revision - 1)
        assert not await work.accounts.refuse(KEY, "absent", account.revision, NOON, SignInRefusal.CREDENTIALS)
        assert not await work.accounts.accept(KEY, "absent", account.revision)
    assert await stored(database) == account


async def test_a_refused_account_is_tried_again_by_one_at_a_time(database: Database) -> None:
    minute = timedelta(minutes=1)
    account = make_account(refused_at=NOON, refusal=SignInRefusal.CREDENTIALS)
    await keep(database, account, make_account("bert"))

    async def may_try(seconds: float, name: str = "anna") -> bool:
        now = NOON + timedelta(seconds=seconds)
        async with database.writing() as work:
            return await work.accounts.claim_retry(KEY, name, now=now, before=now - minute)

    assert not await may_try(60)
    assert await may_try(61)
    assert not await may_try(61)
    assert not await may_try(121)
    assert await may_try(122)
    assert await stored(database) == replace(account, refused_at=NOON + timedelta(seconds=122))
    # What works, or is gone, is not waiting for anybody.
    assert not await may_try(1000, "bert")
    assert not await may_try(1000, "absent")


async def test_of_several_processes_one_tries_a_refused_account_again(database: Database, database_url: str) -> None:
    await keep(database, make_account(refused_at=NOON, refusal=SignInRefusal.THROTTLED))
    results = await race(database_url, "claim_retry")
    assert len(results) == 30
    assert sum(result is not None for result in results) == 1


async def test_a_link_keeps_the_name_of_an_account_that_is_gone(database: Database) -> None:
    link = make_link(account="anna")
    await keep(database, make_account(), link)
    async with database.writing() as work:
        assert await work.accounts.remove(KEY, "anna")
        assert await work.links.get(LINK_ID) == link
