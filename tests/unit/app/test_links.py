from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.doors import PlayedDoor
from tests.storage.samples import NOON, CountedEntropy, SetClock, keep, make_environment
from tests.unit.app.conftest import NotingAnnouncer

from guestpass.app.accounts import AccountService, SignInCredentials
from guestpass.app.addresses import Addresses
from guestpass.app.links import LinkService, NewLink, OwnedLink
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import EnvironmentKey, Kind
from guestpass.domain.errors import Forbidden, Invalid, NotFound
from guestpass.domain.link import Access, EventKind, LinkEvent, ShareLink, ShareType, Status
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import SealedSecrets
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

    async def hash(self, password: str) -> str:
        self.begun.set()
        await self.may_go_on.wait()
        return f"hash of {len(password)} characters"

    async def verify(self, encoded: str, password: str) -> bool:
        return encoded == f"hash of {len(password)} characters"


@pytest.fixture
async def hasher() -> PlainHasher:
    return PlainHasher()


@pytest.fixture
def door() -> PlayedDoor:
    return PlayedDoor()


@pytest.fixture
def accounts(database: Database, announcer: NotingAnnouncer, clock: SetClock, door: PlayedDoor) -> AccountService:
    return AccountService(database, announcer, SealedSecrets(KEYS, CountedEntropy()), door, clock)


@pytest.fixture
async def service(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, hasher: PlainHasher, accounts: AccountService
) -> LinkService:
    await keep(
        database,
        make_environment(),
        make_environment(EnvironmentKey("default", "other")),
        make_environment(EnvironmentKey("acme", "theirs")),
        make_environment(EnvironmentKey("default", "site"), kind=Kind.WEB),
    )
    return make_service(database, announcer, clock, hasher, accounts)


def make_service(
    database: Database,
    announcer: NotingAnnouncer,
    clock: SetClock,
    hasher: PlainHasher,
    accounts: AccountService,
    *,
    addresses: Addresses | None = None,
    longest: timedelta = 8760 * HOUR,
) -> LinkService:
    return LinkService(
        store=database,
        announcer=announcer,
        vault=VAULT,
        hasher=hasher,
        addresses=addresses or Addresses("https://share.example.com"),
        accounts=accounts,
        clock=clock,
        entropy=CountedEntropy(),
        longest=longest,
    )


async def make(service: LinkService, environment_id: str = "staging", **given: Any) -> OwnedLink:
    return await service.create(OLGA, environment_id, NewLink(**given))


async def history(database: Database, id: str) -> list[LinkEvent]:
    async with database.reading() as work:
        return await work.visits.events(id)


