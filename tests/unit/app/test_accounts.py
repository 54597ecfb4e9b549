from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.authenticators import FakeAuthenticator, sign_outs
from tests.storage.samples import KEY, NOON, CountedEntropy, SetClock, keep, make_environment, make_link
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.accounts import AccountService, SignInCredentials, password_context, refusal_of, warnings_of
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import Account, AccountRight, SignInRefusal
from guestpass.domain.environment import EnvironmentKey, Kind
from guestpass.domain.errors import Forbidden, InUse, Invalid, NotFound
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import SealedSecrets
from guestpass.storage.database import Database

OLGA, OTTO, STRANGER = Principal("olga"), Principal("otto"), Principal("sam", "acme")
DEMO = SignInCredentials(login="demo", password="demo's own")
SEALER = SealedSecrets(Keys.from_secret("s" * 32), CountedEntropy())
CHANGED = ["environment:default/staging"]


@pytest.fixture
def authenticator() -> FakeAuthenticator:
    return FakeAuthenticator()


@pytest.fixture
async def service(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, authenticator: FakeAuthenticator
) -> AccountService:
    await keep(
        database,
        make_environment(),
        make_environment(EnvironmentKey("default", "other")),
        make_environment(EnvironmentKey("default", "site"), kind=Kind.WEB),
    )
    return AccountService(
        database, announcer, SEALER, authenticator, sign_outs(database, clock, authenticator, SEALER), clock
    )


