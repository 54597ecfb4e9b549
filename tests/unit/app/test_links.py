from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.authenticators import FakeAuthenticator
from tests.storage.samples import NOON, SetClock, keep, make_environment
from tests.unit.app.announcer import NotingAnnouncer
from tests.unit.app.link_service import (
    ADMIN,
    DEMO,
    HOUR,
    OLGA,
    STRANGER,
    VAULT,
    PlainHasher,
    history,
    make,
    make_service,
    refused,
)

from guestpass.app.accounts import AccountService, SignInCredentials
from guestpass.app.links import LinkChange, LinkSearch, LinkService, NewLink, OwnedLink
from guestpass.app.ports import Unreachable
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.errors import Forbidden, NotFound
from guestpass.domain.link import Access, EventKind, LinkEvent, ShareLink, ShareType, Status
from guestpass.storage.database import Database


async def test_a_link_is_made_of_nothing_but_an_environment(
    links: LinkService, database: Database, announcer: NotingAnnouncer
) -> None:
    made = await make(links)
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
    assert await links.get(OLGA, "staging", made.link.id) == made
    assert await history(database, made.link.id) == [LinkEvent(made.link.id, NOON, EventKind.CREATED, "olga")]
    assert announcer.announced == [[f"link:{made.link.id}"]]


async def test_who_shares_what_is_closed_is_told(links: LinkService, database: Database) -> None:
    assert (await make(links)).warnings == ()
    environment = make_environment()
    async with database.writing() as work:
        await work.environments.update(replace(environment, maintenance="Back at noon"))
        await work.reachabilities.lose(environment.key, Unreachable(NOON, "nothing answers"))
    made = await make(links)
    assert [each.code for each in made.warnings] == ["unreachable", "maintenance"]
    assert "nothing answers" in made.warnings[0].detail
    assert (await links.get(OLGA, "staging", made.link.id)).warnings == made.warnings


async def test_the_url_leads_to_the_link(links: LinkService, database: Database) -> None:
    made = await make(links)
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
    addresses = PublicUrls("http://localhost:8080", "localhost")
    links = make_service(database, announcer, clock, hasher, accounts, addresses=addresses)
    made = await make(links)
    assert len(made.link.id) == 16
    assert set(made.link.id) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert made.url.startswith("http://localhost:8080/share/gp_")
    assert addresses.link_origin(made.link.id, made.link.version) == f"http://{made.link.id}.localhost:8080"


async def test_a_password_makes_a_password_link_and_only_its_hash_is_kept(links: LinkService) -> None:
    for given in ({}, {"share_type": ShareType.PASSWORD}):
        made = await make(links, password="eight!!!", **given)
        assert made.link.share_type is ShareType.PASSWORD
        assert made.link.password_hash == "hash of 8 characters"


async def test_a_password_is_hashed_outside_of_the_write_lock(
    links: LinkService, database: Database, hasher: PlainHasher
) -> None:
    hasher.may_go_on.clear()
    async with asyncio.TaskGroup() as group:
        creating = group.create_task(make(links, password="eight!!!"))
        await hasher.begun.wait()
        async with asyncio.timeout(60), database.writing() as work:
            await work.environments.remove(EnvironmentKey("default", "other"))
        hasher.may_go_on.set()
    assert creating.result().status is Status.ACTIVE


async def test_an_environment_that_goes_while_a_password_is_hashed_is_not_found(
    links: LinkService, database: Database, hasher: PlainHasher, announcer: NotingAnnouncer
) -> None:
    hasher.may_go_on.clear()

    async def create() -> None:
        with pytest.raises(NotFound, match="no environment 'staging'"):
            await make(links, password="eight!!!")

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
    links: LinkService, announcer: NotingAnnouncer, given: dict[str, Any], errors: dict[str, str]
) -> None:
    assert await refused(make(links, **given)) == errors
    assert await links.list_all(OLGA, "staging") == []
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
async def test_the_bounds_themselves_are_allowed(links: LinkService, given: dict[str, Any]) -> None:
    made = await make(links, **given)
    assert made.link.label == given.get("label")
    assert made.link.expires_at == NOON + given.get("expires_in", 168 * HOUR)


async def test_the_default_lifetime_keeps_within_the_longest(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, hasher: PlainHasher, accounts: AccountService
) -> None:
    await keep(database, make_environment())
    links = make_service(database, announcer, clock, hasher, accounts, longest=24 * HOUR)
    assert (await make(links)).link.expires_at == NOON + 24 * HOUR
    assert await refused(make(links, expires_in=25 * HOUR)) == {"expiresIn": "must be more than 0s and at most 1d"}


@pytest.mark.parametrize(("label", "kept"), [("  For Anna ", "For Anna"), ("   ", None), ("", None), (None, None)])
async def test_a_label_is_trimmed(links: LinkService, label: str | None, kept: str | None) -> None:
    assert (await make(links, label=label)).link.label == kept