async def refused(call: Awaitable[object]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        await call
    return {error.field: error.message for error in caught.value.errors}


async def test_a_link_is_made_of_nothing_but_an_environment(
    service: LinkService, database: Database, announcer: NotingAnnouncer
) -> None:
    made = await make(service)
    assert made.status is Status.ACTIVE
    assert made.link == ShareLink(
        id=made.link.id,
        environment=EnvironmentKey("default", "staging"),
        share_type=ShareType.TOKEN,
        label=None,
        password_hash=None,
        version=1,
        created_at=NOON,
        created_by="olga",
        expires_at=NOON + 168 * HOUR,
    )
    assert await service.get(OLGA, "staging", made.link.id) == made
    assert await history(database, made.link.id) == [LinkEvent(made.link.id, NOON, EventKind.CREATED, "olga")]
    assert announcer.announced == [[f"link:{made.link.id}"]]


async def test_the_url_leads_to_the_link(service: LinkService, database: Database) -> None:
    made = await make(service)
    origin, token = made.url.split("/share/")
    assert origin == "https://share.example.com"
    async with database.reading() as work:
        record = await work.links.by_token_hash(VAULT.hash(token))
    assert record is not None
    assert record.link_id == made.link.id


async def test_a_links_id_is_a_dns_label_of_80_bits(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, hasher: PlainHasher, accounts: AccountService
) -> None:
    await keep(database, make_environment())
    addresses = Addresses("http://localhost:8080", "localhost")
    service = make_service(database, announcer, clock, hasher, accounts, addresses=addresses)
    made = await make(service)
    assert len(made.link.id) == 16
    assert set(made.link.id) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert made.url.startswith(f"http://{made.link.id}.localhost:8080/share/gp_")


async def test_a_password_makes_a_password_link_and_only_its_hash_is_kept(service: LinkService) -> None:
    for given in ({}, {"share_type": ShareType.PASSWORD}):
        made = await make(service, password="eight!!!", **given)
        assert made.link.share_type is ShareType.PASSWORD
        assert made.link.password_hash == "hash of 8 characters"


async def test_a_password_is_hashed_outside_of_the_write_lock(
    service: LinkService, database: Database, hasher: PlainHasher
) -> None:
    hasher.may_go_on.clear()
    async with asyncio.TaskGroup() as group:
        creating = group.create_task(make(service, password="eight!!!"))
        await hasher.begun.wait()
        async with asyncio.timeout(5), database.writing() as work:
            await work.environments.remove(EnvironmentKey("default", "other"))
        hasher.may_go_on.set()
    assert creating.result().status is Status.ACTIVE


async def test_an_environment_that_goes_while_a_password_is_hashed_is_not_found(
    service: LinkService, database: Database, hasher: PlainHasher, announcer: NotingAnnouncer
) -> None:
    hasher.may_go_on.clear()

    async def create() -> None:
        with pytest.raises(NotFound, match="no environment 'staging'"):
            await make(service, password="eight!!!")

    async with asyncio.TaskGroup() as group:
        group.create_task(create())
        await hasher.begun.wait()
        async with database.writing() as work:
            await work.environments.remove(EnvironmentKey("default", "staging"))
        hasher.may_go_on.set()
    assert announcer.announced == []


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"share_type": ShareType.PASSWORD}, {"password": "is needed for a link of shareType password"}),
        (
            {"share_type": ShareType.TOKEN, "password": "eight!!!"},
            {"shareType": "must be password, or not given, when a password is given"},
        ),
        ({"password": "seven!!"}, {"password": "must be 8 to 1024 bytes long"}),
        ({"password": "x" * 1025}, {"password": "must be 8 to 1024 bytes long"}),
        ({"password": "é" * 513}, {"password": "must be 8 to 1024 bytes long"}),
        ({"label": "x" * 201}, {"label": "must be at most 200 characters"}),
        ({"label": "two\nlines"}, {"label": "must not hold control characters"}),
        ({"expires_in": timedelta(0)}, {"expiresIn": "must be more than 0s and at most 365d"}),
        ({"expires_in": -HOUR}, {"expiresIn": "must be more than 0s and at most 365d"}),
        (
            {"expires_in": 8760 * HOUR + timedelta(microseconds=1)},
            {"expiresIn": "must be more than 0s and at most 365d"},
        ),
        (
            {"password": "x", "label": "x" * 201, "expires_in": timedelta(0)},
            {
                "password": "must be 8 to 1024 bytes long",
                "label": "must be at most 200 characters",
                "expiresIn": "must be more than 0s and at most 365d",
            },
        ),
    ],
)
async def test_what_cannot_be_is_named(
    service: LinkService, announcer: NotingAnnouncer, given: dict[str, Any], errors: dict[str, str]
) -> None:
    assert await refused(make(service, **given)) == errors
    assert await service.list_all(OLGA, "staging") == []
    assert announcer.announced == []