async def refused(call: Awaitable[object]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        await call
    return {error.field: error.message for error in caught.value.errors}


def password_of(account: Account) -> str:
    return SEALER.open(account.sealed_password, password_context(account.environment, account.name))


async def test_credentials_that_odoo_accepts_become_an_account(
    service: AccountService, authenticator: FakeAuthenticator, announcer: NotingAnnouncer
) -> None:
    account = await service.put(OLGA, "staging", DEMO)
    assert account == Account(
        environment=KEY,
        name="demo",
        login="demo",
        sealed_password=account.sealed_password,
        is_admin=False,
        revision=1,
        created_at=NOON,
        created_by="olga",
    )
    assert password_of(account) == "demo's own"
    assert b"own" not in account.sealed_password
    assert await service.list_all(OLGA, "staging") == [account]
    assert await service.get(OLGA, "staging", "demo") == account
    assert await service.list_all(OLGA, "other") == []
    assert announcer.announced == [CHANGED]
    assert authenticator.tried == [("demo", "demo's own", None)]
    assert authenticator.sessions == set()


async def test_a_password_is_bound_to_its_account(service: AccountService) -> None:
    account = await service.put(OLGA, "staging", DEMO)
    for environment, name in ((EnvironmentKey("acme", "staging"), "demo"), (KEY, "other")):
        with pytest.raises(ValueError, match="was not sealed"):
            SEALER.open(account.sealed_password, password_context(environment, name))


@pytest.mark.parametrize(
    ("refusal", "field", "said"),
    [
        (SignInRefusal.CREDENTIALS, "password", "Odoo does not accept this login and password"),
        (SignInRefusal.SECOND_FACTOR, "login", "two-factor"),
        (SignInRefusal.DATABASE, "database", "So it is told."),
        (SignInRefusal.THROTTLED, "password", "wait, then try again"),
        (SignInRefusal.UNREACHABLE, "url", "So it is told."),
    ],
)
async def test_what_odoo_refuses_is_not_kept_and_the_cause_is_named(
    service: AccountService,
    authenticator: FakeAuthenticator,
    announcer: NotingAnnouncer,
    refusal: SignInRefusal,
    field: str,
    said: str,
) -> None:
    authenticator.refusal = refusal
    [(named, message)] = (await refused(service.put(OLGA, "staging", DEMO))).items()
    assert named == field
    assert said in message
    assert await service.list_all(OLGA, "staging") == []
    assert announcer.announced == []


async def test_an_administrator_is_taken_only_on_purpose_and_with_a_warning(
    service: AccountService, authenticator: FakeAuthenticator
) -> None:
    admin = SignInCredentials(login="admin", password="admin's own")
    [(field, message)] = (await refused(service.put(OLGA, "staging", admin))).items()
    assert field == "allowAdmin"
    assert "run code" in message
    assert await service.list_all(OLGA, "staging") == []
    account = await service.put(OLGA, "staging", replace(admin, allow_admin=True))
    assert account.is_admin
    assert [warning.code for warning in warnings_of(account)] == ["admin_account"]
    assert authenticator.sessions == set()


async def test_permission_for_an_administrator_makes_nobody_one(service: AccountService) -> None:
    account = await service.put(OLGA, "staging", replace(DEMO, allow_admin=True))
    assert not account.is_admin
    assert warnings_of(account) == ()


async def test_an_owner_is_warned_of_each_right_that_is_dangerous(
    service: AccountService, authenticator: FakeAuthenticator
) -> None:
    authenticator.rights_of[""] = frozenset({AccountRight.CONTACTS, AccountRight.WEBSITE_DESIGN})
    account = await service.put(OLGA, "staging", DEMO)
    codes = ["account_right_website_design", "account_right_contacts"]
    assert [warning.code for warning in warnings_of(account)] == codes
    assert (await service.get(OLGA, "staging", account.name)).rights == account.rights
    assert authenticator.sessions == set()


async def test_only_visitors_of_an_odoo_are_signed_in(
    service: AccountService, authenticator: FakeAuthenticator
) -> None:
    assert list(await refused(service.put(OLGA, "site", DEMO))) == ["kind"]
    assert authenticator.tried == []


async def test_new_credentials_take_the_place_of_refused_ones(
    service: AccountService,
    database: Database,
    authenticator: FakeAuthenticator,
    clock: SetClock,
    announcer: NotingAnnouncer,
) -> None:
    before = await service.put(OLGA, "staging", DEMO)
    async with database.writing() as work:
        assert await work.accounts.refuse(KEY, "demo", 1, NOON, SignInRefusal.CREDENTIALS)
    clock.advance(timedelta(hours=1))
    authenticator.passwords["demo"] = "a new one"
    after = await service.put(OTTO, "staging", replace(DEMO, password="a new one"), name="demo")
    assert after == replace(before, sealed_password=after.sealed_password, revision=2)
    assert password_of(after) == "a new one"
    assert await service.list_all(OLGA, "staging") == [after]
    assert announcer.announced == [CHANGED, CHANGED]


async def test_a_try_that_fails_leaves_the_account_as_it_was(service: AccountService) -> None:
    before = await service.put(OLGA, "staging", DEMO)
    assert list(await refused(service.put(OLGA, "staging", replace(DEMO, password="wrong")))) == ["password"]
    assert await service.list_all(OLGA, "staging") == [before]


async def test_an_account_goes_on_as_another_user_where_its_name_is_given(service: AccountService) -> None:
    await service.put(OLGA, "staging", DEMO, name="auditor")
    other = SignInCredentials(login="second", password="second's own")
    account = await service.put(OLGA, "staging", other, name="auditor")
    assert (account.login, account.revision) == ("second", 2)


async def test_without_a_name_the_login_decides(service: AccountService, authenticator: FakeAuthenticator) -> None:
    authenticator.passwords |= {"Anna@example.com": "one", "anna-example.com": "two", "anna/example.com": "three"}

    async def put(login: str) -> tuple[str, int]:
        credentials = SignInCredentials(login=login, password=authenticator.passwords[login])
        account = await service.put(OLGA, "staging", credentials)
        return account.name, account.revision

    assert await put("Anna@example.com") == ("anna-example.com", 1)
    assert await put("anna-example.com") == ("anna-example.com-2", 1)
    assert await put("anna/example.com") == ("anna-example.com-3", 1)
    assert await put("Anna@example.com") == ("anna-example.com", 2)
    await service.put(OLGA, "staging", DEMO, name="auditor")
    assert await put("demo") == ("auditor", 2)


async def test_a_name_made_of_the_longest_login_is_a_name(
    service: AccountService, authenticator: FakeAuthenticator
) -> None:
    for login in ("x" * 200, "x" * 199):
        authenticator.passwords[login] = "own"
        account = await service.put(OLGA, "staging", SignInCredentials(login=login, password="own"))
        await service.put(OLGA, "staging", SignInCredentials(login=login, password="own"), name=account.name)
    assert len(await service.list_all(OLGA, "staging")) == 2


@pytest.mark.parametrize(
    ("given", "name", "field"),
    [
        ({"login": "  "}, None, "login"),
        ({"login": "x" * 201}, None, "login"),
        ({"login": "de\nmo"}, None, "login"),
        ({"login": "demo\x00"}, None, "login"),
        ({"password": ""}, None, "password"),
        ({"password": "x" * 1025}, None, "password"),
        ({}, "", "name"),
        ({}, "Demo", "name"),
        ({}, "-demo", "name"),
        ({}, "a/b", "name"),
        ({}, "x" * 64, "name"),
    ],
)
async def test_what_cannot_be_is_named_and_not_tried(
    service: AccountService, authenticator: FakeAuthenticator, given: dict[str, Any], name: str | None, field: str
) -> None:
    assert list(await refused(service.put(OLGA, "staging", replace(DEMO, **given), name=name))) == [field]
    assert authenticator.tried == []


async def test_the_database_is_free_while_odoo_thinks(
    service: AccountService, database: Database, authenticator: FakeAuthenticator
) -> None:
    async def write() -> None:
        async with database.writing() as work:
            assert await work.environments.remove(EnvironmentKey("default", "other"))

    authenticator.meanwhile = write
    assert (await service.put(OLGA, "staging", DEMO)).revision == 1


async def test_an_environment_that_goes_while_odoo_thinks_is_not_found(
    service: AccountService, database: Database, authenticator: FakeAuthenticator, announcer: NotingAnnouncer
) -> None:
    async def remove() -> None:
        async with database.writing() as work:
            await work.environments.remove(KEY)

    authenticator.meanwhile = remove
    with pytest.raises(NotFound, match="no environment 'staging'"):
        await service.put(OLGA, "staging", DEMO)
    assert announcer.announced == []


@pytest.mark.parametrize("changed", [{"revision": 5, "url": "http://10.0.0.6:8069"}, {"database": "live"}])
async def test_what_was_tried_at_another_address_is_not_kept(
    service: AccountService, database: Database, authenticator: FakeAuthenticator, changed: dict[str, Any]
) -> None:
    async def move() -> None:
        async with database.writing() as work:
            await work.environments.update(make_environment(**changed))

    authenticator.meanwhile = move
    assert list(await refused(service.put(OLGA, "staging", DEMO))) == ["url"]
    assert await service.list_all(OLGA, "staging") == []


async def test_an_account_that_links_use_stays(
    service: AccountService, database: Database, clock: SetClock, announcer: NotingAnnouncer
) -> None:
    await service.put(OLGA, "staging", DEMO)
    await keep(
        database,
        make_link("a" * 16, account="demo"),
        make_link("b" * 16, account="demo", expires_at=NOON + timedelta(hours=1)),
        make_link("c" * 16),
        make_link("d" * 16, account="demo", deactivated_at=NOON),
    )
    with pytest.raises(InUse, match="2 active share links sign visitors in as this account; deactivate them first"):
        await service.remove(OLGA, "staging", "demo")
    clock.advance(timedelta(hours=1))
    with pytest.raises(InUse, match="1 active share link signs visitors in as this account; deactivate it first"):
        await service.remove(OLGA, "staging", "demo")
    assert announcer.announced == [CHANGED]
    async with database.writing() as work:
        await work.links.deactivate("a" * 16, clock.now())
    await service.remove(OLGA, "staging", "demo")
    assert announcer.announced == [CHANGED, CHANGED]
    assert await service.list_all(OLGA, "staging") == []
    with pytest.raises(NotFound, match="no account 'demo'"):
        await service.remove(OLGA, "staging", "demo")


def test_a_refusal_is_said_with_its_time_its_cause_and_a_remedy() -> None:
    account = Account(
        KEY, "auditor", "anna@example.com", b"", is_admin=False, revision=1, created_at=NOON, created_by="o"
    )
    assert refusal_of(account) is None
    findings = [refusal_of(replace(account, refused_at=NOON, refusal=refusal)) for refusal in SignInRefusal]
    for finding in findings:
        assert finding is not None
        assert (finding.code, finding.at) == ("account_refused", NOON)
        assert "the account auditor (anna@example.com)" in finding.detail
        assert finding.remedy
    assert len({finding.detail for finding in findings if finding is not None}) == len(SignInRefusal)


CALLS: list[tuple[Scope, Callable[[AccountService, Principal], Awaitable[object]]]] = [
    (Scope.ENVIRONMENTS_READ, lambda service, who: service.list_all(who, "staging")),
    (Scope.ENVIRONMENTS_READ, lambda service, who: service.get(who, "staging", "demo")),
    (Scope.ENVIRONMENTS_WRITE, lambda service, who: service.put(who, "staging", DEMO)),
    (Scope.ENVIRONMENTS_WRITE, lambda service, who: service.remove(who, "staging", "demo")),
]


@pytest.mark.parametrize(("scope", "call"), CALLS)
async def test_every_use_needs_its_scope_and_its_organisation(
    service: AccountService, scope: Scope, call: Callable[[AccountService, Principal], Awaitable[object]]
) -> None:
    await service.put(OLGA, "staging", DEMO)
    with pytest.raises(Forbidden, match=scope):
        await call(service, Principal("olga", scopes=frozenset(Scope) - {scope}))
    with pytest.raises(NotFound, match="no environment 'staging'"):
        await call(service, STRANGER)
    await call(service, Principal("olga", scopes=frozenset({scope})))