async def test_links_are_listed_newest_first_with_their_urls_and_by_status(links: LinkService, clock: SetClock) -> None:
    ended = await make(links, expires_in=HOUR)
    clock.advance(timedelta(seconds=1))
    off = await make(links)
    clock.advance(timedelta(seconds=1))
    active = await make(links, label="newest")
    await make(links, "other")
    await links.deactivate(OLGA, "staging", off.link.id)
    clock.advance(HOUR)
    listed = await links.list_all(OLGA, "staging")
    assert [one.link.id for one in listed] == [active.link.id, off.link.id, ended.link.id]
    assert [one.url for one in listed] == [active.url, off.url, ended.url]
    assert [one.status for one in listed] == [Status.ACTIVE, Status.DEACTIVATED, Status.EXPIRED]
    for one in listed:
        assert [other.link for other in await links.list_all(OLGA, "staging", one.status)] == [one.link]


async def test_deactivating_is_written_down_and_announced_once(
    links: LinkService, database: Database, announcer: NotingAnnouncer, clock: SetClock
) -> None:
    made = await make(links)
    clock.advance(HOUR)
    assert await links.deactivate(Principal("otto"), "staging", made.link.id)
    clock.advance(HOUR)
    assert not await links.deactivate(OLGA, "staging", made.link.id)
    after = await links.get(OLGA, "staging", made.link.id)
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
    links: LinkService, database: Database, announcer: NotingAnnouncer
) -> None:
    made, other = await make(links), await make(links)
    await links.remove(OLGA, "staging", made.link.id)
    assert announcer.announced[2:] == [[f"link:{made.link.id}"]]
    assert await history(database, made.link.id) == []
    for call in (links.get, links.deactivate, links.remove):
        with pytest.raises(NotFound, match="no share link"):
            await call(OLGA, "staging", made.link.id)
    assert [one.link.id for one in await links.list_all(OLGA, "staging")] == [other.link.id]


async def test_a_link_is_found_in_its_own_environment_and_organisation_only(links: LinkService) -> None:
    made = await make(links)
    for call in (links.get, links.deactivate, links.remove):
        with pytest.raises(NotFound, match="no share link"):
            await call(OLGA, "other", made.link.id)
        for who, environment_id in ((OLGA, "absent"), (STRANGER, "staging"), (OLGA, "theirs")):
            with pytest.raises(NotFound, match=f"no environment '{environment_id}'"):
                await call(who, environment_id, made.link.id)
        with pytest.raises(NotFound, match="no share link"):
            await call(STRANGER, "theirs", made.link.id)
    for who, environment_id in ((OLGA, "absent"), (STRANGER, "staging")):
        with pytest.raises(NotFound, match="no environment"):
            await links.create(who, environment_id, NewLink())
        with pytest.raises(NotFound, match="no environment"):
            await links.list_all(who, environment_id)
    assert (await links.get(OLGA, "staging", made.link.id)).status is Status.ACTIVE


def codes(owned: OwnedLink) -> list[str]:
    return [warning.code for warning in owned.warnings]


async def test_visitors_are_signed_in_as_an_account_that_there_is(links: LinkService, accounts: AccountService) -> None:
    account = await accounts.put(OLGA, "staging", DEMO, name="auditor")
    made = await make(links, sign_in_as="auditor")
    assert (made.link.account, made.link.access, made.account) == ("auditor", Access.FULL, account)
    assert codes(made) == []
    assert await links.get(OLGA, "staging", made.link.id) == made
    assert await links.list_all(OLGA, "staging") == [made]


async def test_an_account_that_there_is_not_is_answered_with_those_that_there_are(
    links: LinkService, accounts: AccountService
) -> None:
    [(field, message)] = (await refused(make(links, sign_in_as="auditor"))).items()
    assert field == "signInAs"
    assert "none yet" in message
    await accounts.put(OLGA, "staging", DEMO)
    await accounts.put(OLGA, "staging", ADMIN)
    assert await refused(make(links, sign_in_as="auditor")) == {
        "signInAs": "is not the name of an account of this environment; known are admin, demo"
    }
    assert list(await refused(make(links, "other", sign_in_as="demo"))) == ["signInAs"]


async def test_credentials_become_an_account_once_and_are_renewed_after_that(
    links: LinkService, accounts: AccountService, authenticator: FakeAuthenticator
) -> None:
    first = await make(links, sign_in_as=DEMO)
    authenticator.passwords["demo"] = "a new one"
    second = await make(links, sign_in_as=SignInCredentials(login="demo", password="a new one"))
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
    links: LinkService, accounts: AccountService, credentials: SignInCredentials, field: str
) -> None:
    assert list(await refused(make(links, sign_in_as=credentials))) == [field]
    assert await accounts.list_all(OLGA, "staging") == []
    assert await links.list_all(OLGA, "staging") == []