@pytest.mark.parametrize(
    "given",
    [
        {"password": "é" * 4},
        {"password": "x" * 1024},
        {"label": "x" * 200},
        {"expires_in": timedelta(microseconds=1)},
        {"expires_in": 8760 * HOUR},
    ],
)
async def test_the_bounds_themselves_are_allowed(service: LinkService, given: dict[str, Any]) -> None:
    made = await make(service, **given)
    assert made.link.label == given.get("label")
    assert made.link.expires_at == NOON + given.get("expires_in", 168 * HOUR)


async def test_the_default_lifetime_keeps_within_the_longest(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, hasher: PlainHasher, accounts: AccountService
) -> None:
    await keep(database, make_environment())
    service = make_service(database, announcer, clock, hasher, accounts, longest=24 * HOUR)
    assert (await make(service)).link.expires_at == NOON + 24 * HOUR
    assert await refused(make(service, expires_in=25 * HOUR)) == {"expiresIn": "must be more than 0s and at most 1d"}


@pytest.mark.parametrize(("label", "kept"), [("  For Anna ", "For Anna"), ("   ", None), ("", None), (None, None)])
async def test_a_label_is_trimmed(service: LinkService, label: str | None, kept: str | None) -> None:
    assert (await make(service, label=label)).link.label == kept


async def test_links_are_listed_newest_first_with_their_urls_and_by_status(
    service: LinkService, clock: SetClock
) -> None:
    ended = await make(service, expires_in=HOUR)
    clock.advance(timedelta(seconds=1))
    off = await make(service)
    clock.advance(timedelta(seconds=1))
    active = await make(service, label="newest")
    await make(service, "other")
    await service.deactivate(OLGA, "staging", off.link.id)
    clock.advance(HOUR)
    listed = await service.list_all(OLGA, "staging")
    assert [one.link.id for one in listed] == [active.link.id, off.link.id, ended.link.id]
    assert [one.url for one in listed] == [active.url, off.url, ended.url]
    assert [one.status for one in listed] == [Status.ACTIVE, Status.DEACTIVATED, Status.EXPIRED]
    for one in listed:
        assert [other.link for other in await service.list_all(OLGA, "staging", one.status)] == [one.link]


async def test_deactivating_is_written_down_and_announced_once(
    service: LinkService, database: Database, announcer: NotingAnnouncer, clock: SetClock
) -> None:
    made = await make(service)
    clock.advance(HOUR)
    assert await service.deactivate(Principal("otto"), "staging", made.link.id)
    clock.advance(HOUR)
    assert not await service.deactivate(OLGA, "staging", made.link.id)
    after = await service.get(OLGA, "staging", made.link.id)
    assert after.status is Status.DEACTIVATED
    assert after.link.deactivated_at == NOON + HOUR
    assert after.link.version == made.link.version
    assert after.url == made.url
    assert [(event.kind, event.actor, event.at) for event in await history(database, made.link.id)] == [
        (EventKind.CREATED, "olga", NOON),
        (EventKind.DEACTIVATED, "otto", NOON + HOUR),
    ]
    assert announcer.announced[1] == [f"link:{made.link.id}"]
    assert all(announced == [] for announced in announcer.announced[2:])


async def test_a_removed_link_is_gone_and_a_second_time_not_found(
    service: LinkService, database: Database, announcer: NotingAnnouncer
) -> None:
    made, other = await make(service), await make(service)
    await service.remove(OLGA, "staging", made.link.id)
    assert announcer.announced[2:] == [[f"link:{made.link.id}"]]
    assert await history(database, made.link.id) == []
    for call in (service.get, service.deactivate, service.remove):
        with pytest.raises(NotFound, match="no share link"):
            await call(OLGA, "staging", made.link.id)
    assert [one.link.id for one in await service.list_all(OLGA, "staging")] == [other.link.id]


async def test_a_link_is_found_in_its_own_environment_and_organisation_only(service: LinkService) -> None:
    made = await make(service)
    for call in (service.get, service.deactivate, service.remove):
        with pytest.raises(NotFound, match="no share link"):
            await call(OLGA, "other", made.link.id)
        for who, environment_id in ((OLGA, "absent"), (STRANGER, "staging"), (OLGA, "theirs")):
            with pytest.raises(NotFound, match=f"no environment '{environment_id}'"):
                await call(who, environment_id, made.link.id)
        with pytest.raises(NotFound, match="no share link"):
            await call(STRANGER, "theirs", made.link.id)
    for who, environment_id in ((OLGA, "absent"), (STRANGER, "staging")):
        with pytest.raises(NotFound, match="no environment"):
            await service.create(who, environment_id, NewLink())
        with pytest.raises(NotFound, match="no environment"):
            await service.list_all(who, environment_id)
    assert (await service.get(OLGA, "staging", made.link.id)).status is Status.ACTIVE


def codes(owned: OwnedLink) -> list[str]:
    return [warning.code for warning in owned.warnings]


async def test_visitors_are_signed_in_as_an_account_that_there_is(
    service: LinkService, accounts: AccountService
) -> None:
    account = await accounts.put(OLGA, "staging", DEMO, name="auditor")
    made = await make(service, sign_in_as="auditor")
    assert (made.link.account, made.link.access, made.account) == ("auditor", Access.FULL, account)
    assert codes(made) == []
    assert await service.get(OLGA, "staging", made.link.id) == made
    assert await service.list_all(OLGA, "staging") == [made]


async def test_an_account_that_there_is_not_is_answered_with_those_that_there_are(
    service: LinkService, accounts: AccountService
) -> None:
    [(field, message)] = (await refused(make(service, sign_in_as="auditor"))).items()
    assert field == "signInAs"
    assert "none yet" in message
    await accounts.put(OLGA, "staging", DEMO)
    await accounts.put(OLGA, "staging", ADMIN)
    assert await refused(make(service, sign_in_as="auditor")) == {
        "signInAs": "is not the name of an account of this environment; known are admin, demo"
    }
    assert list(await refused(make(service, "other", sign_in_as="demo"))) == ["signInAs"]


async def test_credentials_become_an_account_once_and_are_renewed_after_that(
    service: LinkService, accounts: AccountService, door: PlayedDoor
) -> None:
    first = await make(service, sign_in_as=DEMO)
    door.passwords["demo"] = "a new one"
    second = await make(service, sign_in_as=SignInCredentials(login="demo", password="a new one"))
    [account] = await accounts.list_all(OLGA, "staging")
    assert (account.name, account.login, account.revision) == ("demo", "demo", 2)
    assert (first.link.account, second.link.account) == ("demo", "demo")
    assert second.account == account


@pytest.mark.parametrize(
    ("credentials", "field"),
    [
        (SignInCredentials(login="demo", password="wrong"), "signInAs.password"),
        (SignInCredentials(login="", password="x"), "signInAs.login"),
        (SignInCredentials(login="admin", password="admin's own"), "signInAs.allowAdmin"),
    ],
)
async def test_wrong_credentials_make_neither_an_account_nor_a_link(
    service: LinkService, accounts: AccountService, credentials: SignInCredentials, field: str
) -> None:
    assert list(await refused(make(service, sign_in_as=credentials))) == [field]
    assert await accounts.list_all(OLGA, "staging") == []
    assert await service.list_all(OLGA, "staging") == []


async def test_what_is_wrong_with_the_environment_keeps_its_name(service: LinkService, door: PlayedDoor) -> None:
    door.refusal = SignInRefusal.DATABASE
    assert list(await refused(make(service, sign_in_as=DEMO))) == ["database"]


async def test_credentials_are_not_tried_for_a_link_that_cannot_be(service: LinkService, door: PlayedDoor) -> None:
    assert list(await refused(make(service, sign_in_as=DEMO, label="x" * 201))) == ["label"]
    assert door.tried == []