async def test_what_is_wrong_with_the_environment_keeps_its_name(
    links: LinkService, authenticator: FakeAuthenticator
) -> None:
    authenticator.refusal = SignInRefusal.DATABASE
    assert list(await refused(make(links, sign_in_as=DEMO))) == ["database"]


async def test_credentials_are_not_tried_for_a_link_that_cannot_be(
    links: LinkService, authenticator: FakeAuthenticator
) -> None:
    assert list(await refused(make(links, sign_in_as=DEMO, label="x" * 201))) == ["label"]
    assert authenticator.tried == []


async def test_what_only_an_odoo_has_is_named(links: LinkService, authenticator: FakeAuthenticator) -> None:
    given: dict[str, Any]
    for given, fields in (
        ({"access": Access.READ_ONLY}, ["access"]),
        ({"sign_in_as": "demo"}, ["signInAs"]),
        ({"access": Access.READ_ONLY, "sign_in_as": DEMO}, ["access", "signInAs"]),
    ):
        assert list(await refused(make(links, "site", **given))) == fields
    assert authenticator.tried == []
    assert (await make(links, "site", access=Access.FULL)).link.access is Access.FULL


async def test_links_say_what_to_consider(links: LinkService) -> None:
    guarded = await make(links, access=Access.READ_ONLY)
    assert guarded.link.access is Access.READ_ONLY
    assert codes(guarded) == ["view_only_unsigned"]
    assert codes(await make(links, access=Access.READ_ONLY, sign_in_as=DEMO)) == []
    assert codes(await make(links, access=Access.READ_ONLY, sign_in_as=ADMIN)) == ["admin_account"]
    listed = await links.list_all(OLGA, "staging")
    assert sorted(code for one in listed for code in codes(one)) == ["admin_account", "view_only_unsigned"]


async def test_a_link_that_ended_can_outlive_its_account(links: LinkService, accounts: AccountService) -> None:
    made = await make(links, sign_in_as=DEMO)
    await links.deactivate(OLGA, "staging", made.link.id)
    await accounts.remove(OLGA, "staging", "demo")
    after = await links.get(OLGA, "staging", made.link.id)
    assert (after.link.account, after.account) == ("demo", None)


async def test_an_account_that_goes_while_a_password_is_hashed_is_not_used(
    links: LinkService, accounts: AccountService, hasher: PlainHasher
) -> None:
    await accounts.put(OLGA, "staging", DEMO)
    hasher.may_go_on.clear()
    async with asyncio.TaskGroup() as group:
        creating = group.create_task(refused(make(links, password="eight!!!", sign_in_as="demo")))
        await hasher.begun.wait()
        await accounts.remove(OLGA, "staging", "demo")
        hasher.may_go_on.set()
    assert list(creating.result()) == ["signInAs"]
    assert await links.list_all(OLGA, "staging") == []


async def test_only_credentials_need_the_scope_for_accounts_too(
    links: LinkService, accounts: AccountService, authenticator: FakeAuthenticator
) -> None:
    await accounts.put(OLGA, "staging", DEMO)
    sharer = Principal("sue", scopes=frozenset({Scope.SHARES_WRITE}))
    with pytest.raises(Forbidden, match=Scope.ENVIRONMENTS_WRITE):
        await links.create(sharer, "staging", NewLink(sign_in_as=ADMIN))
    assert len(authenticator.tried) == 1
    assert (await links.create(sharer, "staging", NewLink(sign_in_as="demo"))).link.account == "demo"


CALLS: list[tuple[Scope, Callable[[LinkService, Principal, str], Awaitable[object]]]] = [
    (Scope.SHARES_READ, lambda links, who, _: links.list_all(who, "staging")),
    (Scope.SHARES_READ, lambda links, who, link_id: links.get(who, "staging", link_id)),
    (Scope.SHARES_WRITE, lambda links, who, _: links.create(who, "staging", NewLink())),
    (Scope.SHARES_WRITE, lambda links, who, link_id: links.deactivate(who, "staging", link_id)),
    (Scope.SHARES_READ, lambda links, who, _: links.find(who, LinkSearch())),
    (Scope.SHARES_WRITE, lambda links, who, link_id: links.change(who, "staging", link_id, LinkChange(label="x"))),
    (Scope.SHARES_WRITE, lambda links, who, link_id: links.rotate(who, "staging", link_id)),
    (Scope.SHARES_WRITE, lambda links, who, link_id: links.deactivate_many(who, [link_id])),
    (Scope.SHARES_WRITE, lambda links, who, link_id: links.remove(who, "staging", link_id)),
]


@pytest.mark.parametrize(("scope", "call"), CALLS)
async def test_every_use_needs_its_scope_and_no_other(
    links: LinkService, scope: Scope, call: Callable[[LinkService, Principal, str], Awaitable[object]]
) -> None:
    made = await make(links)
    with pytest.raises(Forbidden, match=scope):
        await call(links, Principal("olga", scopes=frozenset(Scope) - {scope}), made.link.id)
    await call(links, Principal("olga", scopes=frozenset({scope})), made.link.id)