async def test_what_only_an_odoo_has_is_named(service: LinkService, door: PlayedDoor) -> None:
    given: dict[str, Any]
    for given, fields in (
        ({"access": Access.READ_ONLY}, ["access"]),
        ({"sign_in_as": "demo"}, ["signInAs"]),
        ({"access": Access.READ_ONLY, "sign_in_as": DEMO}, ["access", "signInAs"]),
    ):
        assert list(await refused(make(service, "site", **given))) == fields
    assert door.tried == []
    assert (await make(service, "site", access=Access.FULL)).link.access is Access.FULL


async def test_links_say_what_to_consider(service: LinkService) -> None:
    guarded = await make(service, access=Access.READ_ONLY)
    assert guarded.link.access is Access.READ_ONLY
    assert codes(guarded) == ["view_only_unsigned"]
    assert codes(await make(service, access=Access.READ_ONLY, sign_in_as=DEMO)) == []
    assert codes(await make(service, access=Access.READ_ONLY, sign_in_as=ADMIN)) == ["admin_account"]
    listed = await service.list_all(OLGA, "staging")
    assert sorted(code for one in listed for code in codes(one)) == ["admin_account", "view_only_unsigned"]


async def test_a_link_that_ended_can_outlive_its_account(service: LinkService, accounts: AccountService) -> None:
    made = await make(service, sign_in_as=DEMO)
    await service.deactivate(OLGA, "staging", made.link.id)
    await accounts.remove(OLGA, "staging", "demo")
    after = await service.get(OLGA, "staging", made.link.id)
    assert (after.link.account, after.account) == ("demo", None)


async def test_an_account_that_goes_while_a_password_is_hashed_is_not_used(
    service: LinkService, accounts: AccountService, hasher: PlainHasher
) -> None:
    await accounts.put(OLGA, "staging", DEMO)
    hasher.may_go_on.clear()
    async with asyncio.TaskGroup() as group:
        creating = group.create_task(refused(make(service, password="eight!!!", sign_in_as="demo")))
        await hasher.begun.wait()
        await accounts.remove(OLGA, "staging", "demo")
        hasher.may_go_on.set()
    assert list(creating.result()) == ["signInAs"]
    assert await service.list_all(OLGA, "staging") == []


async def test_only_credentials_need_the_scope_for_accounts_too(
    service: LinkService, accounts: AccountService, door: PlayedDoor
) -> None:
    await accounts.put(OLGA, "staging", DEMO)
    sharer = Principal("sue", scopes=frozenset({Scope.SHARES_WRITE}))
    with pytest.raises(Forbidden, match=Scope.ENVIRONMENTS_WRITE):
        await service.create(sharer, "staging", NewLink(sign_in_as=ADMIN))
    assert len(door.tried) == 1
    assert (await service.create(sharer, "staging", NewLink(sign_in_as="demo"))).link.account == "demo"


CALLS: list[tuple[Scope, Callable[[LinkService, Principal, str], Awaitable[object]]]] = [
    (Scope.SHARES_READ, lambda service, who, _: service.list_all(who, "staging")),
    (Scope.SHARES_READ, lambda service, who, link_id: service.get(who, "staging", link_id)),
    (Scope.SHARES_WRITE, lambda service, who, _: service.create(who, "staging", NewLink())),
    (Scope.SHARES_WRITE, lambda service, who, link_id: service.deactivate(who, "staging", link_id)),
    (Scope.SHARES_WRITE, lambda service, who, link_id: service.remove(who, "staging", link_id)),
]


@pytest.mark.parametrize(("scope", "call"), CALLS)
async def test_every_use_needs_its_scope_and_no_other(
    service: LinkService, scope: Scope, call: Callable[[LinkService, Principal, str], Awaitable[object]]
) -> None:
    made = await make(service)
    with pytest.raises(Forbidden, match=scope):
        await call(service, Principal("olga", scopes=frozenset(Scope) - {scope}), made.link.id)
    await call(service, Principal("olga", scopes=frozenset({scope})), made.link.id)
